/* SPDX-License-Identifier: Apache-2.0
 *
 * Dovecot's uidlist, and names of a Maildir's files: uids ascend, names are names and no paths, nothing is read beyond; and
 * a list that is cut says nothing that the whole one does not. */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "wire/mdirname.h"
#include "wire/uidlist.h"

static void inside(struct span all, struct span part)
{
	assert(!part.at || (part.at >= all.at && part.at + part.len <= all.at + all.len));
}

static void name(struct span given)
{
	struct mdirname n;

	mdirname_read(given, &n);
	inside(given, n.base);
	assert(span_find(n.base, ':') == n.base.len);
	assert(span_equal(mdirname_base(given), n.base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size }, half = { in.at, size / 2 };
	struct uidlist u, cut;
	struct uidlist_entry e, c;
	uint32_t last = 0;

	name(in);
	if (!uidlist_start(&u, in))
		return 0;
	assert(u.validity);
	if (!uidlist_start(&cut, half))
		cut.broken = true;
	while (uidlist_next(&u, &e)) {
		assert(e.uid > last && e.base.len);
		assert(!memchr(e.base.at, '/', e.base.len) && !memchr(e.base.at, ':', e.base.len));
		inside(in, e.base);
		inside(in, e.pop3);
		name(e.base);
		last = e.uid;
		if (!cut.broken && uidlist_next(&cut, &c))
			assert(c.uid == e.uid && c.order == e.order && span_equal(c.base, e.base));
		else
			cut.broken = true;
	}
	return 0;
}
