/* SPDX-License-Identifier: Apache-2.0
 *
 * A page, and a head, of a Maildir's index at rest: what is called good ends where it says. */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "store/mdir_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size }, names;
	struct mdir_head head;
	uint32_t count;

	if (mdir_head_unpack(in, &head)) {
		char again[MDIR_HEAD];
		struct mdir_head second;
		bool good;

		mdir_head_pack(again, &head);
		good = mdir_head_unpack((struct span){ again, sizeof again }, &second);
		assert(good && second.count == head.count && second.names == head.names && second.generation == head.generation);
	}
	if (!mdir_page_good(in, &count, &names))
		return 0;
	assert(count && count <= MDIR_PAGE && names.len && names.at + names.len == in.at + in.len);
	for (uint32_t n = 0; n < count; n++) {
		struct mdir_rest rest;

		if (!mdir_page_at(in, names, n, &rest))
			continue;
		assert(strlen(names.at + rest.name) < names.len - rest.name);
		assert(rest.text == UINT32_MAX || strlen(names.at + rest.text) < names.len - rest.text);
	}
	return 0;
}
