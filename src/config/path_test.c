/* SPDX-License-Identifier: Apache-2.0 */
#include "config/path.h"
#include "config/scratch.h"

static struct arena arena;

static void absolute(void **state)
{
	static const struct {
		const char *file, *path, *want;
	} rows[] = {
		{ NULL, "/a/b", "/a/b" }, { NULL, "/a//b/./c/", "/a/b/c" }, { NULL, "/", "/" }, { NULL, "//", "/" }, { NULL, "/.", "/" }, { NULL, "/a/..", "/a/.." },
		{ NULL, "/.a/b.", "/.a/b." }, { NULL, "~", "/h/anna" }, { NULL, "~/x", "/h/anna/x" }, { NULL, "/a/~/b", "/a/~/b" },
		{ "/etc/p/f.conf", "x", "/etc/p/x" }, { "/etc/p/f.conf", "./x", "/etc/p/x" }, { "/etc/p/f.conf", "../x", "/etc/p/../x" },
		{ "/etc/p/f.conf", "~/x", "/h/anna/x" }, { "/etc/p/f.conf", "/x", "/x" }, { "/f.conf", "x", "/x" },
		{ NULL, "x", "HERE/x" }, { NULL, ".", "HERE" }, { NULL, "~x", "HERE/~x" }, { "f.conf", "x", "HERE/x" }, { "d/f.conf", "x", "HERE/d/x" },
	};

	(void)state;
	assert_int_equal(setenv("HOME", "/h/anna", 1), 0);
	for (size_t n = 0; n < COUNT(rows); n++) {
		bool here = strncmp(rows[n].want, "HERE", 4) == 0;
		char want[200];

		(void)snprintf(want, sizeof want, "%s%s", here ? scratch_folder : "", rows[n].want + (here ? 4 : 0));
		assert_string_equal(path_absolute(&arena, rows[n].file, rows[n].path), want);
	}
}

static void home_and_defaults(void **state)
{
	char out[100];

	(void)state;
	assert_int_equal(setenv("HOME", "relative", 1), 0);
	assert_int_equal(path_home()[0], '/');
	assert_int_equal(setenv("HOME", "/h/anna", 1), 0);
	assert_string_equal(path_home(), "/h/anna");
	if (geteuid() == 0) {
		assert_string_equal(path_state(&arena), "/var/lib/postrider");
		assert_string_equal(settings_default_path(out, sizeof out), "/etc/postrider/postrider.conf");
		return;
	}
	assert_string_equal(path_state(&arena), "/h/anna/.local/state/postrider");
	assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
	assert_string_equal(settings_default_path(out, sizeof out), "/h/anna/.config/postrider/postrider.conf");
	assert_int_equal(setenv("XDG_CONFIG_HOME", "/xdg", 1), 0);
	assert_string_equal(settings_default_path(out, sizeof out), "/xdg/postrider/postrider.conf");
}

static int end(void **state)
{
	arena_end(&arena);
	return scratch_end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absolute),
		cmocka_unit_test(home_and_defaults),
	};

	return cmocka_run_group_tests(tests, scratch_start, end);
}
