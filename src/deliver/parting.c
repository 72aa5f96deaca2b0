/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/parting.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "wire/bounce.h"

enum { ID_OCTETS = 12, FROM_MAX = 300, PIECE = 64 * 1024 };

size_t parting_count(const struct parting *p, enum deliver_said said)
{
	size_t count = 0;

	for (size_t n = 0; n < p->count; n++)
		count += p->each[n].said == said;
	return count;
}

bool parting_whole(const struct parting *p)
{
	return !p->count || parting_count(p, p->each[0].said) == p->count;
}

size_t parting_pick(const struct parting *p, enum deliver_said said, const char **out)
{
	size_t count = 0;

	for (size_t n = 0; n < p->count; n++)
		if (p->each[n].said == said)
			out[count++] = p->recipients[n];
	return count;
}

struct deliver_each *parting_copy(const struct deliver_each *each, size_t count)
{
	struct deliver_each *copy = calloc(count, sizeof *copy);

	if (!copy)
		abort();	/* as of any small thing of the store's: nobody could be told */
	memcpy(copy, each, count * sizeof *copy);
	return copy;
}

/* ---- the bounce */

static size_t failed(const struct parting *p, struct bounce_failed out[HELD_RECIPIENTS_MAX])
{
	size_t count = 0;

	for (size_t n = 0; n < p->count && count < HELD_RECIPIENTS_MAX; n++)
		if (p->each[n].said == DELIVER_REFUSED)
			out[count++] = (struct bounce_failed){ p->recipients[n], p->each[n].status, p->each[n].why };
	return count;
}

static bool read_header(const struct spool *message, struct buf *out, struct err *e)
{
	char *room = buf_room(out, BOUNCE_HEADER);
	size_t n = 1;

	if (!room)
		return err_set(e, ERR_LOCAL, "out of memory");
	while (out->len < BOUNCE_HEADER && n) {
		if (!spool_at(message, out->len, out->at + out->len, BOUNCE_HEADER - out->len, &n, e))
			return false;
		out->len += n;
	}
	return true;
}

bool parting_attaches(const struct spool *message)
{
	return spool_size(message) <= PARTING_WHOLE_MAX;
}

static bool copy_message(const struct spool *from, struct spool *to, struct err *e)
{
	char *octets = malloc(PIECE);
	bool good = octets || err_set(e, ERR_LOCAL, "out of memory");
	uint64_t at = 0;

	for (size_t n = 1; good && n; at += n)
		good = spool_at(from, at, octets, PIECE, &n, e) && spool_add(to, (struct span){ octets, n }, e);
	free(octets);
	return good;
}

/* What the whole message stands between, where it goes with it. */
static bool hold(const struct bounced *b, struct span text, struct span end, struct err *e)
{
	struct spool *s = spool_new(store_state(b->store), e);
	struct held_new what = *b->what;
	uint64_t id;
	bool good;

	what.target = b->target;
	what.sender = BOUNCE_SENDER;
	what.recipients = &b->to;
	what.recipient_count = 1;
	what.why = "it tells that a message was refused";
	what.next = clock_now_s();
	good = s && spool_add(s, text, e) && (!b->whole || copy_message(b->message, s, e)) && spool_add(s, end, e) && held_add(b->store, &what, s, what.next, &id, e);
	spool_free(&s);
	return good;
}

static bool write(const struct bounced *b, struct span header, struct err *e)
{
	struct bounce_failed each[HELD_RECIPIENTS_MAX];
	unsigned char random[ID_OCTETS];
	char id[2 * ID_OCTETS + 1], from[FROM_MAX];
	struct bounce_facts facts = { .host = b->host, .id = id, .from = from, .to = b->to, .now = clock_now_s(), .arrived = b->arrived,
		.connection = b->connection, .target = b->target, .sender = b->sender, .failed = each, .failed_count = failed(&b->parting, each),
		.header = header, .whole = b->whole };
	struct buf text, end;
	bool good;

	random_fill(random, sizeof random);
	for (size_t n = 0; n < ID_OCTETS; n++)
		(void)snprintf(id + 2 * n, 3, "%02x", random[n]);
	(void)snprintf(from, sizeof from, "MAILER-DAEMON@%s", b->host);
	buf_start(&text, bounce_size(&facts));
	buf_start(&end, bounce_size(&facts));
	good = bounce_write(&facts, &text) && (!b->whole || bounce_end(&facts, &end));
	good = (good || err_set(e, ERR_LOCAL, "out of memory")) && hold(b, buf_span(&text), buf_span(&end), e);
	buf_end(&text);
	buf_end(&end);
	return good;
}

bool parting_bounce(const struct bounced *b, struct err *e)
{
	struct buf header;
	bool good;

	if (!parting_count(&b->parting, DELIVER_REFUSED))
		return true;
	assert(bounce_allowed(b->sender) && (!b->whole || parting_attaches(b->message)));
	buf_start(&header, BOUNCE_HEADER);
	good = (b->whole || read_header(b->message, &header, e)) && write(b, buf_span(&header), e);
	buf_end(&header);
	return good || err_in(e, "telling %s", b->to);
}
