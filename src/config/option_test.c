/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/option.h"

/* A struct and a table of the test's own. */
struct box {
	const char *text, *word;
	bool truth, flags[3];
	uint16_t u16;
	uint32_t u32, ms32, version;
	uint64_t u64, ms64, s64, size;
	enum pull choice;
	struct secret secret;
	struct texts texts;
	struct { const char *path; } inner;
};

#define BOX(field) offsetof(struct box, field), sizeof(((struct box *)0)->field)

static const char *const names[] = { "zero", "one", "two", NULL };
static const struct option inner_rows[] = {
	{ "path", OPTION_PATH, 0, sizeof(const char *), .min = 1 },
	{ "lost", OPTION_TEXT, 0, 0, "x", .help = "" },
	{ 0 }
};
static const struct option rows[] = {
	{ "text", OPTION_TEXT, BOX(text), "dflt", .max = 5 },
	{ "word", OPTION_WORD, BOX(word), .names = names },
	{ "truth", OPTION_BOOL, BOX(truth), "true", .help = "" },
	{ "flags", OPTION_FLAGS, BOX(flags), "one,two", .names = names },
	{ "u16", OPTION_UINT, BOX(u16), "7", .max = 65535 },
	{ "u32", OPTION_UINT, BOX(u32), .help = "" },
	{ "u64", OPTION_UINT, BOX(u64), .help = "" },
	{ "ms32", OPTION_MS, BOX(ms32), .min = 1000 },
	{ "ms64", OPTION_MS, BOX(ms64), "15min", .help = "" },
	{ "s64", OPTION_SECONDS, BOX(s64), "1d", .help = "" },
	{ "size", OPTION_SIZE, BOX(size), "1KB", .max = 1 << 20 },
	{ "choice", OPTION_CHOICE, BOX(choice), "two", .names = names },
	{ "version", OPTION_VERSION, BOX(version), .help = "" },
	{ "secret", OPTION_SECRET, BOX(secret), .help = "" },
	{ "texts", OPTION_TEXTS, BOX(texts), "a, b,,c", .flags = OPTION_FILLED },
	{ "inner", OPTION_SECTION, BOX(inner), .inner = inner_rows },
	{ "gone", OPTION_SECTION, 0, 0, .inner = inner_rows },
	{ 0 }
};

static struct arena arena;
static struct box box;

static bool set(const char *key, const char *text, const char *file, bool exposed, struct err *e)
{
	struct given g = { .name = key, .where = { file, 1 }, .exposed = exposed };

	assert_true(option_find(rows, span_of(key), &g));
	g.values = option_split(g.option, text, &arena);
	return option_set(&g, &box, &arena, e);
}

static bool put(const char *key, const char *text)
{
	struct err e;

	return set(key, text, "/dir/f.conf", false, &e);
}

static int fresh(void **state)
{
	(void)state;
	box = (struct box){ 0 };
	option_defaults(rows, &box, &arena);
	return 0;
}

static void defaults_fill_their_fields(void **state)
{
	(void)state;
	assert_string_equal(box.text, "dflt");
	assert_null(box.word);
	assert_true(box.truth && !box.flags[0] && box.flags[1] && box.flags[2]);
	assert_int_equal(box.u16, 7);
	assert_int_equal(box.ms64, 900000);
	assert_int_equal(box.s64, 86400);
	assert_int_equal(box.size, 1024);
	assert_int_equal(box.choice, 2);
	assert_int_equal(box.texts.count, 3);
	assert_string_equal(box.texts.at[2], "c");
	assert_int_equal(box.secret.kind, SECRET_NONE);
	assert_null(box.inner.path);
}

static void numbers_fit_their_fields_or_are_refused(void **state)
{
	(void)state;
	assert_true(put("u16", "65535"));
	assert_int_equal(box.u16, 65535);
	assert_false(put("u16", "65536"));
	assert_true(put("u32", "4294967295"));
	assert_int_equal(box.u32, UINT32_MAX);
	assert_false(put("u32", "4294967296"));
	assert_int_equal(box.u32, UINT32_MAX);
	assert_true(put("u64", "9223372036854775807"));
	assert_int_equal(box.u64, INT64_MAX);
	assert_true(put("ms32", "49d"));
	assert_false(put("ms32", "50d"));
	assert_false(put("ms32", "0"));
	assert_int_equal(box.ms32, 49u * 86400000);
	assert_true(put("s64", "2min"));
	assert_int_equal(box.s64, 120);
	assert_false(put("size", "2MB"));
	assert_true(put("choice", "one"));
	assert_false(put("choice", "three"));
	assert_int_equal(box.choice, 1);
	assert_true(put("version", "TLSv1.2"));
	assert_int_equal(box.version, VERSION_TLS_1_2);
}

static void texts_and_lists(void **state)
{
	(void)state;
	assert_false(put("text", "toolong"));
	assert_string_equal(box.text, "dflt");
	assert_true(put("text", ""));
	assert_null(box.text);
	assert_true(put("word", "one"));
	assert_string_equal(box.word, "one");
	assert_false(put("word", "three"));
	assert_false(put("texts", ""));
	assert_true(put("texts", "x"));
	assert_int_equal(box.texts.count, 1);
	assert_true(put("flags", ""));
	assert_false(box.flags[1]);
	assert_false(put("flags", "zero,four"));
	assert_false(box.flags[0]);
	assert_true(put("inner.path", "p/./q/"));
	assert_string_equal(box.inner.path, "/dir/p/q");
	assert_false(put("inner.path", ""));
}

static void secrets_and_where_they_are(void **state)
{
	static const struct {
		const char *text, *file;
		bool exposed;
		enum secret_kind kind;
		const char *held;
	} cases[] = {
		{ "geheim", "/dir/f", false, SECRET_LITERAL, "geheim" },
		{ "filet:x", "/dir/f", false, SECRET_LITERAL, "filet:x" },
		{ "file:p", "/dir/f", true, SECRET_FILE, "/dir/p" },
		{ "file:/p", NULL, false, SECRET_FILE, "/p" },
		{ "command:a b", NULL, false, SECRET_COMMAND, "a b" },
		{ "credential:c", "/dir/f", true, SECRET_CREDENTIAL, "c" },
		{ "vault:v", "/dir/f", true, SECRET_VAULT, "v" },
		{ "geheim", "/dir/f", true, SECRET_NONE, NULL },
		{ "geheim", NULL, false, SECRET_NONE, NULL },
		{ "", "/dir/f", false, SECRET_NONE, NULL },
		{ "file:", "/dir/f", false, SECRET_NONE, NULL },
		{ "a\nb", "/dir/f", false, SECRET_NONE, NULL },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(cases); n++) {
		struct err e = { ERR_NONE, "" };

		box.secret = (struct secret){ 0 };
		assert_int_equal(set("secret", cases[n].text, cases[n].file, cases[n].exposed, &e), cases[n].held != NULL);
		assert_int_equal(box.secret.kind, cases[n].kind);
		if (cases[n].held)
			assert_string_equal(box.secret.text, cases[n].held);
		assert_null(strstr(e.text, "geheim"));
	}
}

static void what_nobody_keeps_is_checked_and_wiped(void **state)
{
	static const struct option lost[] = { { "secret", OPTION_SECRET, .help = "" }, { 0 } };
	struct given g = { .option = &lost[0], .where = { "f", 1 } };
	const struct box before = box;
	struct err e;

	(void)state;
	g.values = option_split(&lost[0], "geheim", &arena);
	assert_true(option_set(&g, &box, &arena, &e));
	assert_memory_equal(g.values.at[0], "\0\0\0\0\0\0", 7);
	assert_true(put("gone.path", "/x"));
	assert_true(put("inner.lost", "x"));
	assert_memory_equal(&box, &before, sizeof box);
}

static void names_find_their_rows(void **state)
{
	struct given g;

	(void)state;
	assert_true(option_find(rows, SPAN("inner.path"), &g));
	assert_int_equal(g.at, offsetof(struct box, inner.path));
	assert_true(g.kept);
	assert_true(option_find(rows, SPAN("gone.path"), &g));
	assert_false(g.kept);
	assert_true(option_find(rows, SPAN("inner"), &g));
	for (const char *const *p = (const char *const[]){ "", ".", "inner.", "inner.path.", "inner.path.x", "text.x", "tex", "textt", ".inner", NULL }; *p; p++)
		assert_false(option_find(rows, span_of(*p), &g));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(defaults_fill_their_fields, fresh),
		cmocka_unit_test_setup(numbers_fit_their_fields_or_are_refused, fresh),
		cmocka_unit_test_setup(texts_and_lists, fresh),
		cmocka_unit_test_setup(secrets_and_where_they_are, fresh),
		cmocka_unit_test_setup(what_nobody_keeps_is_checked_and_wiped, fresh),
		cmocka_unit_test(names_find_their_rows),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_end(&arena);
	return failed;
}
