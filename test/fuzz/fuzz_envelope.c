/* SPDX-License-Identifier: Apache-2.0
 *
 * Envelopes out of any header: recipients are of the domain, can be written, are found again, and
 * what goes out comes back as a loop, and says for whom it was, whatever stands below; a sender can be written and is
 * found again; a bounce about it has its parts and no others. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/bounce.h"
#include "wire/envelope.h"

static const char *const fields[] = { "X-Real-To", "Delivered-To" };

static void check_loop(const struct envelope *v, struct span header, const struct envelope_rules *rules)
{
	struct envelope *again = malloc(sizeof *again);
	char mark[ENVELOPE_MARK], second[ENVELOPE_MARK];
	struct buf b;

	assert(again);
	buf_start(&b, header.len + ENVELOPE_MARK + ENVELOPE_RECIPIENTS * (ENVELOPE_PATH + 20) + 20);
	envelope_mark(v, "c", "host", mark);
	assert(envelope_added(v, mark, "X-Real-To", &b) && buf_add(&b, header));
	envelope_read(again, buf_span(&b), rules);
	if (rules->source_domain && again->what == ENVELOPE_DELIVER && again->count == v->count) {
		envelope_mark(again, "c", "host", second);
		assert(strcmp(mark, second) == 0);
	}
	*again = *v;
	assert(!envelope_guard(again, buf_span(&b), mark) && again->what == ENVELOPE_REFUSED);
	buf_end(&b);
	free(again);
}

/* Whoever reads what stands on top, and no more, finds who was meant, and nobody else. */
static void check_top(const struct envelope *v, struct span header)
{
	const struct envelope_rules top = { .headers = { fields, 1 }, .no_recipient = ENVELOPE_HOLD };
	struct envelope *again = malloc(sizeof *again);
	struct buf b;

	assert(again);
	buf_start(&b, header.len + ENVELOPE_RECIPIENTS * (ENVELOPE_PATH + 20) + 80);
	assert(envelope_added(v, "postrider.0123456789abcdef@h", ENVELOPE_REAL_TO, &b) && buf_add(&b, header));
	envelope_read(again, buf_span(&b), &top);
	assert(again->what == ENVELOPE_DELIVER && again->count == v->count);
	for (size_t n = 0; n < v->count; n++)
		assert(strcmp(again->recipients[n].text, v->recipients[n].text) == 0);
	buf_end(&b);
	free(again);
}

static void check_sender(struct span header)
{
	char memory[ENVELOPE_PATH + 40];
	struct address a, again;
	struct buf b;

	if (!envelope_sender(header, &a)) {
		assert(!a.len && !a.text[0]);
		return;
	}
	assert(address_has_domain(&a) && a.len <= ADDRESS_MAX && strlen(a.text) == a.len && !span_has_control((struct span){ a.text, a.len }));
	buf_lend(&b, memory, sizeof memory);
	assert(buf_add(&b, SPAN("Return-Path: <")) && envelope_path(&a, &b) && buf_add(&b, SPAN(">\r\n")));
	assert(envelope_sender(buf_span(&b), &again) && strcmp(a.text, again.text) == 0);
}

static void check_bounce(struct span header, const char *words)
{
	const struct bounce_failed one = { words, words, words };
	const struct bounce_facts f = { .host = "h", .id = "I", .from = "a@h", .to = "b@h", .connection = words, .target = words, .sender = words,
		.failed = &one, .failed_count = 1, .header = header };
	size_t parts = 0;
	struct buf b;

	buf_start(&b, bounce_size(&f));
	assert(bounce_write(&f, &b));
	for (struct span s = buf_span(&b); s.len; s = span_from(s, span_find(s, '\n') + 1))
		parts += span_starts(s, SPAN("--"));
	assert(parts == 4);
	buf_end(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct envelope_rules rules = { .headers = { fields, COUNT(fields) }, .source_domain = size % 2 ? "a.b" : NULL,
		.target_domain = size % 3 ? "c.d" : NULL, .no_recipient = ENVELOPE_QUARANTINE };
	struct span header = { (const char *)data, size };
	struct envelope *v = malloc(sizeof *v);
	char *words = calloc(1, size + 1);

	assert(v && words);
	if (size)
		memcpy(words, data, size);
	envelope_read(v, header, &rules);
	assert((v->what == ENVELOPE_DELIVER) == (v->count > 0) && v->count <= ENVELOPE_RECIPIENTS);
	for (size_t n = 0; n < v->count; n++) {
		const struct address *a = &v->recipients[n];

		assert(address_has_domain(a) && a->len <= ADDRESS_MAX && strlen(a->text) == a->len);
		assert(!rules.target_domain || strcmp(a->text + a->local, "@c.d") == 0);
		assert(rules.target_domain || !rules.source_domain || strcasecmp(a->text + a->local, "@a.b") == 0);
	}
	if (v->count) {
		check_loop(v, header, &rules);
		check_top(v, header);
	}
	check_sender(header);
	check_bounce(header, words);
	free(words);
	free(v);
	return 0;
}
