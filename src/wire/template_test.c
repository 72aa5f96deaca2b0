/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "wire/template.h"

#define ANNA "anna@client1.com"

static const struct row {
	const char *text, *name, *want, *why;	/* want NULL: refused, and why */
} rows[] = {
	{ "/var/mail/%u", ANNA, "/var/mail/" ANNA, NULL },
	{ "/var/mail/%d/%n", ANNA, "/var/mail/client1.com/anna", NULL },
	{ "/var/mail/%n", "anna", "/var/mail/anna", NULL },
	{ "/var/mail/%u/Maildir", "anna", "/var/mail/anna/Maildir", NULL },
	{ "/m%%/%n%%u%%", "anna", "/m%/anna%u%", NULL },
	{ "//var///mail/%u//", "anna", "/var/mail/anna", NULL },
	{ "/srv/anna/Maildir", "anna", "/srv/anna/Maildir", NULL },
	{ "/a/..b/%n/...", "anna", "/a/..b/anna/...", NULL },
	{ "/%n%n-%n", "a", "/aa-a", NULL },
	{ "/var/mail/%d/%n", "anna", NULL, "has no domain" },
	{ "/var/mail/%u", "", NULL, "cannot be part" },
	{ "/var/mail/%n", "@client1.com", NULL, "cannot be part" },
	{ "/var/mail/%n", ".", NULL, "cannot be part" },
	{ "/var/mail/%n", "..", NULL, "cannot be part" },
	{ "/var/mail/%u", "..@client1.com", NULL, "cannot be part" },
	{ "/var/mail/x%n", ".", NULL, "cannot be part" },
	{ "/var/mail/%n", ".lists", NULL, "cannot be part" },
	{ "/var/mail/%n", "a/b", NULL, "cannot be part" },
	{ "/var/mail/%d/%n", "a@..", NULL, "cannot be part" },
	{ "/var/mail/%d/%n", "a@.", NULL, "cannot be part" },
	{ "/var/mail/%d/%n", "a@b/c", NULL, "cannot be part" },
	{ "/var/mail/%n", "a\nb", NULL, "cannot be part" },
	{ "/var/mail/%n", "a\x7f", NULL, "cannot be part" },
	{ "var/mail/%u", ANNA, NULL, "no absolute path" }, { "", ANNA, NULL, "no absolute path" }, { "~/Maildir", ANNA, NULL, "no absolute path" },
	{ "%u", "/etc", NULL, "no absolute path" },
	{ "/", ANNA, NULL, "root of all" }, { "///", ANNA, NULL, "root of all" },
	{ "/var/../%u", ANNA, NULL, "\"..\"" }, { "/var/./%u", ANNA, NULL, "\"..\"" }, { "/var/%u/..", ANNA, NULL, "\"..\"" },
	{ "/proc/self/%u", ANNA, NULL, "/proc, /sys or /dev" }, { "//dev//shm/%u", ANNA, NULL, "/proc, /sys or /dev" },
	{ "/sys/%u", ANNA, NULL, "/proc, /sys or /dev" }, { "/%n/x", "proc", NULL, "/proc, /sys or /dev" },
	{ "/device/%u", ANNA, "/device/" ANNA, NULL }, { "/var/dev/%n", ANNA, "/var/dev/anna", NULL },
	{ "/var\n/%u", ANNA, NULL, "control" },
	{ "/var/%x", ANNA, NULL, "none of %u" }, { "/var/%", ANNA, NULL, "none of %u" }, { "/var/%%%", ANNA, NULL, "none of %u" },
	{ "/var/%U", ANNA, NULL, "none of %u" },
};

static void a_name_makes_a_path(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char path[PATH_MAX];
		struct err e = { .text = "" };

		if (template_expand(r->text, r->name, path, sizeof path, &e) != (r->want != NULL))
			fail_msg("%s of %s: %s", r->text, r->name, e.text);
		if (r->want)
			assert_string_equal(path, r->want);
		else if (e.kind != ERR_CONFIG || !strstr(e.text, r->why))
			fail_msg("%s of %s: %s", r->text, r->name, e.text);
	}
}

static void what_is_for_many_tells_them_apart(void **state)
{
	static const char *const good[] = { "/var/mail/%u", "/%n", "/%d/%n" }, *const bad[] = { "/var/mail", "/var/%d", "/var/%%u" };
	struct err e;

	(void)state;
	for (size_t n = 0; n < COUNT(good); n++) {
		assert_true(template_check(good[n], true, &e));
		assert_true(template_check(bad[n], false, &e));
		assert_false(template_check(bad[n], true, &e));
		assert_non_null(strstr(e.text, "the same Maildir"));
	}
}

/* Nothing is cut: what does not fit is refused. */
static void a_path_has_its_limits(void **state)
{
	char text[TEMPLATE_MAX + 2] = "/", path[PATH_MAX], name[321];
	struct err e;

	(void)state;
	memset(text + 1, 'a', TEMPLATE_MAX);
	assert_false(template_check(text, false, &e));
	text[TEMPLATE_MAX] = '\0';
	assert_true(template_expand(text, "x", path, TEMPLATE_MAX + 1, &e));
	assert_string_equal(path, text);
	assert_false(template_expand(text, "x", path, TEMPLATE_MAX, &e));
	memset(name, 'n', 320);
	name[320] = '\0';
	for (size_t n = 0; n < 16; n++)
		(void)snprintf(text + 3 * n, sizeof text - 3 * n, "/%%u");
	assert_false(template_expand(text, name, path, sizeof path, &e));
	text[36] = '\0';
	assert_true(template_expand(text, name, path, sizeof path, &e));
	assert_int_equal(strlen(path), 12 * 321);
}

static void a_path_as_it_is(void **state)
{
	char path[16];
	struct err e;

	(void)state;
	assert_true(template_path("/a//%u/", path, sizeof path, &e));
	assert_string_equal(path, "/a/%u");
	assert_false(template_path("/a/../b", path, sizeof path, &e));
	assert_false(template_path("b", path, sizeof path, &e));
	assert_true(template_path("/234567890123456", path, sizeof path, &e) == false);
	assert_true(template_path("/23456789012345", path, sizeof path, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_makes_a_path),
		cmocka_unit_test(what_is_for_many_tells_them_apart),
		cmocka_unit_test(a_path_has_its_limits),
		cmocka_unit_test(a_path_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
