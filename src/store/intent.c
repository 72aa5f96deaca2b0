/* SPDX-License-Identifier: Apache-2.0 */
#include "store/intent.h"

#include <assert.h>

#include "store/pack.h"

enum { INTENT_FORMAT = 1 };

struct span intent_value(char value[INTENT_VALUE], const struct box_intent *intent)
{
	value[0] = INTENT_FORMAT;
	pack_u32(value + 1, intent->parts);
	pack_u64(value + 5, (uint64_t)intent->when);
	return (struct span){ value, INTENT_VALUE };
}

struct span intent_part_key(char key[INTENT_PART_KEY], uint32_t number)
{
	key[0] = 'q';
	pack_u32(key + 1, number);
	return (struct span){ key, INTENT_PART_KEY };
}

bool intent_all_packed(const struct box_intent *intent, size_t packed)
{
	return packed >= intent->going.count + intent->seen.count;
}

/* `packed` counts the ranges of those that go, then of those that were seen. */
struct span intent_part(char *at, size_t max, const struct box_intent *intent, size_t *packed)
{
	bool seen = *packed >= intent->going.count;
	size_t before = seen ? intent->going.count : 0, from = *packed - before, len;

	assert(max > 1 + UIDS_PAIR_MAX);
	if (intent_all_packed(intent, *packed))
		return (struct span){ at, 0 };
	at[0] = seen ? 's' : 'g';
	len = 1 + uids_pack(seen ? &intent->seen : &intent->going, &from, at + 1, max - 1);
	*packed = before + from;
	return (struct span){ at, len };
}

void intent_free(struct box_intent *intent)
{
	uids_free(&intent->going);
	uids_free(&intent->seen);
	*intent = (struct box_intent){ 0 };
}

static bool read_part(struct view *v, engine_part part, uint32_t number, struct box_intent *intent)
{
	char key[INTENT_PART_KEY];
	struct span value;
	uint8_t kind;

	if (!view_get(v, part, intent_part_key(key, number), &value))
		return false;
	kind = take_u8(&value);
	return (kind == 'g' || kind == 's') && uids_unpack(kind == 's' ? &intent->seen : &intent->going, value);
}

bool intent_read(struct view *v, engine_part part, struct box_intent *intent)
{
	struct span value;
	uint8_t format;
	uint32_t parts;
	bool good;

	*intent = (struct box_intent){ 0 };
	if (!view_get(v, part, SPAN("r"), &value))
		return true;
	format = take_u8(&value);
	parts = take_u32(&value);
	intent->when = (int64_t)take_u64(&value);
	good = value.at && !value.len && format == INTENT_FORMAT && parts;
	for (; good && intent->parts < parts; intent->parts++)
		good = read_part(v, part, intent->parts, intent);
	if (!good)
		intent_free(intent);
	return good;
}
