/* SPDX-License-Identifier: Apache-2.0
 * What a seed makes of its run, and the connection's settings that follow. */
#include "imapd.h"
#include "sasl/client.h"
#include "sim.h"

static const struct target mailbox = { .name = "box", .type = TARGET_MAILBOX, .canonical = "mailbox:anna/INBOX", .mailbox = "anna/INBOX" };
static const struct target maildir = { .name = "dir", .type = TARGET_MAILDIR, .canonical = "maildir:/sim", .path = "/sim" };

static void plan_targets(struct plan *p)
{
	uint64_t n = below(3);

	p->mailbox = n != 1;
	p->maildir = n != 0;
	p->reader = p->maildir && one_in(2);
}

static void plan_pop3(struct plan *p)
{
	uint64_t n = below(5);

	p->uids = n == 0 ? UIDS_NONE : n <= 2 ? UIDS_DOUBLED : UIDS_GOOD;
	p->after = p->uids == UIDS_NONE || one_in(2) ? AFTER_DELETE : AFTER_KEEP;
	p->wholesale = p->uids == UIDS_GOOD && p->after == AFTER_KEEP && one_in(2);
	p->twins = p->uids == UIDS_GOOD && !p->wholesale && one_in(3);
	p->delete_after_s = p->after == AFTER_KEEP && !p->wholesale && one_in(3) ? 1 + below(3 * 86400) : 0;
	p->pipelining = one_in(2);
	p->use_top = one_in(8);
	p->max_messages = one_in(5) ? 1 + below(5) : 0;
}

static void plan_imap(struct plan *p)
{
	static const enum after afters[] = { AFTER_DELETE, AFTER_KEEP, AFTER_SEEN, AFTER_MOVE };

	p->after = afters[below(COUNT(afters))];
	p->capabilities = (unsigned)below(IMAPD_ALL + 1);
	p->wholesale = one_in(2);
	p->twins = !p->wholesale && p->after != AFTER_MOVE && one_in(3);	/* of copies of twins nobody could say whose they are */
	p->delete_after_s = p->after == AFTER_KEEP && one_in(4) ? 1 + below(3 * 86400) : 0;
	p->max_messages = one_in(5) ? 1 + below(5) : 0;
	world->folder_there = one_in(2);
}

void plan_make(void)
{
	struct plan *p = &world->plan;

	*p = (struct plan){ .protocol = one_in(2) ? PROTOCOL_POP3 : PROTOCOL_IMAP };
	plan_targets(p);
	if (p->protocol == PROTOCOL_POP3)
		plan_pop3(p);
	else
		plan_imap(p);
	p->power = one_in(2);
	p->retries = one_in(3) ? 1 + (uint32_t)below(2) : 0;
	p->visits = 2 + (uint32_t)below(10);
	p->fault_percent = one_in(6) ? 0 : 20 + (uint32_t)below(60);
	p->crash_percent = one_in(6) ? 0 : 20 + (uint32_t)below(75);
	told("plan: %s after=%d mailbox=%d maildir=%d reader=%d uids=%d twins=%d wholesale=%d power=%d max=%u delete_after=%u capabilities=%u",
		p->protocol == PROTOCOL_POP3 ? "pop3" : "imap", (int)p->after,
		p->mailbox, p->maildir, p->reader, (int)p->uids, p->twins, p->wholesale, p->power, (unsigned)p->max_messages,
		(unsigned)p->delete_after_s, p->capabilities);
}

void plan_connection(struct connection *with, const struct target **deliver)
{
	static const uint8_t auth[] = { SASL_USER };
	static const char *inbox[] = { "INBOX" };
	const struct plan *p = &world->plan;
	size_t count = 0;

	if (p->mailbox)
		deliver[count++] = &mailbox;
	if (p->maildir)
		deliver[count++] = &maildir;
	*with = (struct connection){
		.name = "sim", .enabled = true, .protocol = p->protocol, .host = "192.0.2.1", .user = "anna", .port_set = true,
		.port = p->protocol == PROTOCOL_POP3 ? 110 : 143, .mailboxes = { inbox, 1 }, .move_folder = IMAPD_FOLDER,
		.password = { SECRET_LITERAL, "secret" }, .auth = auth, .auth_count = COUNT(auth), .allow_cleartext = true,
		.detect_capa = true, .tls = { .mode = MODE_NONE }, .after = p->after, .max_messages = p->max_messages,
		.use_top = p->use_top, .delete_after_s = p->delete_after_s, .max_retries = p->retries,
		.retry_interval_ms = p->retries ? 5000 : 0, .connect_timeout_ms = 30000, .timeout_ms = 20000,
		.deliver = deliver, .deliver_count = count,
	};
}
