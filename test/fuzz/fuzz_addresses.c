/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of addresses: what is found can be written, and is found again, alone or with others. */
#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "fuzz.h"
#include "wire/addresses.h"

/* As an address must be written to mean what it is. */
static void write_quoted(struct buf *b, const struct address *a)
{
	bool good = buf_add_byte(b, '"');

	for (size_t n = 0; n < a->local; n++) {
		if (a->text[n] == '"' || a->text[n] == '\\')
			good = good && buf_add_byte(b, '\\');
		good = good && buf_add_byte(b, a->text[n]);
	}
	good = good && buf_add_byte(b, '"') && buf_add(b, (struct span){ a->text + a->local, a->len - a->local });
	assert(good);
}

static void check(const struct address *a)
{
	char memory[4 * ADDRESS_MAX], never[] = "<>()\",;\\ \t\r\n", outside[] = ":[]";
	struct address again;
	struct span list;
	struct buf b;

	assert(a->local && a->local <= a->len && a->len <= ADDRESS_MAX && strlen(a->text) == a->len);
	assert(!span_has_control((struct span){ a->text, a->len }));
	if (address_has_domain(a)) {
		assert(a->text[a->local] == '@' && a->len > a->local + 1 && !strpbrk(a->text + a->local, never));
		assert(a->text[a->local + 1] == '[' ? a->text[a->len - 1] == ']' : !strpbrk(a->text + a->local, outside));
		assert(!strchr(a->text + a->local + 1, '@'));
	}
	buf_lend(&b, memory, sizeof memory);
	assert(buf_add(&b, SPAN("A: (x, y) <")));
	write_quoted(&b, a);
	assert(buf_add(&b, SPAN("> z; ")));
	write_quoted(&b, a);
	list = buf_span(&b);
	for (int n = 0; n < 2; n++) {
		bool found = n ? addresses_next(&list, &again) : (list = span_from(list, 2), addresses_next(&list, &again));

		assert(found && again.len == a->len && again.local == a->local && memcmp(again.text, a->text, a->len) == 0);
	}
	assert(!addresses_next(&list, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct span left = { copy, size };
	struct address a;
	int found = 0;

	assert(copy);
	if (size)
		memcpy(copy, data, size);
	while (left.len) {
		const char *was = left.at;

		if (!addresses_next(&left, &a))
			break;
		assert(left.at > was && left.at + left.len == copy + size);
		if (found++ < 16)
			check(&a);
	}
	assert(!left.len);
	free(copy);
	return 0;
}
