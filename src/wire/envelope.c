/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/envelope.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

enum { MARK_DIGITS = 16, HOST_SHOWN = 255 };

#define MARK_PREFIX SPAN("postrider.")
#define HEADER_TO "To, Cc, Bcc"

static struct span text_of(const struct address *a)
{
	return (struct span){ a->text, a->len };
}

static struct span domain_of(const struct address *a)
{
	return address_has_domain(a) ? span_from(text_of(a), a->local + 1) : (struct span){ 0 };
}

static void refuse(struct envelope *v, const char *why)
{
	v->what = ENVELOPE_REFUSED;
	v->count = 0;
	(void)snprintf(v->why, sizeof v->why, "%s", why);
}

/* False: there is no room for it. */
static bool add(struct envelope *v, const struct address *a)
{
	for (size_t n = 0; n < v->count; n++)
		if (span_equal_nocase(text_of(&v->recipients[n]), text_of(a)))
			return true;
	if (v->count == ENVELOPE_RECIPIENTS)
		return false;
	v->recipients[v->count++] = *a;
	return true;
}

/* Another domain in place of what it has.  False: that is too long. */
static bool set_domain(struct address *a, const char *domain)
{
	size_t len = strlen(domain);

	if (a->local + 1 + len > ADDRESS_MAX)
		return false;
	a->text[a->local] = '@';
	memcpy(a->text + a->local + 1, domain, len + 1);
	a->len = a->local + 1 + len;
	return true;
}

static bool is_mark(const struct address *a)
{
	struct span local = { a->text, a->local };

	if (!address_has_domain(a) || local.len != MARK_PREFIX.len + MARK_DIGITS || !span_starts_nocase(local, MARK_PREFIX))
		return false;
	for (size_t n = MARK_PREFIX.len; n < local.len; n++)
		if (!local.at[n] || !strchr("0123456789abcdefABCDEF", local.at[n]))
			return false;
	return true;
}

/* Does it count, and as what?  `bare`: a word alone does. */
static bool take(struct address *a, const struct envelope_rules *rules, bool bare)
{
	const char *domain = rules->source_domain ? rules->source_domain : rules->target_domain;

	if (!address_has_domain(a) && (!bare || !domain || !set_domain(a, domain)))
		return false;
	if (rules->source_domain && !span_equal_nocase(domain_of(a), span_of(rules->source_domain)))
		return false;
	return (!rules->target_domain || set_domain(a, rules->target_domain)) && !is_mark(a);	/* a word alone may look like one now */
}

/* False: there are too many. */
static bool add_list(struct envelope *v, struct span list, const struct envelope_rules *rules, bool bare)
{
	struct address a;

	while (addresses_next(&list, &a))
		if (take(&a, rules, bare) && !add(v, &a))
			return false;
	return true;
}

static bool has_mark(struct span list)
{
	struct address a;

	while (addresses_next(&list, &a))
		if (is_mark(&a))
			return true;
	return false;
}

/* The uppermost fields of that name, one directly below the other, that have an address which counts. */
static bool from_field(struct envelope *v, struct span header, const char *name, const struct envelope_rules *rules)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		bool is = span_equal_nocase(field.name, span_of(name));

		if (!is && v->count)
			return true;
		if (is && !has_mark(field.value) && !add_list(v, field.value, rules, true))
			return false;
	}
	return true;
}

static bool from_to(struct envelope *v, struct span header, const struct envelope_rules *rules)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		bool is = span_equal_nocase(field.name, SPAN("To")) || span_equal_nocase(field.name, SPAN("Cc")) ||
			  span_equal_nocase(field.name, SPAN("Bcc"));

		if (is && !add_list(v, field.value, rules, false))
			return false;
	}
	return true;
}

static bool from_header(struct envelope *v, struct span header, const struct envelope_rules *rules)
{
	for (size_t n = 0; n < rules->headers.count; n++) {
		v->found = rules->headers.at[n];
		if (!from_field(v, header, v->found, rules))
			return false;
		if (v->count)
			return true;
	}
	v->found = HEADER_TO;
	return !rules->source_domain || from_to(v, header, rules);
}

static bool from_list(struct envelope *v, const struct envelope_list *list, const char *found)
{
	struct address a;

	v->found = found;
	for (size_t n = 0; n < list->count; n++)
		for (struct span left = span_of(list->at[n]); addresses_next(&left, &a);)
			if (!add(v, &a))
				return false;
	return true;
}

static bool find(struct envelope *v, struct span header, const struct envelope_rules *rules)
{
	if (rules->recipients.count)
		return from_list(v, &rules->recipients, "recipients");
	return from_header(v, header, rules);
}

void envelope_read(struct envelope *v, struct span header, const struct envelope_rules *rules)
{
	bool room;

	v->what = ENVELOPE_DELIVER;
	v->count = 0;
	v->why[0] = '\0';
	room = find(v, header, rules);
	if (room && !v->count) {
		v->what = rules->no_recipient;
		(void)snprintf(v->why, sizeof v->why, "its header names no recipient%s%.255s", rules->source_domain ? " in " : "",
			rules->source_domain ? rules->source_domain : "");
		if (v->what == ENVELOPE_DELIVER)
			room = from_list(v, &rules->otherwise, "no_recipient");
		if (room && v->what == ENVELOPE_DELIVER && !v->count)	/* rules that say nothing: nothing is lost */
			v->what = ENVELOPE_HOLD;
	}
	if (!room)
		refuse(v, "its header names more than 100 recipients");
	static_assert(ENVELOPE_RECIPIENTS == 100, "as the text has it");
	if (v->what == ENVELOPE_DELIVER)
		v->why[0] = '\0';
	else
		v->found = NULL;
}

/* FNV-1a.  Who forges a mark harms only his own message. */
static uint64_t stir(uint64_t hash, struct span s)
{
	for (size_t n = 0; n < s.len; n++) {
		unsigned char c = (unsigned char)s.at[n];

		if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c | 0x20);
		hash = (hash ^ c) * UINT64_C(0x100000001b3);
	}
	return (hash ^ 0xff) * UINT64_C(0x100000001b3);	/* an octet that no text has: where one ends */
}

/* In whatever order they stand: a sum. */
void envelope_mark(const struct envelope *v, const char *connection, const char *host, char mark[ENVELOPE_MARK])
{
	uint64_t sum = stir(UINT64_C(0xcbf29ce484222325), span_of(connection)), own = sum;

	for (size_t n = 0; n < v->count; n++)
		sum += stir(own, text_of(&v->recipients[n]));
	(void)snprintf(mark, ENVELOPE_MARK, "%s%0*" PRIx64 "@%.*s", MARK_PREFIX.at, MARK_DIGITS, sum, HOST_SHOWN, host);
}

static bool came_before(struct span list, const char *mark)
{
	struct address a;

	while (addresses_next(&list, &a))
		if (span_equal_nocase(text_of(&a), span_of(mark)))
			return true;
	return false;
}

bool envelope_guard(struct envelope *v, struct span header, const char *mark)
{
	struct header_field field;
	size_t received = 0;
	bool before = false;

	while (header_next(&header, &field)) {
		received += span_equal_nocase(field.name, SPAN("Received"));
		before |= span_equal_nocase(field.name, SPAN("Delivered-To")) && came_before(field.value, mark);
	}
	if (before)
		refuse(v, "a loop: it was delivered from here to the same recipients before (Delivered-To)");
	else if (received > ENVELOPE_HOPS)
		refuse(v, "a loop: it has more than 50 Received fields");
	static_assert(ENVELOPE_HOPS == 50, "as the text has it");
	return v->what != ENVELOPE_REFUSED;
}

static bool is_atom(char c)
{
	return (unsigned char)c > ' ' && c != 127 && !strchr("()<>[]:;@\\,\"", c);
}

/* Dots may stand between words only. */
static bool needs_quotes(struct span local)
{
	bool dot = true;

	for (size_t n = 0; n < local.len; n++) {
		if (!is_atom(local.at[n]) || (local.at[n] == '.' && dot))
			return true;
		dot = local.at[n] == '.';
	}
	return dot;		/* at the end, or there is nothing */
}

bool envelope_path(const struct address *a, struct buf *out)
{
	struct span local = { a->text, a->local };
	bool quotes = needs_quotes(local);

	if (quotes && !buf_add_byte(out, '"'))
		return false;
	for (size_t n = 0; n < local.len; n++) {
		if (quotes && (local.at[n] == '"' || local.at[n] == '\\') && !buf_add_byte(out, '\\'))
			return false;
		if (!buf_add_byte(out, local.at[n]))
			return false;
	}
	if (quotes && !buf_add_byte(out, '"'))
		return false;
	return buf_add(out, span_from(text_of(a), a->local));
}

bool envelope_added(const struct envelope *v, const char *mark, const char *real_to, struct buf *out)
{
	for (size_t n = 0; real_to && n < v->count; n++)
		if (!buf_printf(out, "%s: ", real_to) || !envelope_path(&v->recipients[n], out) || !buf_add(out, SPAN("\r\n")))
			return false;
	return buf_printf(out, "Delivered-To: %s\r\n", mark);
}

bool envelope_is_mark(const struct header_field *field)
{
	return span_equal_nocase(field->name, SPAN("Delivered-To")) && has_mark(field->value);
}

bool envelope_sender(struct span header, struct address *sender)
{
	struct span value;
	struct address more;
	bool good = header_find(header, "Return-Path", &value) && value.len;

	good = good && (value.at[0] == '<' ? value.at[value.len - 1] == '>' : span_find(value, '<') == value.len);
	good = good && addresses_any(&value, sender) == ADDRESSES_ONE && address_has_domain(sender) && addresses_any(&value, &more) == ADDRESSES_END;
	if (!good)
		*sender = (struct address){ 0 };
	return good;
}
