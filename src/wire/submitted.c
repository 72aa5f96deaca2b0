/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/submitted.h"

#include "wire/date.h"
#include "wire/header.h"

enum what { OTHER, PLAIN_TO, RESENT_TO, RESENT_ONCE, TRACE, DATE, MESSAGE_ID };

/* The fields that mean something to us; `out`: they do not go on. */
static const struct known {
	const char *name;
	enum what what;
	bool out;
} known[] = {
	{ "To", PLAIN_TO, false },
	{ "Cc", PLAIN_TO, false },
	{ "Bcc", PLAIN_TO, true },
	{ "Resent-To", RESENT_TO, false },
	{ "Resent-Cc", RESENT_TO, false },
	{ "Resent-Bcc", RESENT_TO, true },
	{ "Resent-From", RESENT_ONCE, false },
	{ "Resent-Date", RESENT_ONCE, false },
	{ "Received", TRACE, false },
	{ "Return-Path", TRACE, true },
	{ "Date", DATE, false },
	{ "Message-ID", MESSAGE_ID, false },
};

static const struct known *look_up(const struct header_field *field)
{
	static const struct known other = { "", OTHER, false };

	for (size_t n = 0; n < COUNT(known); n++)
		if (span_equal_nocase(field->name, span_of(known[n].name)))
			return &known[n];
	return &other;
}

/* How the header looks from above. */
struct survey {
	bool resent;			/* the latest resending names recipients, */
	const char *resent_end;		/* and ends here; NULL: not before the header */
	bool from, date;		/* it had these */
	bool begun;
};

static void survey_resent(struct survey *v, const struct header_field *field, enum what what)
{
	bool *had = span_equal_nocase(field->name, SPAN("Resent-From")) ? &v->from : &v->date;

	if (v->resent_end)
		return;
	if (what == TRACE ? v->begun : what == RESENT_ONCE && *had) {
		v->resent_end = field->name.at;
		return;
	}
	if (what == RESENT_ONCE)
		*had = true;
	v->resent |= what == RESENT_TO;
	v->begun |= what == RESENT_TO || what == RESENT_ONCE;
}

static void survey(struct submitted *s, struct survey *v, const struct header_field *field)
{
	enum what what = look_up(field)->what;

	switch (what) {
	case DATE:
		s->has_date = true;
		break;
	case MESSAGE_ID:
		s->has_message_id = true;
		break;
	case TRACE:
		s->received += span_equal_nocase(field->name, SPAN("Received"));
		survey_resent(v, field, what);
		break;
	case RESENT_TO:
	case RESENT_ONCE:
		survey_resent(v, field, what);
		break;
	case PLAIN_TO:
	case OTHER:
		break;
	}
}

static bool has(const struct submitted *s, const struct address *a)
{
	for (size_t n = 0; n < s->count; n++)
		if (span_equal_nocase((struct span){ s->recipients[n].text, s->recipients[n].len }, (struct span){ a->text, a->len }))
			return true;
	return false;
}

/* All of them or none: who hands a message in believes that everybody gets it. */
static bool gather_field(struct submitted *s, const struct header_field *field, struct err *e)
{
	struct span list = field->value;
	enum addresses_what what;
	struct address a;

	while ((what = addresses_any(&list, &a)) == ADDRESSES_ONE) {
		if (has(s, &a))
			continue;
		if (s->count == SUBMITTED_RECIPIENTS)
			return err_set(e, ERR_PEER, "it has more than %d recipients", SUBMITTED_RECIPIENTS);
		s->recipients[s->count++] = a;
	}
	return what == ADDRESSES_END || err_set(e, ERR_PEER, "its field %s has something in it that is no address", look_up(field)->name);
}

static bool gather(struct submitted *s, const struct survey *v, struct err *e)
{
	enum what wanted = v->resent ? RESENT_TO : PLAIN_TO;
	struct span left = s->fields;
	struct header_field field;

	while (header_next(&left, &field)) {
		if (look_up(&field)->what != wanted || (v->resent && v->resent_end && field.name.at >= v->resent_end))
			continue;
		if (!gather_field(s, &field, e))
			return false;
	}
	if (!s->count)
		return err_set(e, ERR_PEER, "it names no recipient in %s", v->resent ? "Resent-To, Resent-Cc or Resent-Bcc" : "To, Cc or Bcc");
	return true;
}

/* What the header ends with, an empty line, is no part of the fields any more. */
static struct span take_empty_line(struct span *fields)
{
	size_t n = fields->len;

	if (n && fields->at[n - 1] == '\n')
		n--;
	else
		return (struct span){ 0 };
	if (n && fields->at[n - 1] == '\r')
		n--;
	if (n && fields->at[n - 1] != '\n')
		return (struct span){ 0 };
	*fields = (struct span){ fields->at, n };
	return (struct span){ fields->at + n, 0 };
}

static size_t lines_in(struct span s)
{
	size_t lines = 0;

	for (size_t n = 0; n < s.len; n++)
		lines += s.at[n] == '\n';
	return lines;
}

/* Some readers take a CR alone for a line's end, and would find fields behind it that are none to us: a Bcc, too. */
static bool find_bare_cr(struct span s, size_t *at)
{
	for (*at = 0; *at < s.len; ++*at)
		if (s.at[*at] == '\r' && (*at + 1 == s.len || s.at[*at + 1] != '\n'))
			return true;
	return false;
}

bool submitted_read(struct submitted *s, struct span head, bool all, struct err *e)
{
	struct span left = head;
	struct header_field field;
	struct survey v = { 0 };
	size_t at;
	bool cut;

	s->count = s->received = 0;
	s->has_date = s->has_message_id = false;
	while (header_next(&left, &field))
		survey(s, &v, &field);
	s->header = head.len - left.len;
	s->fields = (struct span){ head.at, s->header };
	s->end = take_empty_line(&s->fields);
	s->end.len = s->header - s->fields.len;
	cut = !all && !s->end.len && span_find(left, '\n') == left.len;
	if (cut || s->header > SUBMITTED_HEADER)
		return err_set(e, ERR_PEER, "its header is longer than %d KiB", SUBMITTED_HEADER / 1024);
	if (!s->end.len && left.len)
		return err_set(e, ERR_PEER, "line %zu of its header is no field", lines_in(s->fields) + 1);
	if (find_bare_cr(s->fields, &at))
		return err_set(e, ERR_PEER, "line %zu of its header has a CR that ends no line", lines_in((struct span){ s->fields.at, at }) + 1);
	return gather(s, &v, e);
}

bool submitted_added(const struct submitted *s, int64_t now, const char *id, const char *host, struct buf *out)
{
	char date[DATE_TEXT];

	if (!s->has_date && !buf_printf(out, "Date: %s\r\n", date_text(now, date)))
		return false;
	return s->has_message_id || buf_printf(out, "Message-ID: <%s@%s>\r\n", id, host);
}

bool submitted_next(const struct submitted *s, size_t *at, struct span *kept)
{
	struct span left = span_from(s->fields, *at);
	struct header_field field;

	if (*at >= s->fields.len) {
		bool first = *at == s->fields.len;

		*at = s->fields.len + 1;
		*kept = s->end;
		return first && s->end.len;
	}
	kept->len = 0;
	while (left.len) {
		size_t before = s->fields.len - left.len;
		bool is = header_next(&left, &field), out = !is || look_up(&field)->out;
		size_t begin = is ? (size_t)(field.name.at - s->fields.at) : before;

		if (kept->len && (out || begin > before)) {
			*at = before;
			return true;
		}
		if (!is)
			break;
		if (out)
			continue;
		if (!kept->len)
			kept->at = field.name.at;
		kept->len += (size_t)(left.at - field.name.at);
	}
	*at = s->fields.len;
	return kept->len || submitted_next(s, at, kept);
}
