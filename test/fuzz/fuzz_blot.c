/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets in texts: what is before the first line end is the secret, what is behind it the text.  Nothing is found in what was
 * blotted out but what asterisks make, lengths stay, and the secret is found wherever it is put: as it is, and in base64. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/base64.h"
#include "wire/blot.h"

static void put_in(struct span secret, struct span text, size_t at)
{
	struct span where, before = { text.at, at }, behind = span_from(text, at);
	struct buf both, coded;
	bool good;

	buf_start(&both, text.len + secret.len + 1);
	buf_start(&coded, (text.len + secret.len + 2) / 3 * 4 + 1);
	good = buf_add(&both, before) && buf_add(&both, secret) && buf_add(&both, behind) && base64_encode(buf_span(&both), &coded);
	assert(good);
	good = blot_find(buf_span(&both), secret, &where);
	assert(good && where.len && where.at >= both.at && where.at + where.len <= both.at + both.len);
	good = secret.len < 2 || blot_find(buf_span(&coded), secret, &where);
	assert(good);
	buf_end(&both);
	buf_end(&coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size < 2000 ? size : 2000 };
	size_t n = span_find(in, '\n');
	struct span secret = { in.at, n }, text = span_from(in, n + 1);
	char *said = malloc(text.len + 1);

	assert(said);
	if (text.len)
		memcpy(said, text.at, text.len);
	said[text.len] = '\0';
	n = strlen(said);
	blot_out(said, secret);
	assert(strlen(said) == n);
	for (size_t i = 0; i < n; i++)
		assert(said[i] == text.at[i] || said[i] == '*');
	if (secret.len)
		put_in(secret, text, text.len / 2);
	free(said);
	return 0;
}
