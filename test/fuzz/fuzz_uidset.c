/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of ids: what is read can be written, and is read the same again; pairs
 * are as many as ids. */
#include <assert.h>

#include "fuzz.h"
#include "wire/uidset.h"

enum { IDS_MAX = 4096, MEMORY = 65536 };

static void written_again(struct span set, uint64_t count)
{
	static char memory[MEMORY];
	struct span first = set, second;
	struct uid_range a, b;
	struct uidset u;
	uint64_t again = 0;
	bool good;

	uidset_start(&u, memory, sizeof memory);
	while (uidset_next(&first, &a))
		for (uint64_t n = a.first; n <= a.last; n++) {
			good = uidset_add(&u, (uint32_t)n);
			assert(good);
		}
	good = uidset_count(uidset_text(&u), count, &again);
	assert(good && again == count);
	first = set;
	second = uidset_text(&u);
	good = uidset_next(&first, &a) && uidset_next(&second, &b);
	assert(good == (count > 0) && (!good || a.first == b.first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	size_t half = span_find(in, '/');
	struct span from = { in.at, half }, to = span_from(in, half + 1);
	uint32_t a, b;
	struct uid_pairs p;
	uint64_t n, pairs = 0;

	if (!uidset_count(from, IDS_MAX, &n))
		return 0;
	written_again(from, n);
	if (!uid_pairs_start(&p, from, to, IDS_MAX))
		return 0;
	while (uid_pairs_next(&p, &a, &b)) {
		assert(a && b);
		pairs++;
	}
	assert(pairs == n);
	return 0;
}
