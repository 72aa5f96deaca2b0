/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include <fcntl.h>

#include "control/ask.h"
#include "control/json.h"
#include "control/test_instance.h"

enum { LARGE = 400000, MANY = 700 };

static const char *state_directory;
static char home[64];
static struct instance instance;
static struct ask *ask;

static int start(void **state)
{
	(void)state;
	(void)snprintf(home, sizeof home, "%s", fixture_directory());
	state_directory = fixture_directory();
	instance_start(&instance, state_directory);
	must(ask_open(&(struct ask_with){ .state = state_directory, .store_map = FIXTURE_MAP, .what = "postrider test" }, &ask, &fixture_err));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	ask_close(&ask);
	instance_stop(&instance);
	fixture_remove(state_directory);
	fixture_remove(home);
	return 0;
}

static void put_file(const char *directory, const char *name, struct span octets)
{
	char path[200];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s/%s", home, directory, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, octets.at, octets.len), octets.len);
	(void)close(fd);
}

static const char *place(const char *form, const char *name)
{
	static char text[200];

	(void)snprintf(text, sizeof text, "%s:%s/%s", form, home, name);
	return text;
}

static void same_files(const char *one, const char *two)
{
	char command[400];

	(void)snprintf(command, sizeof command, "%s/%s", home, one);
	assert_int_equal(access(command, F_OK), 0);
	for (int n = 1;; n++) {
		char a[200], b[200], left[4096], right[4096];
		ssize_t got, other;
		int x, y;

		(void)snprintf(a, sizeof a, "%s/%s/%08d.eml", home, one, n);
		(void)snprintf(b, sizeof b, "%s/%s/%08d.eml", home, two, n);
		x = open(a, O_RDONLY | O_CLOEXEC);
		y = open(b, O_RDONLY | O_CLOEXEC);
		assert_int_equal(x < 0, y < 0);
		if (x < 0)
			return;
		do {
			got = read(x, left, sizeof left);
			other = read(y, right, sizeof right);
			assert_int_equal(got, other);
			assert_memory_equal(left, right, (size_t)got);
		} while (got > 0);
		(void)close(x);
		(void)close(y);
	}
}

static void every_form_both_ways(void **state)
{
	static const char *const forms[] = { "maildir", "mbox", "eml" };
	char *large = fixture_octets(LARGE), name[40], box[40], path[200];
	uint64_t count;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/in", home);
	assert_int_equal(mkdir(path, 0700), 0);
	put_file("in", "00000001.eml", SPAN("Subject: one\n\nlone line ends\n.\nFrom here\n"));
	put_file("in", "00000002.eml", (struct span){ large, LARGE });
	put_file("in", "00000003.eml", SPAN(""));
	put_file("in", "00000004.eml", SPAN("Subject: four\r\n\r\n"));
	must(ask_import(ask, "anna/INBOX", place("eml", "in"), &count, &fixture_err));
	assert_int_equal(count, 4);
	must(ask_export(ask, "anna/INBOX", place("eml", "first"), &count, &fixture_err));
	assert_int_equal(count, 4);
	for (size_t n = 0; n < COUNT(forms); n++) {
		(void)snprintf(name, sizeof name, "out-%s", forms[n]);
		(void)snprintf(box, sizeof box, "anna/%s", forms[n]);
		must(ask_export(ask, "anna/INBOX", place(forms[n], name), &count, &fixture_err));
		assert_int_equal(count, 4);
		must(ask_import(ask, box, place(forms[n], name), &count, &fixture_err));
		assert_int_equal(count, 4);
		(void)snprintf(name, sizeof name, "again-%s", forms[n]);
		must(ask_export(ask, box, place("eml", name), &count, &fixture_err));
		if (strcmp(forms[n], "eml") == 0)	/* LF forms give the last line an end */
			same_files("first", name);
	}
	free(large);
}

static void many_messages_by_pages(void **state)
{
	char path[200], name[40];
	uint64_t count;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/in", home);
	assert_int_equal(mkdir(path, 0700), 0);
	for (int n = 1; n <= MANY; n++) {
		(void)snprintf(path, sizeof path, "Subject: %d\r\n\r\n", n);
		(void)snprintf(name, sizeof name, "%08d.eml", n);
		put_file("in", name, span_of(path));
	}
	must(ask_import(ask, "anna/INBOX", place("eml", "in"), &count, &fixture_err));
	assert_int_equal(count, MANY);
	must(ask_export(ask, "anna/INBOX", place("eml", "out"), &count, &fixture_err));
	assert_int_equal(count, MANY);
	same_files("in", "out");
}

static void what_fails(void **state)
{
	uint64_t count = 99;
	char path[200];
	struct err e;

	(void)state;
	(void)snprintf(path, sizeof path, "%s/in", home);
	assert_int_equal(mkdir(path, 0700), 0);
	put_file("in", "1.eml", SPAN("a\r\n"));
	assert_false(ask_import(ask, "nobody/INBOX", place("eml", "in"), &count, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.text, "no account nobody"));
	assert_int_equal(count, 0);
	assert_false(ask_import(ask, "anna/INBOX", place("zip", "in"), &count, &e));
	assert_non_null(strstr(e.text, "maildir:DIR"));
	assert_false(ask_import(ask, "anna/INBOX", place("eml", "none"), &count, &e));
	assert_false(ask_export(ask, "anna/none", place("eml", "made"), &count, &e));
	assert_non_null(strstr(e.text, "no mailbox anna/none"));
	(void)snprintf(path, sizeof path, "%s/made", home);
	assert_int_equal(access(path, F_OK), -1);
	must(ask_import(ask, "anna/INBOX", place("eml", "in"), &count, &fixture_err));	/* the talk goes on after all that */
	assert_false(ask_export(ask, "anna/INBOX", place("eml", "in"), &count, &e));
	assert_non_null(strstr(e.text, "nothing is overwritten"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_form_both_ways, start, stop), cmocka_unit_test_setup_teardown(many_messages_by_pages, start, stop),
		cmocka_unit_test_setup_teardown(what_fails, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
