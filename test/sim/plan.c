/* SPDX-License-Identifier: Apache-2.0
 * What a seed makes of its run, and the connection's settings that follow. */
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
	uint64_t n = below(6);

	p->uids = n == 0 ? UIDS_NONE : n == 1 ? UIDS_DOUBLED : UIDS_GOOD;
	p->after = p->uids == UIDS_NONE || one_in(2) ? AFTER_DELETE : AFTER_KEEP;
	p->wholesale = p->uids == UIDS_GOOD && p->after == AFTER_KEEP && one_in(3);
	p->twins = p->uids == UIDS_GOOD && !p->wholesale && one_in(3);
	p->delete_after_s = p->after == AFTER_KEEP && !p->wholesale && one_in(4) ? 1 + below(3 * 86400) : 0;
	p->pipelining = one_in(2);
	p->use_top = one_in(8);
	p->max_messages = one_in(5) ? 1 + below(5) : 0;
}

void plan_make(void)
{
	struct plan *p = &world->plan;

	*p = (struct plan){ .protocol = PROTOCOL_POP3 };
	plan_targets(p);
	plan_pop3(p);
	p->power = one_in(2);
	p->retries = one_in(4) ? 1 + (uint32_t)below(2) : 0;
	p->visits = 2 + (uint32_t)below(10);
	p->fault_percent = one_in(6) ? 0 : 20 + (uint32_t)below(60);
	p->crash_percent = one_in(6) ? 0 : 20 + (uint32_t)below(75);
	told("plan: after=%d mailbox=%d maildir=%d reader=%d uids=%d twins=%d wholesale=%d power=%d max=%u delete_after=%u", (int)p->after,
		p->mailbox, p->maildir, p->reader, (int)p->uids, p->twins, p->wholesale, p->power, (unsigned)p->max_messages,
		(unsigned)p->delete_after_s);
}

void plan_connection(struct connection *with, const struct target **deliver)
{
	static const uint8_t auth[] = { SASL_USER };
	const struct plan *p = &world->plan;
	size_t count = 0;

	if (p->mailbox)
		deliver[count++] = &mailbox;
	if (p->maildir)
		deliver[count++] = &maildir;
	*with = (struct connection){
		.name = "sim", .enabled = true, .protocol = p->protocol, .host = "192.0.2.1", .user = "anna", .port = 110, .port_set = true,
		.password = { SECRET_LITERAL, "secret" }, .auth = auth, .auth_count = COUNT(auth), .allow_cleartext = true,
		.detect_capa = true, .tls = { .mode = MODE_NONE }, .after = p->after, .max_messages = p->max_messages,
		.use_top = p->use_top, .delete_after_s = p->delete_after_s, .max_retries = p->retries,
		.retry_interval_ms = p->retries ? 5000 : 0, .connect_timeout_ms = 30000, .timeout_ms = 20000,
		.deliver = deliver, .deliver_count = count,
	};
}
