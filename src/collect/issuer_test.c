/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "collect/issuer.h"
#include "wire/oauth.h"

static const struct oauth_keys keys = {
	.flow = OAUTH_REFRESH_TOKEN, .client_id = "a b", .client_secret = { SECRET_LITERAL, "s&t" }, .token_url = "https://i/t", .device_url = "https://i/d", .scope = "x y",
};

static void forms(void **state)
{
	struct oauth_keys o = keys;
	struct issuer i;
	struct buf form;

	(void)state;
	buf_start(&form, ISSUER_FORM_MAX);
	assert_true(issuer_copy(&i, &o));
	assert_true(issuer_refresh(&i, SPAN("s&t"), SPAN("r/1"), &form));
	assert_true(span_equal(buf_span(&form), SPAN("grant_type=refresh_token&refresh_token=r%2F1&client_id=a%20b&client_secret=s%26t&scope=x%20y")));
	buf_wipe(&form);
	assert_true(issuer_device(&i, (struct span){ 0 }, &form));
	assert_true(span_equal(buf_span(&form), SPAN("client_id=a%20b&scope=x%20y")));
	buf_wipe(&form);
	assert_true(issuer_poll(&i, (struct span){ 0 }, SPAN("d c"), &form));
	assert_true(span_equal(buf_span(&form), SPAN("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d%20c&client_id=a%20b")));
	buf_wipe(&form);
	issuer_end(&i);
	o.flow = OAUTH_CLIENT_CREDENTIALS;
	o.scope = NULL;
	assert_true(issuer_copy(&i, &o));
	assert_true(issuer_refresh(&i, SPAN("s"), SPAN("never said"), &form));
	assert_true(span_equal(buf_span(&form), SPAN("grant_type=client_credentials&client_id=a%20b&client_secret=s")));
	buf_wipe(&form);
	issuer_end(&i);
	issuer_end(&i);
}

static void the_longest_fits(void **state)
{
	char *token = malloc(OAUTH_TOKEN_MAX);
	struct issuer i;
	struct buf form;

	(void)state;
	assert_non_null(token);
	memset(token, '/', OAUTH_TOKEN_MAX);
	assert_true(issuer_copy(&i, &keys));
	buf_start(&form, ISSUER_FORM_MAX);
	assert_true(issuer_refresh(&i, (struct span){ token, ISSUER_SECRET_MAX }, (struct span){ token, OAUTH_TOKEN_MAX }, &form));
	buf_wipe(&form);
	issuer_end(&i);
	free(token);
}

static void what_makes_another_one(void **state)
{
	struct issuer i;

	(void)state;
	assert_true(issuer_copy(&i, &keys));
	assert_true(issuer_same(&i, &keys));
	for (size_t n = 0; n < 6; n++) {
		struct oauth_keys o = keys;

		o.flow = n == 0 ? OAUTH_DEVICE : o.flow;
		o.client_id = n == 1 ? "b" : o.client_id;
		o.client_secret.text = n == 2 ? "t" : o.client_secret.text;
		o.token_url = n == 3 ? "https://other/t" : o.token_url;
		o.scope = n == 4 ? NULL : o.scope;
		o.ca_certificates = n == 5 ? "/ca" : NULL;
		assert_false(issuer_same(&i, &o));
	}
	issuer_end(&i);
}

static void what_is_said_back_is_hidden(void **state)
{
	char text[] = "bad: s3cret&1/x tok-3n/456 s3cret%261%2Fx client_id=me czNjcmV0JjEveA==";
	char other[] = "the code D3vice-code is old";
	struct oauth_keys o = keys;
	struct issuer i;
	struct buf form;

	(void)state;
	o.client_secret.text = "s3cret&1/x";
	o.client_id = "me";
	buf_start(&form, ISSUER_FORM_MAX);
	assert_true(issuer_copy(&i, &o));
	assert_true(issuer_refresh(&i, span_of(o.client_secret.text), SPAN("tok-3n/456"), &form));
	issuer_hide(buf_span(&form), text);
	assert_string_equal(text, "bad: ********** ********** ************** client_id=me ****************");
	buf_wipe(&form);
	assert_true(issuer_poll(&i, (struct span){ 0 }, SPAN("D3vice-code"), &form));
	issuer_hide(buf_span(&form), other);
	assert_string_equal(other, "the code *********** is old");
	issuer_hide((struct span){ 0 }, other);
	buf_wipe(&form);
	issuer_end(&i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(what_is_said_back_is_hidden),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(what_makes_another_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
