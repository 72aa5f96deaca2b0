/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/saslprep.h"

#include <stringprep.h>

#include "wire/utf8.h"

/* A character of 3 octets can become 18; libidn wants one place more. */
enum { CHARACTERS_MAX = 6 * SASLPREP_IN_MAX + 1 };

/* SASLprep leaves these as they are. */
static bool is_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < ' ' || s.at[i] > '~')
			return false;
	return true;
}

static bool decode(struct span text, uint32_t *c, size_t *count)
{
	*count = 0;
	while (text.len)
		if (!utf8_take(&text, &c[(*count)++]))
			return false;
	return true;
}

static bool encode(const uint32_t *c, size_t count, struct buf *out)
{
	size_t before = out->len;

	for (size_t i = 0; i < count; i++) {
		if (utf8_add(out, c[i]))
			continue;
		wipe(out->at + before, out->len - before);
		out->len = before;
		return false;
	}
	return true;
}

bool saslprep(struct span text, struct buf *out)
{
	uint32_t c[CHARACTERS_MAX];
	size_t count;
	bool good;

	if (text.len > SASLPREP_IN_MAX)
		return false;
	if (is_plain(text))
		return buf_add(out, text);
	good = decode(text, c, &count) && stringprep_4i(c, &count, COUNT(c), 0, stringprep_saslprep) == STRINGPREP_OK && encode(c, count, out);
	wipe(c, sizeof c);
	return good;
}

struct span saslprep_password(struct span password, char memory[SASLPREP_MAX])
{
	struct buf prepared;

	buf_lend(&prepared, memory, SASLPREP_MAX);
	return !is_plain(password) && saslprep(password, &prepared) && prepared.len ? buf_span(&prepared) : password;
}
