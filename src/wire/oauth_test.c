/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/oauth.h"

static const struct row {
	unsigned status;
	struct span body;
	enum oauth_said said;
	const char *access, *refresh;	/* or, of a refusal, what `why` has in it */
	uint32_t lasts_s;
} rows[] = {
	/* RFC 6749 section 5.1 */
	{ 200, SPAN("{\"access_token\":\"2YotnFZFEjr1zCsicMWpAA\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"refresh_token\":\"tGzv3JOkF0XG5Qx2TlKWIA\",\"x\":[1]}"),
		OAUTH_GOOD, "2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA", 3600 },
	{ 200, SPAN("{\"access_token\":\"a\",\"token_type\":\"bearer\"}"), OAUTH_GOOD, "a", "", 0 },
	{ 200, SPAN("{\"access_token\":\"a\",\"expires_in\":\"3599\",\"refresh_token\":null}"), OAUTH_GOOD, "a", "", 3599 },
	{ 200, SPAN("{\"access_token\":\"a\",\"expires_in\":99999999999999999999}"), OAUTH_GOOD, "a", "", OAUTH_LASTS_MAX_S },
	{ 200, SPAN("{\"access_token\":\"a\",\"expires_in\":-1}"), OAUTH_GOOD, "a", "", 0 },
	{ 200, SPAN("{\"access_token\":\"a\\/b\\u002b\",\"token_type\":\"BEARER\"}"), OAUTH_GOOD, "a/b+", "", 0 },
	{ 200, SPAN("{\"access_token\":\"a\",\"token_type\":\"mac\"}"), OAUTH_NONSENSE, "bearer", NULL, 0 },
	{ 200, SPAN("{\"access_token\":\"\"}"), OAUTH_NONSENSE, "access_token", NULL, 0 },
	{ 200, SPAN("{\"access_token\":\"a\\r\\nb\"}"), OAUTH_NONSENSE, "access_token", NULL, 0 },
	{ 200, SPAN("{\"access_token\":\"a b\"}"), OAUTH_NONSENSE, "access_token", NULL, 0 },
	{ 200, SPAN("{\"access_token\":\"a\\u0001\"}"), OAUTH_NONSENSE, "access_token", NULL, 0 },
	{ 200, SPAN("{\"access_token\":\"a\",\"access_token\":\"b\"}"), OAUTH_NONSENSE, "access_token", NULL, 0 },
	{ 200, SPAN("{\"access_token\":\"a\",\"refresh_token\":\"b\\u0000c\"}"), OAUTH_NONSENSE, "refresh_token", NULL, 0 },
	{ 200, SPAN("{\"access_token\":{\"a\":1}}"), OAUTH_NONSENSE, "access_token", NULL, 0 },
	{ 200, SPAN("{}"), OAUTH_NONSENSE, "access_token", NULL, 0 },
	{ 200, SPAN("access_token=a"), OAUTH_NONSENSE, "status 200", NULL, 0 },
	{ 200, SPAN(""), OAUTH_NONSENSE, "status 200", NULL, 0 },
	/* section 5.2; RFC 8628 section 3.5 */
	{ 400, SPAN("{\"error\":\"invalid_grant\",\"error_description\":\"Token has been expired or revoked.\"}"), OAUTH_GRANT, "invalid_grant: Token has been expired or revoked.", NULL, 0 },
	{ 400, SPAN("{\"error\":\"invalid_grant\"}"), OAUTH_GRANT, "invalid_grant", NULL, 0 },
	{ 400, SPAN("{\"error\":\"authorization_pending\"}"), OAUTH_PENDING, "authorization_pending", NULL, 0 },
	{ 428, SPAN("{\"error\":\"authorization_pending\"}"), OAUTH_PENDING, "authorization_pending", NULL, 0 },	/* Google's status */
	{ 403, SPAN("{\"error\":\"slow_down\"}"), OAUTH_SLOW_DOWN, "slow_down", NULL, 0 },
	{ 200, SPAN("{\"error\":\"slow_down\"}"), OAUTH_SLOW_DOWN, "slow_down", NULL, 0 },
	{ 400, SPAN("{\"error\":\"expired_token\"}"), OAUTH_EXPIRED, "expired_token", NULL, 0 },
	{ 400, SPAN("{\"error\":\"access_denied\"}"), OAUTH_DENIED, "access_denied", NULL, 0 },
	{ 400, SPAN("{\"error\":\"authorization_declined\"}"), OAUTH_DENIED, "authorization_declined", NULL, 0 },
	{ 401, SPAN("{\"error\":\"invalid_client\"}"), OAUTH_CLIENT, "invalid_client", NULL, 0 },
	{ 400, SPAN("{\"error\":\"invalid_scope\"}"), OAUTH_CLIENT, "invalid_scope", NULL, 0 },
	{ 400, SPAN("{\"error\":\"temporarily_unavailable\"}"), OAUTH_LATER, "temporarily_unavailable", NULL, 0 },
	{ 401, SPAN("<html>"), OAUTH_CLIENT, "status 401", NULL, 0 },
	{ 429, SPAN(""), OAUTH_LATER, "status 429", NULL, 0 },
	{ 503, SPAN("<html>"), OAUTH_LATER, "status 503", NULL, 0 },
	{ 500, SPAN("{\"error\":\"invalid_request\"}"), OAUTH_LATER, "invalid_request", NULL, 0 },
	{ 500, SPAN("{\"error\":\"invalid_grant\"}"), OAUTH_GRANT, "invalid_grant", NULL, 0 },
	{ 404, SPAN("not found"), OAUTH_NONSENSE, "status 404", NULL, 0 },
	{ 302, SPAN(""), OAUTH_NONSENSE, "status 302", NULL, 0 },
	{ 400, SPAN("{\"error\":\"something_new\"}"), OAUTH_NONSENSE, "something_new", NULL, 0 },
	{ 400, SPAN("{\"error\":{\"code\":400,\"message\":\"x\"}}"), OAUTH_NONSENSE, "status 400", NULL, 0 },
	{ 400, SPAN("{\"error\":\"invalid_grant\",\"error_description\":\"a\\nb\\u001b[1m\"}"), OAUTH_GRANT, "invalid_grant: a?b?[1m", NULL, 0 },
};

static char *memory_of(struct buf *b, size_t size)
{
	char *memory = malloc(size);

	assert_non_null(memory);
	buf_lend(b, memory, size);
	return memory;
}

static void answers(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct oauth_answer a;
		struct buf b;
		char *memory = memory_of(&b, OAUTH_MEMORY);

		oauth_token(r->status, r->body, &b, &a);
		if (a.said != r->said)
			fail_msg("%.*s: said %d", (int)r->body.len, r->body.at, (int)a.said);
		assert_int_equal(a.lasts_s, r->lasts_s);
		if (a.said == OAUTH_GOOD) {
			assert_true(span_equal(a.access, span_of(r->access)) && span_equal(a.refresh, span_of(r->refresh)));
			assert_string_equal(a.why, "");
		} else {
			assert_int_equal(a.access.len + a.refresh.len, 0);
			if (!strstr(a.why, r->access))
				fail_msg("%.*s: %s", (int)r->body.len, r->body.at, a.why);
		}
		free(memory);
	}
}

/* The longest that is taken, and one octet more; both at once fit into what is said to be enough. */
static void the_longest_token(void **state)
{
	(void)state;
	for (size_t more = 0; more < 2; more++) {
		size_t size = 2 * OAUTH_TOKEN_MAX + 200, len;
		char *body = malloc(size), *token = malloc(OAUTH_TOKEN_MAX + 2), *memory;
		struct oauth_answer a;
		struct buf b;

		assert_true(body && token);
		memory = memory_of(&b, OAUTH_MEMORY);
		memset(token, 'x', OAUTH_TOKEN_MAX + more);
		token[OAUTH_TOKEN_MAX + more] = '\0';
		len = (size_t)snprintf(body, size, "{\"access_token\":\"%.*s\",\"refresh_token\":\"%s\"}", OAUTH_TOKEN_MAX, token, token);
		assert_true(len < size);
		oauth_token(200, (struct span){ body, len }, &b, &a);
		assert_int_equal(a.said, more ? OAUTH_NONSENSE : OAUTH_GOOD);
		if (!more)
			assert_true(a.access.len == OAUTH_TOKEN_MAX && a.refresh.len == OAUTH_TOKEN_MAX);
		assert_null(strstr(a.why, "xxx"));
		free(memory);
		free(token);
		free(body);
	}
}

#define DEVICE "\"device_code\":\"GmRhm\",\"user_code\":\"WDJB-MJHT\""

static const struct device_row {
	unsigned status;
	struct span body;
	enum oauth_said said;
	const char *uri;
	uint32_t lasts_s, interval_s;
} devices[] = {
	{ 200, SPAN("{" DEVICE ",\"verification_uri\":\"https://example.com/device\",\"verification_uri_complete\":\"https://example.com/device?user_code=WDJB-MJHT\",\"expires_in\":1800,\"interval\":7}"),
		OAUTH_GOOD, "https://example.com/device", 1800, 7 },
	{ 200, SPAN("{" DEVICE ",\"verification_url\":\"https://www.google.com/device\"}"), OAUTH_GOOD, "https://www.google.com/device", 900, 5 },
	{ 200, SPAN("{" DEVICE ",\"verification_uri\":\"http://127.0.0.1/\",\"interval\":0,\"expires_in\":9999999}"), OAUTH_GOOD, "http://127.0.0.1/", OAUTH_DEVICE_MAX_S, 1 },
	{ 200, SPAN("{" DEVICE ",\"verification_uri\":\"https://e.org/\",\"interval\":99999}"), OAUTH_GOOD, "https://e.org/", 900, OAUTH_INTERVAL_MAX_S },
	{ 200, SPAN("{" DEVICE ",\"verification_uri\":\"javascript:alert(1)\"}"), OAUTH_NONSENSE, NULL, 0, 0 },
	{ 200, SPAN("{" DEVICE ",\"verification_uri\":\"https://e.org/\\u001b[2J\"}"), OAUTH_NONSENSE, NULL, 0, 0 },
	{ 200, SPAN("{" DEVICE "}"), OAUTH_NONSENSE, NULL, 0, 0 },
	{ 200, SPAN("{\"device_code\":\"a\",\"verification_uri\":\"https://e.org/\"}"), OAUTH_NONSENSE, NULL, 0, 0 },
	{ 401, SPAN("{\"error\":\"invalid_client\"}"), OAUTH_CLIENT, NULL, 0, 0 },
	{ 400, SPAN("{\"error\":\"invalid_grant\"}"), OAUTH_CLIENT, NULL, 0, 0 },
	{ 503, SPAN(""), OAUTH_LATER, NULL, 0, 0 },
	{ 404, SPAN(""), OAUTH_NONSENSE, NULL, 0, 0 },
};

static void device_answers(void **state)
{
	(void)state;
	for (const struct device_row *r = devices; r < devices + COUNT(devices); r++) {
		struct oauth_device a;
		struct buf b;
		char *memory = memory_of(&b, OAUTH_MEMORY);

		oauth_device(r->status, r->body, &b, &a);
		if (a.said != r->said)
			fail_msg("%.*s: said %d", (int)r->body.len, r->body.at, (int)a.said);
		if (a.said == OAUTH_GOOD) {
			assert_true(span_equal(a.uri, span_of(r->uri)) && span_equal(a.device_code, SPAN("GmRhm")) && span_equal(a.user_code, SPAN("WDJB-MJHT")));
			assert_int_equal(a.lasts_s, r->lasts_s);
			assert_int_equal(a.interval_s, r->interval_s);
		} else {
			assert_true(a.why[0]);
		}
		free(memory);
	}
}

static void forms(void **state)
{
	char memory[64];
	struct buf b;

	(void)state;
	buf_lend(&b, memory, sizeof memory);
	assert_true(oauth_form_add(&b, "grant_type", SPAN("a:b c")));
	assert_true(oauth_form_add(&b, "t", SPAN("\xc3\xa9+/=&~._-")));
	assert_true(span_equal(buf_span(&b), SPAN("grant_type=a%3Ab%20c&t=%C3%A9%2B%2F%3D%26~._-")));
	assert_false(oauth_form_add(&b, "u", SPAN("0123456789012345678901234567890")));
	assert_int_equal(b.len, 45);
	assert_true(oauth_form_add(&b, "e", (struct span){ 0 }));
	assert_true(span_equal(span_from(buf_span(&b), 45), SPAN("&e=")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(the_longest_token),
		cmocka_unit_test(device_answers),
		cmocka_unit_test(forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
