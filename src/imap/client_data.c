/* SPDX-License-Identifier: Apache-2.0
 *
 * Untagged data as it comes: CAPABILITY, LIST, SEARCH, ESEARCH, VANISHED,
 * ENABLED and STATUS.  What nobody asked for is read to its end and forgotten. */
#include <assert.h>

#include "imap/client_internal.h"

static const struct named {
	const char *name;
	unsigned bit;
} capability_names[] = {
	{ "STARTTLS", IMC_CAPA_STARTTLS }, { "LOGINDISABLED", IMC_CAPA_LOGINDISABLED }, { "SASL-IR", IMC_CAPA_SASL_IR },
	{ "ID", IMC_CAPA_ID }, { "LITERAL+", IMC_CAPA_LITERAL }, { "LITERAL-", IMC_CAPA_LITERAL }, { "UIDPLUS", IMC_CAPA_UIDPLUS },
	{ "MOVE", IMC_CAPA_MOVE }, { "ESEARCH", IMC_CAPA_ESEARCH }, { "CONDSTORE", IMC_CAPA_CONDSTORE }, { "QRESYNC", IMC_CAPA_QRESYNC | IMC_CAPA_CONDSTORE },
	{ "ENABLE", IMC_CAPA_ENABLE }, { "COMPRESS=DEFLATE", IMC_CAPA_COMPRESS }, { "UNSELECT", IMC_CAPA_UNSELECT },
	{ "SPECIAL-USE", IMC_CAPA_SPECIAL_USE }, { "IDLE", IMC_CAPA_IDLE }, { "NOTIFY", IMC_CAPA_NOTIFY }, { "X-GM-EXT-1", IMC_CAPA_GMAIL },
}, box_flags[] = {
	{ "\\Noselect", IMC_BOX_NOSELECT }, { "\\NonExistent", IMC_BOX_NOSELECT }, { "\\All", IMC_BOX_ALL }, { "\\AllMail", IMC_BOX_ALL },
	{ "\\Junk", IMC_BOX_JUNK }, { "\\Spam", IMC_BOX_JUNK }, { "\\Trash", IMC_BOX_TRASH }, { "\\Sent", IMC_BOX_SENT },
	{ "\\Drafts", IMC_BOX_DRAFTS }, { "\\Archive", IMC_BOX_ARCHIVE }, { "\\Flagged", IMC_BOX_FLAGGED },
}, message_flags[] = {
	{ "\\Seen", IMC_SEEN }, { "\\Deleted", IMC_DELETED }, { "\\Flagged", IMC_FLAGGED }, { "\\Answered", IMC_ANSWERED },
	{ "\\Draft", IMC_DRAFT }, { "\\Recent", IMC_RECENT },
};

static unsigned bit_of(const struct named *rows, size_t count, struct span word)
{
	for (const struct named *r = rows; r < rows + count; r++)
		if (span_equal_nocase(word, span_of(r->name)))
			return r->bit;
	return 0;
}

unsigned data_message_flag(struct span word)
{
	return bit_of(message_flags, COUNT(message_flags), word);
}

/* ---- CAPABILITY, as data or as a code */

void data_capabilities_begin(struct imc *s)
{
	s->capabilities = IMC_CAPA_ANSWERED;
	s->offered = 0;
	s->told_capabilities = true;
}

void data_capability(struct imc *s, struct span word)
{
	enum sasl_mech mech;

	s->capabilities |= bit_of(capability_names, COUNT(capability_names), word);
	if (span_starts_nocase(word, SPAN("AUTH=")) && sasl_mech_parse(span_from(word, 5), &mech))
		s->offered |= 1u << mech;
}

/* ---- which data */

void data_begin(struct imc *s, const struct token *word)
{
	s->r.at = AT_REST;
	if (token_is(word, "CAPABILITY")) {
		s->r.at = AT_CAPABILITIES;
		data_capabilities_begin(s);
	} else if (token_is(word, "LIST") && client_find(s, VERB_LIST)) {
		s->r.at = AT_LIST_FLAGS;
	} else if (token_is(word, "SEARCH") && client_find(s, VERB_SEARCH)) {
		s->r.at = AT_SEARCH;
	} else if (token_is(word, "ESEARCH") && client_find(s, VERB_SEARCH)) {
		s->r.at = AT_ESEARCH;
	} else if (token_is(word, "VANISHED") && s->phase >= PHASE_READY) {
		s->r.at = AT_VANISHED;
	} else if (token_is(word, "ENABLED") && client_find(s, VERB_ENABLE)) {
		s->r.at = AT_ENABLED;
	} else if (token_is(word, "STATUS") && notify_wants(s)) {
		notify_status_begin(s);
	}
}

/* ---- LIST (flags) delimiter name … */

static void on_list_flag(struct imc *s, const struct token *tok)
{
	if (tok->kind == TOKEN_ATOM)
		s->r.flags |= bit_of(box_flags, COUNT(box_flags), tok->text);
	if (!s->r.depth)	/* the list ends, or is NIL */
		s->r.at = AT_LIST_DELIMITER;
}

/* NIL, or one character in quotes; an empty string is none either. */
static void on_list_delimiter(struct imc *s, const struct token *tok)
{
	if (tok->kind == TOKEN_PIECE && !s->r.delimiter)
		s->r.delimiter = tok->text.at[0];
	else if (tok->kind == TOKEN_ATOM && !token_nil(tok))
		s->r.delimiter = tok->text.at[0];
	if (tok->kind == TOKEN_ATOM || tok->kind == TOKEN_STRING_END)
		s->r.at = AT_LIST_NAME;
}

static void on_list_name(struct imc *s, const struct token *tok)
{
	if (tok->kind == TOKEN_ATOM || tok->kind == TOKEN_PIECE)
		s->r.cut |= !buf_add(&s->name, tok->text);
	if ((tok->kind == TOKEN_ATOM && !tok->more) || tok->kind == TOKEN_STRING_END) {
		s->r.named = true;
		s->r.at = AT_REST;
	}
}

static bool count_found(struct imc *s, struct asked *a, uint64_t more)
{
	if (more <= IMC_LIST_MAX && a->found <= IMC_LIST_MAX - (uint32_t)more) {
		a->found += (uint32_t)more;
		return true;
	}
	client_fail(s, ERR_PEER, "an answer without end (more than 16777216 names or messages)", NOTHING);
	return false;
}

static void on_list_line(struct imc *s, struct imc_event *ev)
{
	struct asked *a = client_find(s, VERB_LIST);

	if (!s->r.named || !a || !count_found(s, a, 1))
		return;
	if (s->r.cut)
		*ev = (struct imc_event){ .what = IMC_WARNING, .verb = IMC_ASK_LIST, .id = a->tag,
			.text = SPAN("a mailbox with a name of more than 1024 octets is passed over") };
	else
		*ev = (struct imc_event){ .what = IMC_MAILBOX, .verb = IMC_ASK_LIST, .id = a->tag, .flags = s->r.flags,
			.delimiter = s->r.delimiter, .text = buf_span(&s->name) };
}

/* ---- SEARCH and ESEARCH */

static void tell_vanished(struct imc *s, struct uid_range range, struct imc_event *ev)
{
	const struct asked *a = s->closing ? NULL : client_selecting(s);
	uint64_t n = (uint64_t)range.last - range.first + 1;
	struct imc_mailbox *m = &s->mailbox;

	if (!s->r.earlier)
		news_expunged(s);
	if (!s->qresync)
		return;
	*ev = (struct imc_event){ .what = IMC_VANISHED, .verb = a ? (enum imc_verb)a->verb : IMC_ASK_NONE, .id = a ? a->tag : 0,
		.uid = range.first, .last = range.last, .earlier = s->r.earlier };
	if (s->r.earlier)
		return;
	n = n < m->exists ? n : m->exists;	/* it may name ids that never were */
	m->expunged = n < UINT32_MAX - m->expunged ? m->expunged + (uint32_t)n : UINT32_MAX;
	m->exists -= (uint32_t)n;
}

/* Some have it, but cannot do it: then it is as if they had not. */
static void disbelieve(struct imc *s, struct imc_event *ev)
{
	s->set = NOTHING;
	if (!s->qresync)
		return;
	s->qresync = false;
	*ev = (struct imc_event){ .what = IMC_WARNING, .text = SPAN("the server's QRESYNC is not to be believed: what VANISHED names is no set of "
		"unique ids (RFC 7162 section 3.2.10)") };
}

static void next_vanished(struct imc *s, struct imc_event *ev)
{
	struct uid_range range;

	if (!uidset_next(&s->set, &range))
		disbelieve(s, ev);
	else if (++s->r.number > IMC_LIST_MAX)
		client_fail(s, ERR_PEER, "a VANISHED without end (more than 16777216 ranges)", NOTHING);
	else
		tell_vanished(s, range, ev);
}

/* (EARLIER) 1:3,5 */
static void on_vanished(struct imc *s, const struct token *tok)
{
	if (tok->kind != TOKEN_ATOM)
		return;
	if (!s->r.depth)
		s->set = tok->text;
	else if (token_is(tok, "EARLIER"))
		s->r.earlier = true;
}

/* The next range of s->set, which lies in the token's memory. */
void data_found(struct imc *s, struct imc_event *ev)
{
	struct asked *a = s->found_by;
	struct uid_range range;

	if (s->r.at == AT_VANISHED) {
		next_vanished(s, ev);
		return;
	}
	if (!uidset_next(&s->set, &range)) {
		client_fail(s, ERR_PEER, "what SEARCH found is no set of unique ids (RFC 3501 section 7.2.5, RFC 4731)", s->set);
		return;
	}
	if (!count_found(s, a, (uint64_t)range.last - range.first + 1))
		return;
	*ev = (struct imc_event){ .what = IMC_FOUND, .verb = IMC_ASK_SEARCH, .id = a->tag, .uid = range.first, .last = range.last };
}

static void begin_found(struct imc *s, const struct token *tok, struct asked *by)
{
	s->found_by = by;
	s->set = by ? tok->text : NOTHING;
}

/* Who it answers: the one it names (RFC 4466 section 2.6.1), or, where it names
 * none, the oldest. */
static struct asked *correlated(struct imc *s)
{
	struct asked *a = s->name.len || s->r.cut ? reply_find_tag(s, buf_span(&s->name)) : client_find(s, VERB_SEARCH);

	return a && a->verb == VERB_SEARCH ? a : NULL;
}

/* The TAG in parentheses, once its key was read. */
static void on_correlator(struct imc *s, const struct token *tok)
{
	if (tok->kind == TOKEN_PIECE || (tok->kind == TOKEN_ATOM && !token_is(tok, "TAG")))
		s->r.cut |= !buf_add(&s->name, tok->text);
}

/* (TAG "P5") UID ALL 1:3 COUNT 3: keys with one value each, but UID. */
static void on_esearch(struct imc *s, const struct token *tok)
{
	enum { KEY, ALL, VALUE };

	if (s->r.depth == 1 && s->r.place == KEY)
		on_correlator(s, tok);
	if (s->r.depth || tok->kind != TOKEN_ATOM)
		return;
	if (s->r.place == ALL)
		begin_found(s, tok, correlated(s));
	if (s->r.place != KEY)
		s->r.place = tok->more ? s->r.place : KEY;
	else if (token_is(tok, "ALL"))
		s->r.place = ALL;
	else if (!token_is(tok, "UID"))
		s->r.place = VALUE;
}

void data_token(struct imc *s, const struct token *tok, struct imc_event *ev)
{
	s->r.depth += tok->kind == TOKEN_OPEN;
	s->r.depth -= tok->kind == TOKEN_CLOSE && s->r.depth;
	if (tok->kind == TOKEN_LINE) {
		bool status = s->r.at == AT_BOX_ITEMS;

		s->r.at = AT_TAG;
		if (status)
			notify_status_line(s, ev);
		else
			on_list_line(s, ev);
		return;
	}
	switch (s->r.at) {
	case AT_CAPABILITIES:
		if (tok->kind == TOKEN_ATOM)
			data_capability(s, tok->text);
		return;
	case AT_LIST_FLAGS:
		on_list_flag(s, tok);
		return;
	case AT_LIST_DELIMITER:
		on_list_delimiter(s, tok);
		return;
	case AT_LIST_NAME:
		on_list_name(s, tok);
		return;
	case AT_SEARCH:
		if (tok->kind == TOKEN_ATOM && !s->r.depth)
			begin_found(s, tok, client_find(s, VERB_SEARCH));
		return;
	case AT_ESEARCH:
		on_esearch(s, tok);
		return;
	case AT_VANISHED:
		on_vanished(s, tok);
		return;
	case AT_ENABLED:
		s->qresync |= token_is(tok, "QRESYNC");
		return;
	case AT_BOX_NAME:
	case AT_BOX_ITEMS:
		notify_status_token(s, tok);
		return;
	case AT_REST:
		return;
	case AT_TAG:
	case AT_WORD:
	case AT_KIND:
	case AT_STATUS:
	case AT_CODE:
	case AT_CODE_ARGS:
	case AT_FETCH:
		break;
	}
	assert(0);
}
