/* SPDX-License-Identifier: Apache-2.0
 * What a seed makes of its run, and the connection's settings that follow. */
#include <stdio.h>

#include "imapd.h"
#include "sasl/client.h"
#include "sim.h"
#include "store/ledger.h"

const char *const plan_names[AIMS] = { "mailbox", "Maildir", "program", "server" };

const char *const plan_recipients_are[RECIPIENTS] = { "r0@sim.example", "r1@sim.example", "r2@sim.example" };

static const struct target targets[AIMS] = {
	{ .name = "mailbox", .type = TARGET_MAILBOX, .canonical = "mailbox:anna/INBOX", .mailbox = "anna/INBOX" },
	{ .name = "Maildir", .type = TARGET_MAILDIR, .canonical = "maildir:/sim", .path = "/sim" },
	{ .name = "program", .type = TARGET_COMMAND, .canonical = "command:/sim" },
	{ .name = "server", .type = TARGET_SMTP, .canonical = "smtp://192.0.2.2:25" },
};

enum aim plan_aim(const char *target)
{
	for (int n = 0; n < AIMS; n++)
		if (strcmp(targets[n].name, target) == 0)
			return (enum aim)n;
	violation("there is no target %s", target);
}

uint32_t plan_recipient(const char *address)
{
	for (uint32_t n = 0; n < RECIPIENTS; n++)
		if (strcmp(plan_recipients_are[n], address) == 0)
			return n;
	violation("nobody is called %s", address);
}

uint64_t plan_tag(enum aim aim)
{
	char text[128];

	if (aim < AIM_PROGRAM)
		return ledger_target_tag(targets[aim].canonical);
	(void)snprintf(text, sizeof text, "%s %s", targets[aim].canonical, targets[aim].name);
	return ledger_target_tag(text);
}

uint32_t plan_recipients(enum aim aim)
{
	return aim == AIM_SERVER ? world->plan.recipients : 1;
}

static void plan_targets(struct plan *p)
{
	uint64_t n = below(3);

	p->aims[AIM_MAILBOX] = n != 1;
	p->aims[AIM_MAILDIR] = n != 0;
	p->reader = p->aims[AIM_MAILDIR] && one_in(2);
}

/* One to three targets, one of them a server or a program. */
static void plan_handed(struct plan *p)
{
	static const enum on_refused ways[] = { REFUSED_QUARANTINE, REFUSED_KEEP, REFUSED_DELETE };
	uint64_t n = below(5);

	p->handed = true;
	p->aims[AIM_MAILBOX] = n == 0 || n == 3;
	p->aims[AIM_MAILDIR] = n == 1 || n == 3;
	p->reader = p->aims[AIM_MAILDIR] && one_in(2);
	n = below(p->aims[AIM_MAILBOX] && p->aims[AIM_MAILDIR] ? 2 : 3);
	p->aims[AIM_PROGRAM] = n != 0;
	p->aims[AIM_SERVER] = n != 1;
	p->on_refused = ways[below(COUNT(ways))];
	p->held_max = one_in(4) ? 1 + log_below(20000) : 0;
	p->quota = p->aims[AIM_MAILBOX] && one_in(3) ? 1 + log_below(20000) : 0;
	p->envelope = one_in(4);
	n = below(3);
	p->drops = n == 1;
	p->leaves = n == 2;
	p->lost_percent = one_in(2) ? 10 + (uint32_t)below(30) : 0;
	p->recipients = 1 + (uint32_t)below(RECIPIENTS);
	p->parallel = 1 + (uint32_t)log_below(8);
	p->refuse_percent = one_in(2) ? 0 : 5 + (uint32_t)below(40);
	p->moody_percent = one_in(6) ? 0 : 10 + (uint32_t)below(80);
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

/* An instance for some hours, at a server that can IDLE; most do it well. */
static void plan_watched(struct plan *p)
{
	p->watched = true;
	p->protocol = PROTOCOL_IMAP;
	plan_targets(p);
	plan_imap(p);
	p->capabilities |= IMAPD_IDLE;
	p->idle = one_in(8) ? (enum idle_way)below(IDLE_WAYS) : IDLE_GOES_ON;
	p->jumps = one_in(2);
	p->reader = p->reader && !p->jumps;	/* an intent that is older than a day is PRODUCT's exception */
	p->twins = false;			/* which of them is missing could not be said */
	p->max_messages = 0;			/* what comes above that waits for the next visit */
}

void plan_make(void)
{
	struct plan *p = &world->plan;

	*p = (struct plan){ .protocol = one_in(2) ? PROTOCOL_POP3 : PROTOCOL_IMAP };
	if (world->seed < HANDED_FROM)
		plan_targets(p);
	else if (world->seed < WATCHED_FROM)
		plan_handed(p);
	else
		plan_watched(p);
	if (p->protocol == PROTOCOL_POP3)
		plan_pop3(p);
	else if (!p->watched)
		plan_imap(p);
	p->power = one_in(2);
	p->retries = one_in(3) ? 1 + (uint32_t)below(2) : 0;
	p->visits = p->watched ? 1 + (uint32_t)below(3) : 2 + (uint32_t)below(10);
	p->fault_percent = one_in(6) ? 0 : 20 + (uint32_t)below(60);
	p->crash_percent = one_in(6) ? 0 : 20 + (uint32_t)below(75);
	told("plan: %s after=%d mailbox=%d maildir=%d reader=%d uids=%d twins=%d wholesale=%d power=%d max=%u delete_after=%u capabilities=%u",
		p->protocol == PROTOCOL_POP3 ? "pop3" : "imap", (int)p->after,
		p->aims[AIM_MAILBOX], p->aims[AIM_MAILDIR], p->reader, (int)p->uids, p->twins, p->wholesale, p->power, (unsigned)p->max_messages,
		(unsigned)p->delete_after_s, p->capabilities);
	if (p->watched)
		told("plan: watched idle=%d jumps=%d", (int)p->idle, p->jumps);
	if (p->handed)
		told("plan: program=%d server=%d recipients=%u parallel=%u on_refused=%d held_max=%u quota=%u envelope=%d refuse=%u moody=%u "
			"lost=%u drops=%d leaves=%d",
			p->aims[AIM_PROGRAM], p->aims[AIM_SERVER], p->recipients, p->parallel, (int)p->on_refused, (unsigned)p->held_max,
			(unsigned)p->quota, p->envelope, p->refuse_percent, p->moody_percent, p->lost_percent,
			p->drops, p->leaves);
}

void plan_connection(struct connection *with, const struct target *deliver[AIMS])
{
	static const uint8_t auth[] = { SASL_USER };
	static const char *inbox[] = { "INBOX" };
	static struct target server;
	const struct plan *p = &world->plan;
	static const char *const fields[] = { PLAN_FIELD };
	const struct envelope_keys envelope = { .rules = { .recipients = { plan_recipients_are, p->recipients } } }, catch_all = { .rules = {
		.headers = { fields, 1 }, .no_recipient = p->drops ? ENVELOPE_DELETE : p->leaves ? ENVELOPE_HOLD : ENVELOPE_QUARANTINE } };
	size_t count = 0;

	server = targets[AIM_SERVER];
	server.has_envelope = !p->envelope;
	server.envelope = envelope;
	for (int n = 0; n < AIMS; n++)
		if (p->aims[n])
			deliver[count++] = n == AIM_SERVER ? &server : &targets[n];
	*with = (struct connection){
		.name = "sim", .enabled = true, .protocol = p->protocol, .host = "192.0.2.1", .user = "anna", .port_set = true,
		.port = p->protocol == PROTOCOL_POP3 ? 110 : 143, .mailboxes = { inbox, 1 }, .move_folder = IMAPD_FOLDER,
		.password = { SECRET_LITERAL, "secret" }, .auth = auth, .auth_count = COUNT(auth), .allow_cleartext = true,
		.detect_capa = true, .tls = { .mode = MODE_NONE }, .after = p->after, .idle = p->watched, .max_messages = p->max_messages,
		.use_top = p->use_top, .delete_after_s = p->delete_after_s, .max_retries = p->retries,
		.retry_interval_ms = p->retries ? 5000 : 0, .connect_timeout_ms = 30000, .timeout_ms = 20000,
		.deliver = deliver, .deliver_count = count,
		.on_refused = p->on_refused, .held_max = p->held_max, .postmaster = "postmaster", .has_envelope = p->handed && p->envelope,
		.envelope = catch_all,
	};
}
