/* SPDX-License-Identifier: Apache-2.0 */
#include "store/alert_rest.h"

#include <string.h>

#include "base/text.h"
#include "store/pack.h"

enum { ALERT_FORMAT = 1, TOLD_FORMAT = 1 };

struct span alert_key(char key[ALERT_KEY], uint64_t id)
{
	key[0] = 't';
	pack_u64(key + 1, id);
	return (struct span){ key, ALERT_KEY };
}

/* "k", the scope, whose, and the octet that ends a name. */
static size_t index_prefix(char key[ALERT_INDEX], enum alert_scope scope, const char *of)
{
	size_t len = strnlen(of, ACCOUNT_NAME_MAX);

	key[0] = 'k';
	key[1] = scope == ALERT_ACCOUNT ? 'a' : scope == ALERT_DOMAIN ? 'd' : 's';
	memcpy(key + 2, of, len);
	key[2 + len] = '\0';
	return 3 + len;
}

struct span alert_index(char key[ALERT_INDEX], enum alert_scope scope, const char *of, uint64_t id)
{
	size_t len = index_prefix(key, scope, of);

	pack_u64(key + len, id);
	return (struct span){ key, len + 8 };
}

struct span alert_pack(char value[ALERT_VALUE], const struct alert *alert)
{
	size_t of = strlen(alert->of), text = strlen(alert->text);

	value[0] = ALERT_FORMAT;
	pack_u64(value + 1, (uint64_t)alert->made);
	value[9] = (char)alert->scope;
	pack_u32(value + 10, (uint32_t)of);
	memcpy(value + 14, alert->of, of);
	memcpy(value + 14 + of, alert->text, text);
	return (struct span){ value, 14 + of + text };
}

bool alert_unpack(struct span value, struct alert *alert)
{
	uint8_t format = take_u8(&value), scope;
	struct span of;
	uint32_t len;

	alert->made = (int64_t)take_u64(&value);
	scope = take_u8(&value);
	len = take_u32(&value);
	of = take_span(&value, len);
	if (!value.at || format != ALERT_FORMAT || scope > ALERT_SERVER || len > ACCOUNT_NAME_MAX || value.len > ALERT_TEXT_MAX)
		return false;
	alert->scope = (enum alert_scope)scope;
	memcpy(alert->of, of.at, len);
	alert->of[len] = '\0';
	memcpy(alert->text, value.at, value.len);
	alert->text[value.len] = '\0';
	text_clean(alert->text, value.len);
	return true;
}

struct span alert_told_pack(char value[ALERT_TOLD], const struct alert_told *told)
{
	value[0] = TOLD_FORMAT;
	pack_u64(value + 1, told->domain);
	pack_u64(value + 9, told->server);
	value[17] = (char)told->level;
	return (struct span){ value, ALERT_TOLD };
}

bool alert_told_unpack(struct span value, struct alert_told *told)
{
	uint8_t format = take_u8(&value);

	told->domain = take_u64(&value);
	told->server = take_u64(&value);
	told->level = take_u8(&value);
	return value.at && format == TOLD_FORMAT;
}

bool alert_next_of(struct view *v, engine_part part, enum alert_scope scope, const char *of, uint64_t *id)
{
	char at[ALERT_INDEX];
	struct span key = alert_index(at, scope, of, *id), prefix = { key.at, key.len - 8 }, value;

	if (!view_next(v, part, prefix, &key, &value) || key.len != prefix.len + 8)
		return false;
	*id = unpack_u64(key.at + prefix.len);
	return true;
}
