/* SPDX-License-Identifier: Apache-2.0
 *
 * Submitted headers: what goes on has no Bcc, loses nothing else, and reads the same again. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/header.h"
#include "wire/submitted.h"

static bool is_one_of(struct span name, const char *const *names)
{
	for (; *names; names++)
		if (span_equal_nocase(name, span_of(*names)))
			return true;
	return false;
}

/* All fields but those that must go, in order; the same body. */
static void check_fields(struct span was, struct span is)
{
	static const char *const out[] = { "Bcc", "Resent-Bcc", "Return-Path", NULL };
	struct header_field before, after;

	while (header_next(&was, &before)) {
		if (is_one_of(before.name, out))
			continue;
		assert(header_next(&is, &after) && span_equal(before.name, after.name) && span_equal(before.value, after.value));
	}
	assert(!header_next(&is, &after) && span_equal(was, is));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = { (const char *)data, size }, kept;
	struct submitted *s = malloc(sizeof *s), *again = malloc(sizeof *again);
	struct buf b, added;
	char memory[SUBMITTED_ADDED];
	size_t at = 0;
	struct err e;

	assert(s && again);
	if (submitted_read(s, message, size % 2, &e)) {
		assert(s->count && s->count <= SUBMITTED_RECIPIENTS && s->header <= size);
		buf_start(&b, size + 1);
		while (submitted_next(s, &at, &kept))
			assert(kept.len && kept.at >= message.at && kept.at + kept.len <= message.at + s->header && buf_add(&b, kept));
		assert(buf_add(&b, span_from(message, s->header)));
		check_fields(message, buf_span(&b));
		if (submitted_read(again, buf_span(&b), true, &e))
			assert(again->has_date == s->has_date && again->has_message_id == s->has_message_id && again->received == s->received);
		buf_end(&b);
		buf_lend(&added, memory, sizeof memory);
		assert(submitted_added(s, 0, "id", "host", &added));
		assert(s->has_date && s->has_message_id ? !added.len : added.len > 0);
	} else {
		assert(e.kind == ERR_PEER);
	}
	free(s);
	free(again);
	return 0;
}
