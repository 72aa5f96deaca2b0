/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/submitting.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "wire/submitted.h"

enum { ID_OCTETS = 12, TOP_MAX = 4096, DATE_TEXT = 40 };

struct submitting *submitting_new(const struct submitting_with *with, struct err *e)
{
	struct submitting *s = calloc(1, sizeof *s);

	if (!s) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	s->with = *with;
	(void)snprintf(s->peer, sizeof s->peer, "%s", with->peer);
	if (strchr(with->account, '@'))
		(void)snprintf(s->sender, sizeof s->sender, "%s", with->account);
	else
		(void)snprintf(s->sender, sizeof s->sender, "%s@%s", with->account, with->domain);
	buf_start(&s->head, SUBMITTED_HEADER);
	s->spool = spool_new(with->state, e);
	if (!s->spool)
		submitting_free(&s);
	return s;
}

void submitting_free(struct submitting **submitting)
{
	struct submitting *s = *submitting;

	*submitting = NULL;
	if (!s)
		return;
	buf_end(&s->head);
	spool_free(&s->spool);
	free(s->recipients);
	free(s);
}

/* From here on it only has an end. */
static void give_up(struct submitting *s, enum submitting_said said)
{
	s->said = said;
	buf_end(&s->head);
	spool_free(&s->spool);
}

static void put(struct submitting *s, struct span octets)
{
	if (s->said == SUBMITTING_GOOD && !spool_add(s->spool, octets, &s->why))
		give_up(s, SUBMITTING_FAILED);
}

/* ---- the header */

static void hex(char *out, const unsigned char *octets, size_t count)
{
	for (size_t n = 0; n < count; n++)
		(void)snprintf(out + 2 * n, 3, "%02x", octets[n]);
}

static const char *date_text(int64_t now, char out[DATE_TEXT])
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)now;
	struct tm t;

	(void)gmtime_r(&seconds, &t);
	(void)snprintf(out, DATE_TEXT, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[t.tm_wday], t.tm_mday, months[t.tm_mon], t.tm_year + 1900,
		t.tm_hour, t.tm_min, t.tm_sec);
	return out;
}

/* What goes above the client's own fields (RFC 5321 4.4). */
static bool put_top(struct submitting *s, const struct submitted *m)
{
	char id[2 * ID_OCTETS + 1], memory[TOP_MAX], date[DATE_TEXT];
	unsigned char random[ID_OCTETS];
	int64_t now = clock_now_s();
	struct buf top;
	bool good;

	random_fill(random, sizeof random);
	hex(id, random, sizeof random);
	buf_lend(&top, memory, sizeof memory);
	good = !s->with.final || buf_printf(&top, "Return-Path: <%s>\r\n", s->sender);
	good = good && buf_printf(&top, "Received: from %s\r\n\tby %s (Postrider, XTND XMIT) with POP3 id %s;\r\n\t%s\r\n", s->peer,
		s->with.host, id, date_text(now, date));
	good = good && submitted_added(m, now, id, s->with.host, &top);
	if (good)
		put(s, buf_span(&top));
	return good;
}

/* One allocation: pointers, then the texts.  A word alone is in the sender's domain. */
static bool take_recipients(struct submitting *s, const struct submitted *m)
{
	const char *domain = strrchr(s->sender, '@') + 1;
	size_t size = (m->count + 1) * sizeof *s->recipients, count = m->count;
	char *at, *end;

	for (size_t n = 0; n < count; n++)
		size += m->recipients[n].len + strlen(domain) + 2;
	s->recipients = calloc(1, size);
	if (!s->recipients)
		return false;
	at = (char *)(s->recipients + count + 1);
	end = (char *)s->recipients + size;
	for (size_t n = 0; n < count; n++) {
		const struct address *a = &m->recipients[n];

		s->recipients[n] = at;
		(void)snprintf(at, (size_t)(end - at), "%s%s%s", a->text, address_has_domain(a) ? "" : "@", address_has_domain(a) ? "" : domain);
		at += strlen(at) + 1;
	}
	s->recipient_count = count;
	return true;
}

static void read_header(struct submitting *s, struct submitted *m, bool all)
{
	struct span head = buf_span(&s->head), kept;
	size_t at = 0;

	if (!submitted_read(m, head, all, &s->why)) {
		give_up(s, SUBMITTING_BAD);
		return;
	}
	if (m->received > SUBMITTING_HOPS) {
		(void)err_set(&s->why, ERR_PEER, "it has passed %u servers already: a loop", (unsigned)m->received);
		give_up(s, SUBMITTING_BAD);
		return;
	}
	if (!take_recipients(s, m) || !put_top(s, m)) {
		(void)err_set(&s->why, ERR_LOCAL, "out of memory");
		give_up(s, SUBMITTING_FAILED);
		return;
	}
	while (submitted_next(m, &at, &kept))
		put(s, kept);
	put(s, span_from(head, m->header));
	buf_end(&s->head);
	s->headed = true;
}

static void end_header(struct submitting *s, bool all)
{
	struct submitted *m = calloc(1, sizeof *m);

	if (m) {
		read_header(s, m, all);
	} else {
		(void)err_set(&s->why, ERR_LOCAL, "out of memory");
		give_up(s, SUBMITTING_FAILED);
	}
	free(m);
}

/* Is the empty line there?  `from`: what was looked at before. */
static bool is_whole(struct span head, size_t from)
{
	if (span_starts(head, SPAN("\r\n")))
		return true;
	from = from > 3 ? from - 3 : 0;
	return head.len > from && memmem(head.at + from, head.len - from, "\r\n\r\n", 4);
}

/* ---- octets */

void submitting_add(struct submitting *s, struct span octets)
{
	size_t before = s->head.len, room = SUBMITTED_HEADER - before;
	struct span head = { octets.at, octets.len < room ? octets.len : room };

	s->size += octets.len;
	if (s->said != SUBMITTING_GOOD)
		return;
	if (s->size > s->with.size_max) {
		(void)err_set(&s->why, ERR_PEER, "the message is larger than %llu octets", (unsigned long long)s->with.size_max);
		give_up(s, SUBMITTING_TOO_LARGE);
		return;
	}
	if (s->headed) {
		put(s, octets);
		return;
	}
	if (!buf_add(&s->head, head)) {
		(void)err_set(&s->why, ERR_LOCAL, "out of memory");
		give_up(s, SUBMITTING_FAILED);
		return;
	}
	if (is_whole(buf_span(&s->head), before) || s->head.len == SUBMITTED_HEADER)
		end_header(s, false);
	if (s->said == SUBMITTING_GOOD && s->headed)
		put(s, span_from(octets, head.len));
}

enum submitting_said submitting_end(struct submitting *s)
{
	if (s->said == SUBMITTING_GOOD && !s->headed)
		end_header(s, true);
	return s->said;
}
