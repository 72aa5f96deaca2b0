/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "base/err.h"

static void text_reads_from_the_outside_in(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_false(err_set(&e, ERR_CONFIG, "%d is not in %d..%d", 5, 30, 86400));
	assert_false(err_in(&e, "option %s", "interval"));
	assert_false(err_in(&e, "%s:%d", "mail.conf", 12));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_string_equal(e.text, "mail.conf:12: option interval: 5 is not in 30..86400");
}

static void a_new_error_replaces_the_old(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, ERR_NET, "no route");
	err_set(&e, ERR_LOCAL, "after: %s", e.text);
	assert_int_equal(e.kind, ERR_LOCAL);
	assert_string_equal(e.text, "after: no route");
	err_in(&e, "[%s]", e.text);
	assert_string_equal(e.text, "[after: no route]: after: no route");
}

static const struct row {
	const char *name;
	struct span words;
	const char *text;
} rows[] = {
	{ "plain",                SPAN("-ERR no such mailbox"),   "RETR 3: server said \"-ERR no such mailbox\"" },
	{ "nothing",              SPAN(""),                       "RETR 3: server said \"\"" },
	{ "the line end goes",    SPAN("-ERR no\r\n"),            "RETR 3: server said \"-ERR no\"" },
	{ "a line within",        SPAN("-ERR\r\nerror x=1"),      "RETR 3: server said \"-ERR??error x=1\"" },
	{ "NUL, escape, DEL",     SPAN("a\0b\x1b[0m\x7f"),        "RETR 3: server said \"a?b?[0m?\"" },
	{ "quotes stay ours",     SPAN("no\": disk full: \""),    "RETR 3: server said \"no': disk full: '\"" },
	{ "UTF-8",                SPAN("gro\xc3\x9f"),            "RETR 3: server said \"gro\xc3\x9f\"" },
	{ "not UTF-8",            SPAN("gro\xdf"),                "RETR 3: server said \"gro?\"" },
};

static void the_peer_s_words_stay_apart(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct err e = { 0 };

		err_set(&e, ERR_PEER, "RETR %d", 3);
		assert_false(err_peer(&e, r->words));
		assert_int_equal(e.kind, ERR_PEER);
		if (strcmp(e.text, r->text) != 0)
			fail_msg("%s: %s", r->name, e.text);
	}
}

static void another_than_a_server_said_it(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, ERR_TLS, "no TLS");
	assert_false(err_said(&e, "client", SPAN("GET \"/\"\r\n")));
	assert_string_equal(e.text, "no TLS: client said \"GET '/'\"");
}

static void long_text_is_cut_at_the_end(void **state)
{
	static char words[70000];
	struct err e = { 0 };

	(void)state;
	memset(words, 'w', sizeof words);
	err_set(&e, ERR_PEER, "x");
	err_peer(&e, (struct span){ words, sizeof words });
	assert_int_equal(strlen(e.text), strlen("x: server said \"\"") + 200);
	words[sizeof words - 1] = '\0';
	err_in(&e, "%s", words);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_in(&e, "here");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_true(span_starts(span_of(e.text), SPAN("here: www")));
	err_peer(&e, SPAN("more"));
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_set(&e, ERR_PEER, "%s", words);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	errno = ENOENT;
	err_errno(&e, ERR_LOCAL, "%s", words);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void the_system_s_reason(void **state)
{
	struct err e = { 0 };

	(void)state;
	errno = ENOENT;
	assert_false(err_errno(&e, ERR_LOCAL, "%s cannot be opened", "/x"));
	assert_int_equal(e.kind, ERR_LOCAL);
	assert_string_equal(e.text, "/x cannot be opened: No such file or directory");
}

static void every_kind_has_its_name(void **state)
{
	static const struct { enum err_kind kind; const char *name; } kinds[] = {
		{ ERR_NONE, "none" }, { ERR_BUSY, "busy" }, { ERR_NET, "net" }, { ERR_PEER, "peer" },
		{ ERR_TLS, "tls" }, { ERR_AUTH, "auth" }, { ERR_LOCAL, "local" }, { ERR_CONFIG, "config" },
	};

	(void)state;
	assert_int_equal(COUNT(kinds), ERR_KINDS);
	for (size_t i = 0; i < COUNT(kinds); i++)
		assert_string_equal(err_kind_name(kinds[i].kind), kinds[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_reads_from_the_outside_in),
		cmocka_unit_test(a_new_error_replaces_the_old),
		cmocka_unit_test(the_peer_s_words_stay_apart),
		cmocka_unit_test(another_than_a_server_said_it),
		cmocka_unit_test(long_text_is_cut_at_the_end),
		cmocka_unit_test(the_system_s_reason),
		cmocka_unit_test(every_kind_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
