/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/section.h"

static struct given key(const char *name, uint32_t line)
{
	struct given g = { .name = name, .where = { "f", line }, .kept = true };

	assert_true(option_find(connection_rows, span_of(name), &g));
	return g;
}

static void keys_and_their_places(void **state)
{
	struct given given[] = { key("port", 3), key("tls", 5), key("tls.min", 6), key("port", 9) };
	struct section s = { "connection", "box", { "f", 1 }, given, COUNT(given) };

	(void)state;
	assert_ptr_equal(section_given(&s, "tls.min"), &given[2]);
	assert_ptr_equal(section_given(&s, "port"), &given[3]);	/* the last one counts */
	assert_null(section_given(&s, "host"));
	assert_int_equal(section_where(&s, "tls").line, 5);
	assert_int_equal(section_where(&s, "host").line, 1);
	assert_int_equal(section_where(&s, NULL).line, 1);
}

static void words_of_messages(void **state)
{
	struct given given[] = { key("port", 3), key("user", 0) };
	struct section box = { "connection", "box", { "f", 1 }, given, COUNT(given) }, top = { .where = { "f", 2 } }, url = { .title = "pop3://h" };
	struct settings settings = { 0 };
	char memory[500];
	struct buf out;
	struct report r;

	(void)state;
	given[1].where.file = NULL;
	buf_lend(&out, memory, sizeof memory);
	report_start(&r, &settings.arena);
	section_error(&box, &r, "port", "is %d", 7);
	section_error(&box, &r, NULL, "whole");
	section_error(&box, &r, "user", "by hand");
	section_error(&top, &r, "state", "odd");
	section_error(&url, &r, NULL, "bare");
	section_warning(&box, &r, "port", "hm");
	report_errors(&r, &out);
	assert_true(buf_terminate(&out));
	assert_string_equal(memory, "--user: by hand\npop3://h: bare\n"
		"f:1: connection box: whole\nf:2: state: odd\nf:3: connection box: port: is 7\n");
	report_warnings(&r, &settings);
	assert_string_equal(settings.warnings[0], "f:3: connection box: port: hm");
	report_end(&r);
	arena_end(&settings.arena);
}

static void applying_goes_on_behind_an_error(void **state)
{
	struct given given[] = { key("port", 3), key("pull", 4), key("idle", 5), key("proxy", 6) };
	struct section s = { "connection", "box", { "f", 1 }, given, COUNT(given) };
	struct settings settings = { 0 };
	struct connection c = { 0 };
	struct report r;

	(void)state;
	report_start(&r, &settings.arena);
	given[0].values = option_split(given[0].option, "0", &settings.arena);
	given[1].values = option_split(given[1].option, "last", &settings.arena);
	given[2].values = option_split(given[2].option, "true", &settings.arena);
	given[3].values = option_split(given[3].option, "socks5://h:1", &settings.arena);
	section_apply(&s, connection_rows, &c, &r);
	assert_true(r.wrong);
	assert_int_equal(r.count, 2);	/* one error, one warning */
	assert_int_equal(c.port, 0);
	assert_int_equal(c.pull, PULL_LAST);
	assert_true(c.idle);
	assert_int_equal(c.timeout_ms, 60000);
	report_end(&r);
	arena_end(&settings.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_their_places),
		cmocka_unit_test(words_of_messages),
		cmocka_unit_test(applying_goes_on_behind_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
