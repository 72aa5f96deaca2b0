/* SPDX-License-Identifier: Apache-2.0
 *
 * The caller's commands, and the events that answer each. */
#include <assert.h>
#include <stdio.h>

#include "imap/client_internal.h"

enum { COMMAND_ROOM = 4096 };	/* the longest: two names in quotes, or a set and one */

/* ---- asking */

size_t imc_outstanding(const struct imc *s)
{
	size_t n = 0;

	for (const struct asked *a = s->asked; a < s->asked + IMC_WINDOW; a++)
		n += a->tag && a->verb <= VERB_LOGOUT;
	return n;
}

bool imc_can_ask(const struct imc *s)
{
	return s->phase == PHASE_READY && !s->failed && !s->idle && s->count < (s->lockstep ? 1 : IMC_WINDOW) &&
		s->out.max - (s->out.len - s->out_sent) >= COMMAND_ROOM;
}

size_t imc_room(const struct imc *s)
{
	if (!imc_can_ask(s))
		return 0;
	if (!s->one_by_one)
		return IMC_FETCH_MAX;
	for (const struct asked *a = s->asked; a < s->asked + IMC_WINDOW; a++)
		if (a->tag && (a->verb == VERB_FETCH || a->verb == VERB_HEAD))
			return 0;
	return 1;
}

/* CR, LF and NUL would be commands of somebody else's; refused once, here. */
static bool sendable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < ' ' || text.at[i] > '~')
			return false;
	return text.len > 0;
}

static bool is_set(struct span set)
{
	for (size_t i = 0; i < set.len; i++)
		if ((set.at[i] < '0' || set.at[i] > '9') && set.at[i] != ':' && set.at[i] != ',' && set.at[i] != '*')
			return false;
	return set.len > 0 && set.len <= UIDSET_TEXT_MAX;
}

static struct asked *begin(struct imc *s, enum verb verb)
{
	struct asked *a;

	assert(imc_can_ask(s));
	a = client_begin(s, verb);
	client_say(s, span_of(client_verb(verb)));
	client_say(s, SPAN(" "));
	return a;
}

static void say_mailbox(struct imc *s, struct span name)
{
	assert(sendable(name) && name.len <= IMC_NAME_MAX);
	client_say_quoted(s, name);
}

static uint32_t end(struct imc *s, const struct asked *a)
{
	client_say(s, SPAN("\r\n"));
	return a->tag;
}

uint32_t imc_list(struct imc *s, struct span pattern)
{
	struct asked *a = begin(s, VERB_LIST);

	client_say(s, SPAN("\"\" "));
	say_mailbox(s, pattern);
	return end(s, a);
}

/* Begins to select; a mailbox that is open goes on to be told of until the
 * server says CLOSED, which those with QRESYNC do. */
static struct asked *open_mailbox(struct imc *s, enum verb verb, struct span mailbox)
{
	struct asked *a;

	assert(!imc_outstanding(s));
	a = begin(s, verb);
	s->mailbox = (struct imc_mailbox){ 0 };
	s->recent = 0;
	s->closing = s->open && s->qresync;
	s->open = false;
	s->reselect = NOTHING;
	say_mailbox(s, mailbox);
	return a;
}

uint32_t imc_select(struct imc *s, struct span mailbox)
{
	return end(s, open_mailbox(s, VERB_SELECT, mailbox));
}

uint32_t imc_examine(struct imc *s, struct span mailbox)
{
	return end(s, open_mailbox(s, VERB_EXAMINE, mailbox));
}

static void say_since(struct imc *s, uint32_t validity, uint64_t modseq)
{
	char text[64];
	int n = snprintf(text, sizeof text, " (QRESYNC (%u %llu))", validity, (unsigned long long)modseq);

	assert(n > 0 && (size_t)n < sizeof text);
	client_say(s, (struct span){ text, (size_t)n });
}

/* While ENABLE is unanswered we count on it; the name is kept in case it is
 * refused, and this with it. */
uint32_t imc_select_since(struct imc *s, struct span mailbox, bool examine, uint32_t validity, uint64_t modseq)
{
	struct asked *a = open_mailbox(s, examine ? VERB_EXAMINE : VERB_SELECT, mailbox);
	bool hoped = client_find(s, VERB_ENABLE), known = validity && modseq;

	assert(modseq <= INT64_MAX);
	if ((s->qresync || hoped) && known)
		say_since(s, validity, modseq);
	else if (s->capabilities & IMC_CAPA_CONDSTORE)
		client_say(s, SPAN(" (CONDSTORE)"));
	if (hoped && known) {
		memcpy(s->reselect_memory, mailbox.at, mailbox.len);
		s->reselect = (struct span){ s->reselect_memory, mailbox.len };
	}
	return end(s, a);
}

uint32_t imc_search(struct imc *s, struct span criteria)
{
	struct asked *a = begin(s, VERB_SEARCH);

	assert(sendable(criteria) && criteria.len <= IMC_CRITERIA_MAX);
	if (s->capabilities & IMC_CAPA_ESEARCH)
		client_say(s, SPAN("RETURN (ALL) "));
	client_say(s, criteria);
	return end(s, a);
}

static struct asked *begin_set(struct imc *s, enum verb verb, struct span set)
{
	struct asked *a = begin(s, verb);

	assert(is_set(set));
	client_say(s, set);
	return a;
}

uint32_t imc_listing(struct imc *s, struct span set, unsigned want)
{
	struct asked *a = begin_set(s, VERB_LISTING, set);

	assert(want);
	client_say(s, SPAN(" (UID"));
	if (want & IMC_WANT_FLAGS)
		client_say(s, SPAN(" FLAGS"));
	if (want & IMC_WANT_SIZE)
		client_say(s, SPAN(" RFC822.SIZE"));
	if (want & IMC_WANT_GMAIL)
		client_say(s, SPAN(" X-GM-MSGID"));
	client_say(s, SPAN(")"));
	return end(s, a);
}

static uint32_t fetch(struct imc *s, enum verb verb, const uint32_t *uids, size_t count)
{
	char memory[UIDSET_TEXT_MAX];
	struct uidset set;
	struct asked *a;

	assert(count && count <= imc_room(s));
	uidset_start(&set, memory, sizeof memory);
	for (size_t i = 0; i < count; i++) {
		bool fits = uidset_add(&set, uids[i]);

		assert(fits);
	}
	a = begin_set(s, verb, uidset_text(&set));
	a->count = (uint8_t)count;
	memcpy(a->uids, uids, count * sizeof *uids);
	client_say(s, verb == VERB_HEAD ? SPAN(" (UID BODY.PEEK[HEADER])") : SPAN(" (UID BODY.PEEK[])"));
	return end(s, a);
}

uint32_t imc_fetch(struct imc *s, const uint32_t *uids, size_t count)
{
	assert(!client_find(s, VERB_HEAD));
	return fetch(s, VERB_FETCH, uids, count);
}

uint32_t imc_fetch_head(struct imc *s, const uint32_t *uids, size_t count)
{
	assert(!client_find(s, VERB_FETCH));
	return fetch(s, VERB_HEAD, uids, count);
}

/* +FLAGS: the others stay; .SILENT: nobody needs the answer's data, but for the
 * flag that is a message's whole disposition: the server is to show it. */
uint32_t imc_store(struct imc *s, struct span set, unsigned flags)
{
	static const struct { unsigned bit; const char *name; } names[] = {
		{ IMC_SEEN, "\\Seen" }, { IMC_DELETED, "\\Deleted" }, { IMC_FLAGGED, "\\Flagged" },
	};
	struct asked *a = begin_set(s, VERB_STORE, set);
	const char *between = flags == IMC_SEEN ? " +FLAGS (" : " +FLAGS.SILENT (";

	assert(flags && !(flags & ~(unsigned)(IMC_SEEN | IMC_DELETED | IMC_FLAGGED)));
	for (size_t i = 0; i < COUNT(names); i++) {
		if (!(flags & names[i].bit))
			continue;
		client_say(s, span_of(between));
		client_say(s, span_of(names[i].name));
		between = " ";
	}
	client_say(s, SPAN(")"));
	return end(s, a);
}

uint32_t imc_expunge(struct imc *s, struct span set)
{
	struct asked *a;

	assert(imc_can_ask(s) && is_set(set));
	a = client_begin(s, VERB_EXPUNGE);
	if (s->capabilities & IMC_CAPA_UIDPLUS) {
		client_say(s, SPAN("UID EXPUNGE "));
		client_say(s, set);
	} else {
		client_say(s, SPAN("EXPUNGE"));
		s->warn = a->tag;
	}
	return end(s, a);
}

static uint32_t transfer(struct imc *s, enum verb verb, struct span set, struct span mailbox)
{
	struct asked *a = begin_set(s, verb, set);

	client_say(s, SPAN(" "));
	say_mailbox(s, mailbox);
	return end(s, a);
}

uint32_t imc_copy(struct imc *s, struct span set, struct span mailbox)
{
	return transfer(s, VERB_COPY, set, mailbox);
}

uint32_t imc_move(struct imc *s, struct span set, struct span mailbox)
{
	assert(s->capabilities & IMC_CAPA_MOVE);
	return transfer(s, VERB_MOVE, set, mailbox);
}

static uint32_t simple(struct imc *s, enum verb verb)
{
	assert(imc_can_ask(s));
	client_command(s, verb, NOTHING);
	return s->tag;
}

uint32_t imc_create(struct imc *s, struct span mailbox)
{
	struct asked *a = begin(s, VERB_CREATE);

	say_mailbox(s, mailbox);
	return end(s, a);
}

uint32_t imc_close(struct imc *s)
{
	assert((s->capabilities & IMC_CAPA_UNSELECT) && !imc_outstanding(s));
	return simple(s, VERB_CLOSE);
}

uint32_t imc_noop(struct imc *s)
{
	return simple(s, VERB_NOOP);
}

uint32_t imc_logout(struct imc *s)
{
	uint32_t id = simple(s, VERB_LOGOUT);

	s->phase = PHASE_LOGOUT;
	return id;
}

/* ---- answers */

void ask_bye(struct imc *s, struct imc_event *ev, bool good)
{
	*ev = (struct imc_event){ .what = IMC_BYE, .verb = IMC_ASK_LOGOUT, .good = good, .text = buf_span(&s->text) };
	s->phase = PHASE_OVER;
}

/* MOVE tells it untagged, before its messages vanish (RFC 6851 section 4.3). */
void ask_copied(struct imc *s, struct imc_event *ev)
{
	struct asked *a = s->r.who == WHO_TAGGED ? s->r.asked : client_find(s, VERB_MOVE);

	if (!a)
		a = client_find(s, VERB_COPY);
	if (!a || (a->verb != VERB_COPY && a->verb != VERB_MOVE) || s->r.status != STATUS_OK)
		return;
	*ev = (struct imc_event){ .what = IMC_COPIED, .verb = (enum imc_verb)a->verb, .id = a->tag, .last = s->r.validity,
		.text = buf_span(&s->from), .to = buf_span(&s->to) };
}

static void tell_end(struct imc *s, const struct asked *a, uint32_t uid, struct imc_event *ev)
{
	bool done = s->r.status == STATUS_OK && !uid;

	*ev = (struct imc_event){ .what = done ? IMC_DONE : IMC_REFUSED, .verb = (enum imc_verb)a->verb, .id = a->tag, .uid = uid };
	if (done)
		return;
	ev->text = buf_span(&s->text);
	ev->kind = reply_kind(s);
	ev->code = reply_code(s);
}

/* One message a turn that was asked for and not told; then the command's end. */
void ask_ending(struct imc *s, struct imc_event *ev)
{
	struct asked *a = s->ending;

	for (unsigned i = 0; i < a->count; i++) {
		if (a->told >> i & 1)
			continue;
		a->told |= 1u << i;
		tell_end(s, a, a->uids[i], ev);
		ev->empty = a->empty >> i & 1;
		ev->again = a->again >> i & 1;
		return;
	}
	tell_end(s, a, 0, ev);
	s->ending = NULL;
	client_pop(s, a);
}

static void select_ends(struct imc *s, bool open)
{
	s->open = open;
	s->closing = false;
	s->reselect = NOTHING;
	if (!open)
		s->mailbox = (struct imc_mailbox){ 0 };
}

/* Refused with QRESYNC behind an ENABLE that was refused: once more without,
 * under the same tag, which is the caller's id. */
static bool select_again(struct imc *s, const struct asked *a)
{
	char tag[TAG_MAX + 2];
	int n;

	if (s->r.status == STATUS_OK || !s->reselect.len || s->qresync || client_find(s, VERB_ENABLE))
		return false;
	n = snprintf(tag, sizeof tag, "P%u ", a->tag);
	assert(n > 0 && (size_t)n < sizeof tag);
	client_say(s, (struct span){ tag, (size_t)n });
	client_say(s, span_of(client_verb(a->verb)));
	client_say(s, SPAN(" "));
	client_say_quoted(s, s->reselect);
	client_say(s, SPAN("\r\n"));
	s->reselect = NOTHING;
	s->mailbox = (struct imc_mailbox){ 0 };
	return true;
}

void ask_answered(struct imc *s, struct asked *a, struct imc_event *ev)
{
	if (a->verb == VERB_LOGOUT) {
		ask_bye(s, ev, s->bye || s->r.status == STATUS_OK || s->r.status == STATUS_BYE);
		return;
	}
	if (s->r.status == STATUS_BYE || s->r.status == STATUS_PREAUTH) {
		client_fail(s, ERR_NET, "the server ended the session", buf_span(&s->text));
		return;
	}
	if (a->verb == VERB_SELECT || a->verb == VERB_EXAMINE) {
		if (select_again(s, a))
			return;
		select_ends(s, s->r.status == STATUS_OK);
	} else if (a->verb == VERB_CLOSE && s->r.status == STATUS_OK) {
		select_ends(s, false);
	} else if (a->verb == VERB_IDLE) {
		idle_answered(s);
	} else if (a->verb == VERB_NOTIFY) {
		notify_answered(s, a);
	}
	s->ending = a;
}
