/* SPDX-License-Identifier: Apache-2.0 */
#include "control/json.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

static void wiping_free(void *at)
{
	if (at)
		wipe(at, malloc_usable_size(at));
	free(at);
}

static void set_wiping(void)
{
	json_set_alloc_funcs(malloc, wiping_free);
}

void json_wiping(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, set_wiping);
}

json_t *json_text(const char *text)
{
	char safe[1024];
	size_t n = 0;
	json_t *whole = json_string(text);

	if (whole)
		return whole;
	for (; *text && n < sizeof safe - 4; text++) {
		bool ascii = (unsigned char)*text < 0x80;

		memcpy(safe + n, ascii ? text : "\xef\xbf\xbd", ascii ? 1 : 3);
		n += ascii ? 1 : 3;
	}
	safe[n] = '\0';
	return json_string(safe);
}

json_t *json_number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *json_moment(int64_t s)
{
	char text[MOMENT_TEXT];

	return s ? json_string(moment_text(s, text)) : json_null();
}

int64_t json_moment_read(const char *text)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	return end && !*end ? timegm(&tm) : 0;
}

json_t *json_octets(struct span s)
{
	return s.len && memchr(s.at, '\0', s.len) ? NULL : json_stringn(s.len ? s.at : "", s.len);
}

static int add(const char *octets, size_t len, void *out)
{
	return buf_add(out, (struct span){ octets, len }) ? 0 : -1;
}

bool json_write(struct buf *out, const json_t *value)
{
	size_t len = out->len;

	if (json_dump_callback(value, add, out, JSON_COMPACT) == 0)
		return true;
	out->len = len;
	return false;
}

const char *json_member_text(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

uint64_t json_member_number(const json_t *row, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(row, name));

	return n > 0 ? (uint64_t)n : 0;
}

bool json_member_flag(const json_t *row, const char *name)
{
	return json_is_true(json_object_get(row, name));
}
