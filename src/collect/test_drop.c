/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/test_drop.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { LINE_SIZE = 512, SAY_SIZE = 1024 };

static bool say(struct server_peer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool say(struct server_peer *p, const char *format, ...)
{
	char text[SAY_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return peer_say(p, text);
}

static bool list(struct drop *d, struct server_peer *p, bool uids)
{
	size_t most = uids && d->list_first ? d->list_first : d->count;

	if (uids ? d->no_uidl : d->refuse_list)
		return say(p, "-ERR what is that\r\n");
	(void)say(p, "+OK\r\n");
	for (size_t n = 0; n < most; n++) {
		if (uids)
			(void)say(p, "%zu %s\r\n", d->same_number ? 1 : n + 1, d->messages[n].uid);
		else
			(void)say(p, "%zu %zu\r\n", n + 1, strlen(d->messages[n].text));
	}
	return say(p, ".\r\n");
}

/* False: the connection is to be cut here. */
static bool hand_out(struct drop *d, struct server_peer *p, const char *line)
{
	bool top = strncasecmp(line, "TOP", 3) == 0;
	size_t number = strtoul(line + (top ? 4 : 5), NULL, 10);
	const char *text, *end;

	*(top ? &d->tops : &d->retrs) += 1;
	if (!number || number > d->count || (!top && number == d->refuse_retr))
		return say(p, "-ERR no such message\r\n");
	text = d->messages[number - 1].text;
	end = strstr(text, "\r\n\r\n");
	if (!top && number == d->cut_retr) {
		(void)say(p, "+OK\r\n%.5s", text);
		return false;
	}
	if (top && end && strstr(line, " 0"))
		return say(p, "+OK\r\n%.*s\r\n\r\n.\r\n", (int)(end - text), text);
	(void)say(p, "+OK\r\n%s", text);
	for (size_t n = 0; n < d->lines; n++)
		(void)peer_say(p, DROP_LINE);
	return peer_say(p, ".\r\n");
}

static void delete_marked(struct drop *d)
{
	size_t kept = 0;

	for (size_t n = 0; n < d->count; n++)
		if (!d->messages[n].marked)
			d->messages[kept++] = d->messages[n];
	d->count = kept;
}

static bool leave(struct drop *d, struct server_peer *p)
{
	if (d->refuse_quit) {
		(void)say(p, "-ERR not deleted\r\n");
		return false;
	}
	if (!d->ignore_dele)
		delete_marked(d);
	if (!d->mute_quit)
		(void)say(p, "+OK\r\n");
	return false;
}

static bool dele(struct drop *d, struct server_peer *p, const char *line)
{
	size_t number = strtoul(line + 5, NULL, 10);

	assert(number && number <= d->count);
	if (number == d->refuse_dele)
		return say(p, "-ERR locked\r\n");
	d->messages[number - 1].marked = true;
	return say(p, "+OK\r\n");
}

static bool answer(struct drop *d, struct server_peer *p, const char *line)
{
	if (strcasecmp(line, "CAPA") == 0)
		return say(p, "+OK\r\nUSER\r\n%s%s%s.\r\n", d->no_uidl ? "" : "UIDL\r\n", d->no_top ? "" : "TOP\r\n",
			d->no_pipelining ? "" : "PIPELINING\r\n");
	if (strncasecmp(line, "USER", 4) == 0)
		return say(p, "+OK\r\n");
	if (strncasecmp(line, "PASS", 4) == 0)
		return say(p, d->wrong_password ? "-ERR [AUTH] no\r\n" : "+OK\r\n");
	if (strcasecmp(line, "STAT") == 0)
		return d->refuse_stat ? say(p, "-ERR no\r\n") : say(p, "+OK %zu 1000\r\n", d->count + d->stat_more);
	if (strcasecmp(line, "UIDL") == 0 || strcasecmp(line, "LIST") == 0)
		return list(d, p, line[0] == 'U');
	if (strncasecmp(line, "RETR", 4) == 0 || strncasecmp(line, "TOP", 3) == 0)
		return hand_out(d, p, line);
	if (strncasecmp(line, "DELE", 4) == 0)
		return dele(d, p, line);
	if (strcasecmp(line, "QUIT") == 0)
		return leave(d, p);
	return say(p, "-ERR what is that\r\n");
}

static void talk(struct server_peer *p, void *user)
{
	struct drop *d = user;
	char line[LINE_SIZE];

	d->retrs = d->tops = 0;
	for (size_t n = 0; n < d->count; n++)
		d->messages[n].marked = false;
	(void)say(p, "+OK ready\r\n");
	while (peer_line(p, line, sizeof line))
		if (!answer(d, p, line))
			return;
}

void drop_start(struct drop *d)
{
	server_start(&d->server, "127.0.0.1", talk, d);
}

void drop_stop(struct drop *d)
{
	server_stop(&d->server);
}

void drop_add(struct drop *d, const char *uid, const char *text)
{
	struct drop_mail *m = &d->messages[d->count++];

	assert(d->count <= DROP_MAX);
	*m = (struct drop_mail){ 0 };
	(void)snprintf(m->uid, sizeof m->uid, "%s", uid);
	(void)snprintf(m->text, sizeof m->text, "%s", text);
}
