/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/routing.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/held.h"
#include "wire/envelope.h"

enum { HEADER_PIECE = 16 * 1024, TEXTS_MAX = (ENVELOPE_RECIPIENTS + 1) * (ENVELOPE_PATH + 1),
	LEAD_MAX = ENVELOPE_MARK + 32 + ENVELOPE_RECIPIENTS * (ENVELOPE_PATH + 32) };

static_assert((int)ENVELOPE_PATH <= (int)HELD_ADDRESS_MAX, "a message can be held for whomever it is for");

const struct envelope_rules *routing_rules(const struct connection *c, const struct target *t)
{
	if (t->has_envelope)
		return &t->envelope.rules;
	return c->has_envelope ? &c->envelope.rules : NULL;
}

/* Is there an empty line in what follows `from`? */
static bool has_empty_line(struct span head, size_t from)
{
	while (from < head.len) {
		size_t line = span_find(span_from(head, from), '\n'), at = from + line;

		if (at < head.len && (!line || (line == 1 && head.at[from] == '\r')))
			return true;
		from = at + 1;
	}
	return false;
}

/* Where the last line begins that is there so far. */
static size_t line_start(struct span head)
{
	size_t n = head.len;

	while (n && head.at[n - 1] != '\n')
		n--;
	return n;
}

/* The fields of a header that goes on: the last one may not be whole. */
static struct span whole_fields(struct span head)
{
	struct span left = head;
	struct header_field field;
	size_t whole = 0;

	while (header_next(&left, &field) && left.len)
		whole = head.len - left.len;
	return left.len ? head : (struct span){ head.at, whole };
}

/* The header, and some of what follows it. */
static bool read_header(const struct spool *message, struct buf *head, struct span *header, struct err *e)
{
	bool ended = false;
	size_t n = 1;

	while (!ended && n && head->len < ROUTING_HEADER_MAX) {
		size_t from = line_start(buf_span(head)), left = ROUTING_HEADER_MAX - head->len, want = left < HEADER_PIECE ? left : HEADER_PIECE;
		char *room = buf_room(head, want);

		if (!room)
			return err_set(e, ERR_LOCAL, "out of memory for a header");
		if (!spool_own_at(message, head->len, room, want, &n, e))
			return false;
		head->len += n;
		ended = has_empty_line(buf_span(head), from);
	}
	*header = ended || !n || head->len == spool_own_size(message) ? buf_span(head) : whole_fields(buf_span(head));
	return true;
}

/* What becomes of a message, collected before it is all copied into one allocation. */
struct found {
	struct envelope v;
	struct buf texts, lead;		/* sender and recipients, each with a NUL behind */
};

static bool add_text(struct buf *texts, const struct address *a)
{
	return (!a->len || envelope_path(a, texts)) && buf_add_byte(texts, '\0');
}

static bool is_mailbox(const struct target *t)
{
	return t->type == TARGET_MAILBOX || t->type == TARGET_MAILDIR;
}

/* False: out of memory. */
static bool make_lead(const struct connection *c, const struct target *t, struct span header, struct found *f)
{
	char host[HOST_NAME_MAX + 1] = "", mark[ENVELOPE_MARK];

	(void)gethostname(host, sizeof host - 1);
	envelope_mark(&f->v, c->name, host, mark);
	return !envelope_guard(&f->v, header, mark) || envelope_added(&f->v, mark, is_mailbox(t) ? ENVELOPE_REAL_TO : NULL, &f->lead);
}

static bool find(const struct connection *c, const struct target *t, struct span header, struct found *f)
{
	const struct envelope_rules *rules = routing_rules(c, t);
	struct address sender;

	(void)envelope_sender(header, &sender);
	if (!add_text(&f->texts, &sender))
		return false;
	if (!rules)
		return true;
	envelope_read(&f->v, header, rules);
	if (f->v.what == ENVELOPE_DELIVER && !make_lead(c, t, header, f))
		return false;
	for (size_t n = 0; n < f->v.count; n++)
		if (!add_text(&f->texts, &f->v.recipients[n]))
			return false;
	return true;
}

/* Pointers to the recipients, then the texts, then the lead. */
static bool keep(const struct found *f, struct routing *r)
{
	size_t count = f->v.count;
	const char **recipients = malloc(count * sizeof *recipients + f->texts.len + f->lead.len);
	char *text = (char *)(recipients + count);

	if (!recipients)
		return false;
	*r = (struct routing){ .what = f->v.what, .sender = text, .recipients = recipients, .recipient_count = count, .memory = recipients };
	memcpy(r->why, f->v.why, sizeof r->why);
	memcpy(text, f->texts.at, f->texts.len);
	for (size_t n = 0; n < count; n++)
		recipients[n] = text += strlen(text) + 1;
	text += strlen(text) + 1;
	if (f->lead.len)
		memcpy(text, f->lead.at, f->lead.len);
	r->lead = (struct span){ text, f->lead.len };
	return true;
}

bool routing_between(const struct connection *c, const struct target *t, const struct spool *message, struct routing *r, struct err *e)
{
	struct found *f = calloc(1, sizeof *f);
	struct span header;
	struct buf head;
	bool good = f || err_set(e, ERR_LOCAL, "out of memory for an envelope");

	buf_start(&head, ROUTING_HEADER_MAX);
	if (good) {
		f->v.what = ENVELOPE_DELIVER;
		buf_start(&f->texts, TEXTS_MAX);
		buf_start(&f->lead, LEAD_MAX);
		good = read_header(message, &head, &header, e);
	}
	if (good && !(find(c, t, header, f) && keep(f, r)))
		good = err_set(e, ERR_LOCAL, "out of memory for an envelope");
	if (f) {
		buf_end(&f->texts);
		buf_end(&f->lead);
	}
	buf_end(&head);
	free(f);
	return good;
}

void routing_end(struct routing *r)
{
	free(r->memory);
	*r = (struct routing){ 0 };
}
