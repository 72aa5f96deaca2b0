/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers: fields lie in the message one behind the other, are found by their
 * name, and are safe to show. */
#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "fuzz.h"
#include "wire/header.h"

static void check_shown(struct span value, size_t size)
{
	char *out = malloc(size), *clean = malloc(size);
	size_t len;

	assert(out && clean);
	header_value(value, out, size);
	len = strnlen(out, size);
	assert(len < size && len <= value.len);
	memcpy(clean, out, len);
	text_clean(clean, len);
	assert(memcmp(clean, out, len) == 0);
	free(out);
	free(clean);
}

static void check_found(struct span message, const struct header_field *field)
{
	char name[80];
	struct span value;
	bool found;

	if (field->name.len >= sizeof name)
		return;
	memcpy(name, field->name.at, field->name.len);
	name[field->name.len] = '\0';
	found = header_find(message, name, &value);
	assert(found && value.at <= field->value.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = { (const char *)data, size }, left = message;
	struct header_field field;
	const char *end = message.at;
	int fields = 0;

	while (header_next(&left, &field)) {
		assert(field.name.len && !span_has_control(field.name));
		assert(field.name.at >= end && field.name.at + field.name.len < field.value.at + 1);
		end = field.value.at + field.value.len;
		assert(end <= left.at && left.at + left.len == message.at + size);
		if (fields++ < 16) {
			check_found(message, &field);
			check_shown(field.value, 1 + size % 40);
		}
	}
	assert(left.at + left.len == message.at + size);
	check_shown(message, 1 + size / 2);
	return 0;
}
