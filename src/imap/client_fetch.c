/* SPDX-License-Identifier: Apache-2.0
 *
 * FETCH as it comes: items in any order, known and unknown, asked and unasked;
 * and which of the messages that we asked for a body belongs to.
 *
 * A body is told while it is read, but whole only at the end of its response:
 * a literal that is counted wrongly breaks what follows it. */
#include <assert.h>

#include "imap/client_internal.h"

void fetch_begin(struct imc *s)
{
	s->f = (struct fetched){ 0 };
}

/* ---- whose body */

static uint32_t all_of(const struct asked *a)
{
	return (uint32_t)(((uint64_t)1 << a->count) - 1);
}

/* In one command: the first that is not told, and `uid` if that is not 0; how many there are without it. */
static unsigned find_in(struct imc *s, struct asked *a, uint32_t uid)
{
	unsigned found = 0;

	if (!a->tag || (a->verb != VERB_FETCH && a->verb != VERB_HEAD))
		return 0;
	for (unsigned i = 0; i < a->count; i++) {
		if (a->told >> i & 1 || (uid && a->uids[i] != uid))
			continue;
		s->f.asked = a;
		s->f.slot = i;
		found++;
		if (uid)
			break;
	}
	return found;
}

/* Finds `uid` among what is asked and not told; 0: the only one, if there is
 * only one.  Servers answer in order: it is looked for where the last one was. */
static bool find_message(struct imc *s, uint32_t uid)
{
	unsigned found = 0;

	if (uid && find_in(s, &s->asked[s->told_last], uid))
		return true;
	for (struct asked *a = s->asked; a < s->asked + IMC_WINDOW; a++) {
		found += find_in(s, a, uid);
		if (uid && found)
			break;
	}
	if (found != 1)
		return false;
	s->told_last = (uint32_t)(s->f.asked - s->asked);
	return true;
}

static void to_be_asked_again(struct imc *s)
{
	s->one_by_one = true;
	for (struct asked *a = s->asked; a < s->asked + IMC_WINDOW; a++)
		if (a->tag && (a->verb == VERB_FETCH || a->verb == VERB_HEAD))
			a->again |= all_of(a) & ~a->told;
}

static void tell_begin(struct imc *s, struct imc_event *ev)
{
	s->f.begun = true;
	*ev = (struct imc_event){ .what = IMC_BEGIN, .verb = (enum imc_verb)s->f.asked->verb, .id = s->f.asked->tag, .uid = s->f.body_uid };
}

static void body_begins(struct imc *s, struct imc_event *ev)
{
	if (s->f.body_seen)
		return;
	s->f.body_seen = true;
	if (!find_message(s, s->f.uid)) {
		s->f.asked = NULL;
		if (!s->f.uid)
			to_be_asked_again(s);
		return;
	}
	s->f.telling = true;
	s->f.body_uid = s->f.asked->uids[s->f.slot];
	if (s->f.asked->verb == VERB_HEAD)
		tell_begin(s, ev);
}

static void body_piece(struct imc *s, struct span piece, struct imc_event *ev)
{
	s->piece = piece;
	if (!s->f.begun)
		tell_begin(s, ev);
}

/* ---- items */

static enum item item_of(const struct token *name)
{
	static const struct { const char *name; enum item item; } items[] = {
		{ "UID", ITEM_UID }, { "FLAGS", ITEM_FLAGS }, { "RFC822.SIZE", ITEM_SIZE }, { "X-GM-MSGID", ITEM_GMAIL }, { "BODY[]", ITEM_BODY },
		{ "BODY[HEADER]", ITEM_HEAD },
	};

	for (size_t i = 0; i < COUNT(items); i++)
		if (token_is(name, items[i].name))
			return items[i].item;
	return ITEM_OTHER;
}

/* A value that is one word; sizes are hints, ids are not. */
static void on_value(struct imc *s, const struct token *tok)
{
	uint64_t n = 0;

	switch (s->f.item) {
	case ITEM_UID:
		if (!token_number(tok, UINT32_MAX, &n) || !n)
			client_fail(s, ERR_PEER, "a UID that is no number from 1 to 4294967295 (RFC 3501 section 2.3.1.1)", tok->text);
		else if (s->f.uid && s->f.uid != n)
			client_fail(s, ERR_PEER, "one message with two UIDs (RFC 3501 section 7.4.2)", tok->text);
		s->f.uid = (uint32_t)n;
		return;
	case ITEM_SIZE:
		s->f.has_size = token_number(tok, INT64_MAX, &s->f.size);
		return;
	case ITEM_GMAIL:
		if (!token_number(tok, UINT64_MAX, &s->f.gmail_id))
			s->f.gmail_id = 0;
		return;
	case ITEM_BODY:		/* NIL: not told */
	case ITEM_HEAD:
	case ITEM_FLAGS:
	case ITEM_NONE:
	case ITEM_OTHER:
		return;
	}
}

static void on_item(struct imc *s, const struct token *tok)
{
	if (s->f.item == ITEM_NONE) {
		s->f.item = item_of(tok);
		s->f.has_flags |= s->f.item == ITEM_FLAGS;
	} else if (!tok->more) {
		on_value(s, tok);
		s->f.item = ITEM_NONE;
	}
}

static void on_list(struct imc *s, bool open)
{
	s->r.depth += open;
	s->r.depth -= !open && s->r.depth;
	if (!open && s->r.depth == 1)
		s->f.item = ITEM_NONE;
}

static void on_string(struct imc *s, const struct token *tok, struct imc_event *ev)
{
	if (s->r.depth != 1)
		return;
	if (tok->kind == TOKEN_STRING && s->f.item == (client_find(s, VERB_HEAD) ? ITEM_HEAD : ITEM_BODY)) {
		body_begins(s, ev);
	} else if (tok->kind == TOKEN_PIECE && s->f.telling) {
		body_piece(s, tok->text, ev);
	} else if (tok->kind == TOKEN_STRING_END) {
		s->f.item = ITEM_NONE;
		s->f.telling = false;
	}
}

void fetch_token(struct imc *s, const struct token *tok, struct imc_event *ev)
{
	switch (tok->kind) {
	case TOKEN_ATOM:
		if (s->r.depth == 1)
			on_item(s, tok);
		else if (s->r.depth == 2 && s->f.item == ITEM_FLAGS)
			s->f.flags |= data_message_flag(tok->text);
		return;
	case TOKEN_OPEN:
	case TOKEN_CLOSE:
		on_list(s, tok->kind == TOKEN_OPEN);
		return;
	case TOKEN_STRING:
	case TOKEN_PIECE:
	case TOKEN_STRING_END:
		on_string(s, tok, ev);
		return;
	case TOKEN_LINE:
		s->r.at = AT_TAG;
		fetch_line(s, ev);
		return;
	case TOKEN_MORE:
	case TOKEN_CODE:
	case TOKEN_CODE_END:
	case TOKEN_TEXT:
	case TOKEN_BAD:
		break;
	}
	assert(0);
}

/* ---- the end of the response */

static void body_ends(struct imc *s, struct imc_event *ev)
{
	struct asked *a = s->f.asked;

	if (s->f.uid && s->f.uid != s->f.body_uid) {
		client_fail(s, ERR_PEER, "a message came that nobody asked for, in place of one that was", NOTHING);
		return;
	}
	if (!s->f.begun) {
		a->empty |= 1u << s->f.slot;
		return;
	}
	a->told |= 1u << s->f.slot;
	*ev = (struct imc_event){ .what = IMC_END, .verb = (enum imc_verb)a->verb, .id = a->tag, .uid = s->f.body_uid, .flags = s->f.flags,
		.has_flags = s->f.has_flags };
}

void fetch_line(struct imc *s, struct imc_event *ev)
{
	struct asked *a;

	if (s->f.asked) {
		body_ends(s, ev);
		return;
	}
	if (s->f.has_flags)
		news_flags(s);
	if (s->phase < PHASE_READY || !s->f.uid || !(s->f.has_flags || s->f.has_size || s->f.gmail_id))
		return;
	a = s->closing ? NULL : client_selecting(s);
	if (!a)
		a = client_find(s, VERB_LISTING);
	if (a && ++a->found > IMC_LIST_MAX) {
		client_fail(s, ERR_PEER, "a listing without end (more than 16777216 messages)", NOTHING);
		return;
	}
	*ev = (struct imc_event){ .what = IMC_MESSAGE, .verb = a ? (enum imc_verb)a->verb : IMC_ASK_NONE, .id = a ? a->tag : 0,
		.uid = s->f.uid, .size = s->f.size, .gmail_id = s->f.gmail_id, .flags = s->f.flags, .has_flags = s->f.has_flags, .has_size = s->f.has_size };
}
