/* SPDX-License-Identifier: Apache-2.0 */
#include "config/test_import.h"

static void formats_have_names(void **state)
{
	static const char *const names[IMPORT_FORMATS] = { "fetchmail", "getmail", "mpop", "mbsync", "bs2000" };
	enum import_format f;

	(void)state;
	for (unsigned n = 0; n < IMPORT_FORMATS; n++) {
		assert_true(import_format_of(names[n], &f));
		assert_int_equal(f, n);
	}
	assert_false(import_format_of("Fetchmail", &f));
	assert_false(import_format_of("", &f));
}

static void no_configuration_at_all(void **state)
{
	static char large[IMPORT_FILE_MAX + 1];

	(void)state;
	for (unsigned n = 0; n < IMPORT_FORMATS; n++) {
		assert_string_equal(import_told((enum import_format)n, SPAN("# x\n\0y")), "wrong: rc:2: an octet 0 stands in it: this is no configuration");
		assert_non_null(strstr(import_told((enum import_format)n, (struct span){ large, sizeof large }), "it is larger than 1 MiB"));
	}
	assert_non_null(strstr(import_told(IMPORT_MPOP, SPAN("\xef\xbb\xbf" "account a\nhost h\nuser u\n")), "connection a {"));
}

/* What a file of a few octets may not do: take all memory, or all day. */
static void large_ones_end(void **state)
{
	static const struct {
		enum import_format format;
		const char *first, *again;
	} rows_[] = {
		{ IMPORT_MPOP, "", "x\n" }, { IMPORT_MPOP, "account a\nkeep on\n", "keep on\n" }, { IMPORT_MPOP, "account a\nhost h\nuser u\naccount b :", "a," },
		{ IMPORT_GETMAIL, "[retriever]\n[d]\nx=", "\n (" }, { IMPORT_GETMAIL, "[retriever]\ntype=SimpleIMAPRetriever\nserver=h\nusername=u\nmailboxes=(", "'a'," },
		{ IMPORT_MBSYNC, "IMAPStore f\nHost h\nUser u\n\nMaildirStore n\n\nChannel c\nFar :f:\nNear :n:\nPatterns ", "a " }, { IMPORT_MBSYNC, "", "Sync All\n" },
		{ IMPORT_BS2000, "", ")" }, { IMPORT_BS2000, "", "a," }, { IMPORT_BS2000, "", "a(" }, { IMPORT_BS2000, "", "a\n" },
		{ IMPORT_FETCHMAIL, "", "wibble " }, { IMPORT_FETCHMAIL, "poll h proto pop3 user u ", "keep " }, { IMPORT_FETCHMAIL, "poll h user u folder ", "'a' " },
		{ IMPORT_FETCHMAIL, "", "poll h user u " },
	};
	static char text[60000];

	(void)state;
	for (size_t n = 0; n < COUNT(rows_); n++) {
		size_t len = strlen(rows_[n].first), step = strlen(rows_[n].again);
		struct buf out;
		struct err e;

		memcpy(text, rows_[n].first, len);
		for (; len + step < sizeof text; len += step)
			memcpy(text + len, rows_[n].again, step);
		buf_start(&out, IMPORT_OUT_MAX);
		if (import_read(rows_[n].format, "rc", (struct span){ text, len }, &out, &e))
			assert_true(out.len > 0);
		else
			assert_int_equal(e.kind, ERR_CONFIG);
		buf_end(&out);
	}
}

static void truths(void **state)
{
	bool truth = false;

	(void)state;
	assert_true(import_truth("", &truth) && truth);
	assert_true(import_truth("No", &truth) && !truth);
	assert_true(import_truth("1", &truth) && truth);
	assert_false(import_truth("maybe", &truth));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_have_names), cmocka_unit_test(no_configuration_at_all), cmocka_unit_test(large_ones_end), cmocka_unit_test(truths),
	};

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
