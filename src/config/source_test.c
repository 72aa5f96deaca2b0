/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scratch.h"
#include "config/source.h"

static struct arena arena;

/* Reads `text` alone; what libConfuse would get, with its lines' places, or the report. */
static const char *written(struct span text)
{
	static char memory[8192];
	struct report report;
	struct source s;
	struct buf out;

	scratch_write("c.conf", text, 0640);
	buf_lend(&out, memory, sizeof memory);
	report_start(&report, &arena);
	source_start(&s, settings_rows, &arena, &arena, &report);
	if (source_read(&s, "c.conf", (struct where){ 0 }) && !report.wrong) {
		assert_true(buf_add(&out, buf_span(&s.script.text)));
		for (size_t n = 0; n < s.script.place_count; n++) {
			const struct place *p = script_place(&s.script, (int)n + 1);

			assert_string_equal(p->where.file, "c.conf");
			assert_true(p->exposed);
			assert_true(buf_printf(&out, " %u%s", p->where.line, p->expands ? "*" : ""));
		}
		for (size_t n = 0; n < s.script.section_count; n++)
			assert_true(buf_printf(&out, " {%u", s.script.sections[n]));
	}
	report_errors(&report, &out);
	assert_true(buf_terminate(&out));
	source_end(&s);
	report_end(&report);
	return memory;
}

static const struct row {
	struct span text;
	const char *want;
} rows[] = {
	{ SPAN(""), "" },
	{ SPAN("# nothing\n/* at\nall */\n"), "" },
	{ SPAN("\n\nstate = /a store=lmdb\n"), "'state' = '/a'\n'store' = 'lmdb' 3 3" },
	{ SPAN("state =\n'\\a\\'\n"), "'state' = '\\\\a\\\\' 1" },
	{ SPAN("state = \"${HOME}\"\nstore = \"\\${x}\""), "'state' = \"${HOME}\"\n'store' = \"\\${x}\" 1* 2" },
	{ SPAN("log {\nlevel = info\n}\n"), "'log'  {\n'level' = 'info' } 1 2 {1" },
	{ SPAN("connection a { auth = {x,\n'y' # z\n, \"w\"} tls { } }\n"),
		"'connection' 'a' {\n'auth' = {'x','y',\"w\"}\n'tls'  { } } 1 1 3 {3 {1" },
	{ SPAN("connection a { auth = {} }"), "'connection' 'a' {\n'auth' = {''} } 1 1 {1" },
	{ SPAN("state {}"), "'state'  { } 1 {1" },
	{ SPAN("connection a { foo = {1, 2} bar { x = 1 } }\nxyz = 1"),
		"c.conf:1: connection a: unknown key foo; leave it out, or see docs/postrider.conf.example for the names\n"
		"c.conf:1: connection a: unknown section bar; leave it out, or see docs/postrider.conf.example for the names\n"
		"c.conf:2: unknown key xyz; leave it out, or see docs/postrider.conf.example for the names\n" },
	{ SPAN("a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{"), "c.conf:1: unknown section a; leave it out, or see docs/postrider.conf.example for the names\n"
		"c.conf:1: a: a: a: a: a: a: a: a: a: a: a: a: a: a: a: a: sections nest too deep\n" },
	{ SPAN("include()"), "c.conf:1: only a file can be called for; write include(\"FILE\")\n" },
	{ SPAN("include('a', 'b')"), "c.conf:1: only a file can be called for; write include(\"FILE\")\n" },
	{ SPAN("include('a'"), "c.conf:1: this ( is not closed; write )\n" },
	{ SPAN(", state = /a"), "c.conf:1: this sign does not belong here; write KEY = VALUE or SECTION { … }\n" },
	{ SPAN("inculde = /a"), "c.conf:1: unknown key inculde; the nearest one is include\n" },
	{ SPAN("level = info"), "c.conf:1: unknown key level; it belongs into log { … }\n" },
};

static void what_libconfuse_gets(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++)
		assert_string_equal(written(rows[n].text), rows[n].want);
}

/* Two files that include each other twice: as many as 2 to the 10th, then an end. */
static void includes_come_to_an_end(void **state)
{
	(void)state;
	scratch_write("d.conf", SPAN("include(c.conf) include(c.conf)"), 0600);
	assert_non_null(strstr(written(SPAN("include(d.conf)\ninclude(d.conf)")), "files include each other too deep; does one include itself?\n"));
}

static int end(void **state)
{
	arena_end(&arena);
	return scratch_end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_libconfuse_gets),
		cmocka_unit_test(includes_come_to_an_end),
	};

	return cmocka_run_group_tests(tests, scratch_start, end);
}
