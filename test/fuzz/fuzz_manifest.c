/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests of backups: whatever one says, it is within its limits, and written
 * again it reads the same.  The input is the lines before the last one; the
 * right digest is put behind them here, so that mutations get past it. */
#include <assert.h>
#include <stdio.h>

#include "fuzz.h"
#include "store/digest.h"
#include "store/manifest.h"

static void check_file(const struct manifest_file *a, const struct manifest_file *b)
{
	assert(a->there == b->there && a->size == b->size && a->size <= INT64_MAX);
	assert(memcmp(a->digest, b->digest, sizeof a->digest) == 0);
}

static void write_again(const struct manifest *m)
{
	char memory[MANIFEST_MAX];
	struct manifest again;
	struct buf out;
	struct err e;
	bool good;

	buf_lend(&out, memory, sizeof memory);
	good = manifest_text(m, &out, &e) && manifest_read(buf_span(&out), &again, &e);
	assert(good);
	assert(m->made == again.made && strcmp(m->version, again.version) == 0);
	check_file(&m->store, &again.store);
	check_file(&m->key, &again.key);
}

static void add_end(struct buf *text)
{
	uint8_t sum[MANIFEST_DIGEST];
	struct err e;
	struct digest *d = digest_new(&e);
	bool good = d && buf_room(text, 80);

	assert(good);
	digest_add(d, buf_span(text));
	digest_end(d, sum);
	digest_free(&d);
	good = buf_add(text, SPAN("end "));
	for (size_t n = 0; n < sizeof sum; n++)
		good = good && buf_printf(text, "%02x", sum[n]);
	good = good && buf_add(text, SPAN("\n"));
	assert(good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = { (const char *)data, size };
	struct manifest m;
	struct buf text;
	struct err e;

	if (size > MANIFEST_MAX)
		return 0;
	(void)!manifest_read(input, &m, &e);
	buf_start(&text, 2 * MANIFEST_MAX);
	if (buf_add(&text, input)) {
		add_end(&text);
		if (manifest_read(buf_span(&text), &m, &e)) {
			assert(m.store.there && m.made >= 0 && !span_has_control(span_of(m.version)));
			write_again(&m);
		}
	}
	buf_end(&text);
	return 0;
}
