/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON of strangers: what is an object here is one to Jansson too, and the members that are found are the same (of a
 * name that stands there again with an escape in it, Jansson has the last). */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/jsonin.h"

static const char *const names[] = { "a", "access_token", "error" };

static void compare(const json_t *twin, struct span text, const char *name)
{
	const json_t *value = json_object_get(twin, name);
	char *memory = malloc(text.len + 1);
	struct span found;
	struct buf b;

	assert(memory);
	buf_lend(&b, memory, text.len);
	if (jsonin_member(text, name, &found)) {
		assert(found.at >= text.at && found.at + found.len <= text.at + text.len && found.len);
		assert(value);
		if (jsonin_text(found, &b))
			assert(json_is_string(value) && span_equal(buf_span(&b), (struct span){ json_string_value(value), json_string_length(value) }));
		else
			assert(!json_is_string(value) || memchr(json_string_value(value), '\0', json_string_length(value)));
	}
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + !size);
	struct span text = { copy, size };
	json_t *twin;

	assert(copy);
	if (size)
		memcpy(copy, data, size);
	if (jsonin_object(text)) {
		json_error_t why;

		twin = json_loadb(copy, size, JSON_ALLOW_NUL, &why);
		/* It keeps numbers as they fit into its types. */
		assert(json_is_object(twin) || json_error_code(&why) == json_error_numeric_overflow);
		for (size_t n = 0; n < COUNT(names) && twin && !memmem(copy, size, "\\u", 2); n++)
			compare(twin, text, names[n]);
		json_decref(twin);
	} else {
		struct span value;
		char memory[64];
		struct buf b;

		for (size_t n = 0; n < COUNT(names); n++)
			(void)jsonin_member(text, names[n], &value);
		buf_lend(&b, memory, sizeof memory);
		(void)!jsonin_text(text, &b);
	}
	free(copy);
	return 0;
}
