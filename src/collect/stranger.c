/* SPDX-License-Identifier: Apache-2.0
 *
 * The server speaks another protocol than the settings say: `port`, `protocol`
 * or `tls.mode` is a wrong one.  Told by its first octets, in words that help. */
#include "collect/visit.h"
#include "wire/greeting.h"

static bool imap(const struct visit *v)
{
	return v->with->protocol == PROTOCOL_IMAP;
}

static const char *right_port(bool imap)
{
	return imap ? "993 with tls.mode = implicit, 143 with explicit or none" : "995 with tls.mode = implicit, 110 with explicit or none";
}

bool stranger_speaks(struct visit *v, struct span first)
{
	enum greeting who = greeting_of(first), ours = imap(v) ? GREETING_IMAP : GREETING_POP3;
	struct err e;

	if (who == GREETING_UNKNOWN || who == ours)
		return false;
	if (who == GREETING_TLS)
		(void)err_set(&e, ERR_PEER, "the server speaks TLS from the start; set tls.mode = implicit (port %u is the usual one)",
			imap(v) ? 993 : 995);
	else if (who == GREETING_POP3 || who == GREETING_IMAP)
		(void)err_set(&e, ERR_PEER, "this is %s; set protocol = %s, or `port` to the one of %s: %s", greeting_name(who),
			imap(v) ? "pop3" : "imap", imap(v) ? "IMAP" : "POP3", right_port(imap(v)));
	else
		(void)err_set(&e, ERR_PEER, "this is %s, no %s server; check `host` and `port` (%s)", greeting_name(who),
			imap(v) ? "IMAP" : "POP3", right_port(imap(v)));
	if (who != GREETING_TLS)
		(void)err_peer(&e, (struct span){ first.at, span_find(first, '\n') });
	(void)err_in(&e, "%s:%u", v->with->host, v->conn_settings.port);
	visit_fail(v, &e);
	return true;
}
