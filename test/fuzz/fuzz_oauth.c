/* SPDX-License-Identifier: Apache-2.0
 *
 * An issuer's answers: whatever it says, a token can stand in a protocol's line, and what is shown can be shown. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/oauth.h"

static void check_why(enum oauth_said said, const char why[OAUTH_WHY])
{
	assert(said < OAUTH_SAIDS && (said == OAUTH_GOOD) == !why[0]);
	assert(memchr(why, '\0', OAUTH_WHY) && !span_has_control(span_of(why)));
}

static void check_shown(struct span text)
{
	for (size_t n = 0; n < text.len; n++)
		assert(text.at[n] > ' ' && text.at[n] <= '~');
}

static void check_form(struct span body)
{
	char *memory = malloc(3 * body.len + 2);
	struct buf b;
	bool good;

	assert(memory);
	buf_lend(&b, memory, 3 * body.len + 2);
	good = oauth_form_add(&b, "t", body);
	assert(good);
	check_shown(buf_span(&b));
	assert(span_find(buf_span(&b), '&') == b.len);
	free(memory);
}

/* The first octet is the status. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned statuses[] = { 200, 400, 401, 403, 428, 429, 500, 503, 302 };
	unsigned status = size ? statuses[data[0] % COUNT(statuses)] : 200;
	size_t len = size ? size - 1 : 0;
	char *body = malloc(len + !len), *memory = malloc(OAUTH_MEMORY);
	struct oauth_answer a;
	struct oauth_device d;
	struct buf b;

	assert(body && memory);
	if (len)
		memcpy(body, data + 1, len);
	buf_lend(&b, memory, OAUTH_MEMORY);
	oauth_token(status, (struct span){ body, len }, &b, &a);
	check_why(a.said, a.why);
	assert(a.said != OAUTH_GOOD || (status == 200 && oauth_token_good(a.access) && (!a.refresh.len || oauth_token_good(a.refresh))));
	assert(a.said == OAUTH_GOOD || (!a.access.len && !a.refresh.len));
	buf_lend(&b, memory, OAUTH_MEMORY);
	oauth_device(status, (struct span){ body, len }, &b, &d);
	check_why(d.said, d.why);
	assert(d.said != OAUTH_GOOD || (d.device_code.len && d.user_code.len && d.uri.len && d.interval_s));
	check_shown(d.uri);
	check_shown(d.uri_complete);
	check_shown(d.user_code);
	check_form((struct span){ body, len });
	free(body);
	free(memory);
	return 0;
}
