/* SPDX-License-Identifier: Apache-2.0
 * Logins at rest: "l" NAME in the partition "visited". */
#include "store/visited_login.h"

#include <stdlib.h>

#include "base/log.h"
#include "store/pack.h"
#include "store/room.h"
#include "store/visited_inside.h"

enum { FORMAT = 1, VALUE = 1 + 1 + 4 + 1 + 8 + VISITED_SUM };

static bool unpack(struct span value, struct visited_login *l)
{
	uint8_t format = take_u8(&value);
	struct span sum;

	*l = (struct visited_login){ .worked = take_u8(&value) };
	l->refused = take_u32(&value);
	l->unproved = take_u8(&value);
	l->unproved_at = (int64_t)take_u64(&value);
	sum = take_span(&value, VISITED_SUM);
	if (!sum.at || value.len || format != FORMAT)
		return false;
	memcpy(l->sum, sum.at, VISITED_SUM);
	return true;
}

static void committed(void *user, const struct err *why)
{
	if (why)
		log_warn(NULL, "how a connection logged in could not be kept: %s", why->text);
	free(user);
}

void visited_login_note(struct store *s, const char *name, const struct visited_login *l)
{
	char at[VISITED_KEY_MAX], value[VALUE];
	struct deed *deed;
	struct batch *b;
	struct span key;

	if (!visited_at('l', name, at, &key))
		return;
	value[0] = FORMAT;
	value[1] = (char)l->worked;
	pack_u32(value + 2, l->refused);
	value[6] = (char)l->unproved;
	pack_u64(value + 7, (uint64_t)l->unproved_at);
	memcpy(value + 15, l->sum, VISITED_SUM);
	b = store_batch(visited_part());
	store_must(batch_put(b, key, (struct span){ value, VALUE }));
	deed = store_memory(sizeof *deed);
	*deed = (struct deed){ .then = committed, .user = deed };
	store_do(s, &b, deed);
}

bool visited_login_get(struct store *s, const char *name, struct visited_login *out)
{
	struct span key, value;
	char at[VISITED_KEY_MAX];
	struct view *v;
	bool there;

	if (!visited_at('l', name, at, &key))
		return false;
	v = store_view(s);
	there = view_get(v, visited_part(), key, &value) && unpack(value, out);
	view_end(&v);
	return there;
}
