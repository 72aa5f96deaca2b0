/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text.h"
#include "wire/base64.h"
#include "wire/blot.h"

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define LONG FIFTY FIFTY FIFTY TEN TEN TEN TEN ". "
#define TOKEN "eyJhbGciOiJSUzI1NiJ9.c29tZXRoaW5nLWxvbmc.d2l0aC1hLXNpZ25hdHVyZQ"

static const struct row {
	const char *name, *secret, *text, *want;
} rows[] = {
	{ "as it is", "s3cr3tPW", "bad password s3cr3tPW here", "bad password ******** here" },
	{ "twice", "s3cr3tPW", "s3cr3tPWs3cr3tPW", "****************" },
	{ "in other cases", "s3cr3tPW", "BAD S3CR3TPW", "BAD ********" },
	{ "over two lines of a reply", "s3cr3tPW", "no s3cr 3tPW", "no *********" },
	{ "with blanks", "correct horse", "no correct horse, correcthorse", "no *************, ************" },
	{ "escaped in a quoted string", "a\"b\\cdef", "LOGIN u a\\\"b\\\\cdef?", "LOGIN u **********?" },
	{ "letters that were not safe", "s\303\244cr\1et", "no s??cr?et", "no ********" },
	{ "alone in base64", "s3cr3tPW", "334 czNjcjN0UFc=", "334 ************" },
	{ "behind one octet", "s3cr3tPW", "AHMzY3IzdFBX.", "************." },
	{ "PLAIN", "s3cr3tPW", "501 cannot parse: AUTH PLAIN AHIAczNjcjN0UFc=", "501 cannot parse: AUTH PLAIN ****************" },
	{ "PLAIN, the user longer", "s3cr3tPW", "AUTH PLAIN AHJyAHMzY3IzdFBX'", "AUTH PLAIN ****************'" },
	{ "PLAIN, longer still", "s3cr3tPW", "<AHJycgBzM2NyM3RQVw==>", "<********************>" },
	{ "something behind it", "s3cr3tPW", "dXNlcj1yAWF1dGg9QmVhcmVyIHMzY3IzdFBXAQE=", "****************************************" },
	{ "split", "s3cr3tPW", "AUTH PLAIN AHIAczNj cjN0UFc=", "AUTH PLAIN *****************" },
	{ "in capitals", "s3cr3tPW", "AUTH PLAIN AHIACZNJCJN0UFC=", "AUTH PLAIN ****************" },
	{ "for URLs", "\377\376>?abc", "__4-P2FiYw", "**********" },
	{ "cut, as it is", "s3cr3tPW", LONG "no s3cr", LONG "no ****" },
	{ "cut, in a quotation", "s3cr3tPW", LONG "said \"no s3c\"; and", LONG "said \"no ***\"; and" },
	{ "cut, in base64", "s3cr3tPW", LONG "AHIAczNjcj", LONG "**********" },
	{ "not cut: a word of it", "password1", "no such password", "no such password" },
	{ "a token", TOKEN, "Bearer " TOKEN " is no good", "Bearer *************************************************************** is no good" },
	{ "a token's part", TOKEN, "(29tZXRoaW5nLWxvbmc.d2)", "(29*******************)" },
	{ "a token's end", TOKEN, "C1hLXNpZ25hdHVyZQ!", "C1***************!" },
	{ "a token in base64, cut", TOKEN, "b j1hLmIBYXV0aD1CZWFyZXIgZXlKaGJHY2lPaUpTVXpJMU5pSjkuYzI5dFpY e", "b *********************************************************** e" },
	{ "of three letters", "abc", "abc a bc YWJj eWFiYw== ABC", "*** a bc **** ******** ***" },
	{ "of one", "a", "banana YQ==", "b*n*n* YQ==" },
	{ "of asterisks", "***", "a****b", "a****b" },
	{ "none", "", "a", "a" },
	{ "other base64", "s3cr3tPW", "334 UGFzc3dvcmQ6", "334 UGFzc3dvcmQ6" },
	{ "nothing said", "s3cr3tPW", "", "" },
};

static void what_is_said(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char text[512];
		struct span where;

		(void)snprintf(text, sizeof text, "%s", r->text);
		if (blot_find(span_of(text), span_of(r->secret), &where) != (strcmp(r->name, "of asterisks") == 0 || strcmp(r->text, r->want) != 0))
			fail_msg("%s: is it found", r->name);
		blot_out(text, span_of(r->secret));
		if (strcmp(text, r->want) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", r->name, text, r->want);
	}
}

/* A secret of any length behind anything in base64, cut in front anywhere before it. */
static void wherever_in_base64(void **state)
{
	(void)state;
	for (size_t len = 2; len < 70; len++)
		for (size_t before = 0; before < 5; before++) {
			char plain[100], coded[140];
			struct span text, where;
			struct buf b;

			for (size_t i = 0; i < before + len + 2; i++)
				plain[i] = (char)(i * 37 + len * 11 + before);
			buf_lend(&b, coded, sizeof coded);
			assert_true(base64_encode((struct span){ plain, before + len + 2 }, &b));
			for (size_t cut = 0; cut <= before * 8 / 6; cut++) {
				text = span_from(buf_span(&b), cut);
				assert_true(blot_find(text, (struct span){ plain + before, len }, &where));
				assert_ptr_equal(where.at, text.at);
				assert_int_equal(where.len, text.len);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said),
		cmocka_unit_test(wherever_in_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
