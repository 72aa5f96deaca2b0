/* SPDX-License-Identifier: Apache-2.0
 *
 * NOTIFY (RFC 5465): which mailboxes we want to be told of, and what STATUS
 * then tells of those that are not selected. */
#include <assert.h>

#include "imap/client_internal.h"

enum { NOTIFY_NONE, NOTIFY_SET };	/* of an asked NOTIFY, in `told` */

/* ---- asking */

static bool names_fit(const struct span *names, size_t count, size_t *text)
{
	for (size_t i = 0; i < count; i++) {
		*text += names[i].len + 3;
		for (size_t n = 0; n < names[i].len; n++)
			*text += names[i].at[n] == '"' || names[i].at[n] == '\\';
		if (!names[i].len || names[i].len > IMC_NAME_MAX)
			return false;
	}
	return true;
}

bool imc_watch_fits(const struct imc_watch *w)
{
	size_t text = 0;

	if (w->name_count > IMC_WATCH_MAX || w->tree_count > IMC_WATCH_MAX - w->name_count)
		return false;
	return names_fit(w->names, w->name_count, &text) && names_fit(w->trees, w->tree_count, &text) && text <= IMC_WATCH_TEXT_MAX;
}

static void say_names(struct imc *s, const char *which, const struct span *names, size_t count)
{
	if (!count)
		return;
	client_say(s, SPAN(" ("));
	client_say(s, span_of(which));
	for (size_t i = 0; i < count; i++) {
		client_say(s, i ? SPAN(" ") : SPAN(" ("));
		client_say_quoted(s, names[i]);
	}
	client_say(s, SPAN(") (MessageNew MessageExpunge))"));
}

static struct asked *begin(struct imc *s)
{
	struct asked *a;

	assert(imc_can_ask(s) && !imc_outstanding(s) && (s->capabilities & IMC_CAPA_NOTIFY));
	a = client_begin(s, VERB_NOTIFY);
	client_say(s, SPAN("NOTIFY "));
	return a;
}

/* Each group needs MessageNew and MessageExpunge, or it is BAD (section 5).  A
 * selected mailbox without a group is told nothing of; delayed, as we say `*`
 * in sets (section 6.1). */
uint32_t imc_notify(struct imc *s, const struct imc_watch *w)
{
	struct asked *a = begin(s);

	assert(imc_watch_fits(w) && (w->selected || w->personal || w->name_count || w->tree_count));
	a->told = NOTIFY_SET;
	client_say(s, w->status ? SPAN("SET STATUS") : SPAN("SET"));
	if (w->selected)
		client_say(s, w->flags ? SPAN(" (selected-delayed (MessageNew MessageExpunge FlagChange))") :
			SPAN(" (selected-delayed (MessageNew MessageExpunge))"));
	if (w->personal)
		client_say(s, SPAN(" (personal (MessageNew MessageExpunge))"));
	say_names(s, "subtree", w->trees, w->tree_count);
	say_names(s, "mailboxes", w->names, w->name_count);
	client_say(s, SPAN("\r\n"));
	return a->tag;
}

uint32_t imc_notify_none(struct imc *s)
{
	struct asked *a = begin(s);

	a->told = NOTIFY_NONE;
	client_say(s, SPAN("NONE\r\n"));
	return a->tag;
}

/* ---- answers */

void notify_answered(struct imc *s, const struct asked *a)
{
	if (s->r.status == STATUS_OK)
		s->notifying = a->told == NOTIFY_SET && s->r.code != CODE_OVERFLOW;
}

void notify_overflow(struct imc *s)
{
	if (!s->notifying && !client_find(s, VERB_NOTIFY))
		return;
	s->notifying = false;
	news_add(s, IMC_NEWS_OVERFLOW);
}

bool imc_notifying(const struct imc *s)
{
	return s->notifying;
}

/* ---- STATUS name (item number …) */

bool notify_wants(struct imc *s)
{
	return s->phase == PHASE_READY && (s->notifying || client_find(s, VERB_NOTIFY));
}

void notify_status_begin(struct imc *s)
{
	s->r.at = AT_BOX_NAME;
	s->box = (struct box_status){ 0 };
}

static void on_name(struct imc *s, const struct token *tok)
{
	if (tok->kind == TOKEN_ATOM || tok->kind == TOKEN_PIECE)
		s->r.cut |= !buf_add(&s->name, tok->text);
	if ((tok->kind == TOKEN_ATOM && !tok->more) || tok->kind == TOKEN_STRING_END)
		s->r.at = AT_BOX_ITEMS;
}

static void on_item(struct imc *s, const struct token *tok)
{
	if (token_is(tok, "MESSAGES"))
		s->box.item = BOX_MESSAGES;
	else if (token_is(tok, "UIDNEXT"))
		s->box.item = BOX_UIDNEXT;
	else if (token_is(tok, "UIDVALIDITY"))
		s->box.item = BOX_UIDVALIDITY;
	else
		s->box.item = BOX_OTHER;
}

static void on_number(struct imc *s, const struct token *tok)
{
	uint64_t n = 0;

	if (token_number(tok, UINT32_MAX, &n) && s->box.item == BOX_MESSAGES)
		s->box.messages = (uint32_t)n;
	else if (s->box.item == BOX_UIDNEXT)
		s->box.uid_next = (uint32_t)n;
	else if (s->box.item == BOX_UIDVALIDITY)
		s->box.validity = (uint32_t)n;
	s->box.item = BOX_NONE;
}

void notify_status_token(struct imc *s, const struct token *tok)
{
	if (s->r.at == AT_BOX_NAME)
		on_name(s, tok);
	else if (s->r.depth != 1 || tok->kind == TOKEN_OPEN || tok->more)
		return;
	else if (tok->kind == TOKEN_CLOSE || tok->kind == TOKEN_STRING_END)
		s->box.item = BOX_NONE;		/* a value that is a list, or a string */
	else if (tok->kind != TOKEN_ATOM)
		return;
	else if (s->box.item == BOX_NONE)
		on_item(s, tok);
	else
		on_number(s, tok);
}

void notify_status_line(struct imc *s, struct imc_event *ev)
{
	const struct asked *a = client_find(s, VERB_NOTIFY);

	if (s->r.cut || !s->name.len)	/* of a mailbox that nobody can name */
		return;
	*ev = (struct imc_event){ .what = IMC_NEWS, .verb = a ? IMC_ASK_NOTIFY : IMC_ASK_NONE, .id = a ? a->tag : 0, .text = buf_span(&s->name),
		.flags = s->box.uid_next ? IMC_NEWS_MAIL : IMC_NEWS_GONE, .uid = s->box.uid_next, .last = s->box.validity, .size = s->box.messages };
}
