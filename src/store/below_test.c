/* SPDX-License-Identifier: Apache-2.0
 *
 * syscall is wrapped, so that a kernel without openat2 is there too. */
#include "store/below.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "store/fixture.h"

static int no_openat2;		/* the errno that it says */
static unsigned openat2s;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	long a[4];
	va_list all;

	va_start(all, number);
	for (size_t n = 0; n < COUNT(a); n++)
		a[n] = va_arg(all, long);
	va_end(all);
	openat2s += number == SYS_openat2;
	if (number == SYS_openat2 && no_openat2) {
		errno = no_openat2;
		return -1;
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3]);
}

static const char *directory;

static const char *at(const char *name)
{
	static char paths[16][300];
	static unsigned turn;
	char *path = paths[turn++ % COUNT(paths)];

	(void)snprintf(path, sizeof paths[0], "%s/%s", directory, name);
	return path;
}

static void make_directory(const char *name)
{
	assert_int_equal(mkdir(at(name), 0700), 0);
}

static void make_link(const char *to, const char *name)
{
	assert_int_equal(symlink(to, at(name)), 0);
}

static void make_file(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
}

/* `real` is what is meant by the path that is configured, `anna`. */
static void begin(void)
{
	directory = fixture_directory();
	for (const char *const *name = (const char *const[]){ "real", "real/cur", "real/.f", "real/.f/cur", "real/.g", "boss", "boss/cur", NULL }; *name; name++)
		make_directory(*name);
	make_link("real", "anna");
	make_file("boss/cur/1");
	make_file("real/cur/1");
	make_file("real/.f/cur/1");
	make_link("../boss", "real/.steal");
	make_link("../boss/cur", "real/new");
	make_link("../../boss/cur", "real/.g/cur");
	make_link("../../boss/cur/1", "real/cur/2");
	make_link("../../../boss/cur/1", "real/.f/cur/2");
	make_link("cur", "real/.f/new");	/* nor one that stays inside */
}

static const struct row {
	const char *path, *part;
	int flags;
	const char *link;	/* NULL: it is opened */
} rows[] = {
	{ "anna", "", O_DIRECTORY, NULL },
	{ "anna", "cur", O_DIRECTORY, NULL },
	{ "anna", "cur/1", 0, NULL },
	{ "anna/.f", "", O_DIRECTORY, NULL },
	{ "anna/.f", "cur", O_DIRECTORY, NULL },
	{ "anna/.f", "cur/1", 0, NULL },
	{ "anna", "new", O_DIRECTORY, "anna/new" },
	{ "anna", "new/1", 0, "anna/new" },
	{ "anna", "cur/2", 0, "anna/cur/2" },
	{ "anna/.steal", "", O_DIRECTORY, "anna/.steal" },
	{ "anna/.steal", "", O_PATH | O_DIRECTORY, "anna/.steal" },
	{ "anna/.steal", "cur", O_DIRECTORY, "anna/.steal" },
	{ "anna/.steal", "cur/1", 0, "anna/.steal" },
	{ "anna/.g", "cur", O_DIRECTORY, "anna/.g/cur" },
	{ "anna/.g", "cur/1", 0, "anna/.g/cur" },
	{ "anna/.f", "new", O_DIRECTORY, "anna/.f/new" },
	{ "anna/.f", "cur/2", 0, "anna/.f/cur/2" },
};

static void try_row(const struct row *r, bool cached)
{
	char want[400];
	const struct below b = { at(r->path), strlen(at("anna")) };
	int fd = below_open(&b, r->part, r->flags | O_RDONLY, cached);

	if (fd >= 0)
		(void)close(fd);
	if (!r->link && !(cached && fd < 0 && errno == EAGAIN) && fd < 0)
		fail_msg("%s %s: %s", r->path, r->part, strerror(errno));
	if (!r->link)
		return;
	if (fd >= 0)
		fail_msg("%s %s was opened", r->path, r->part);
	if (cached && errno == EAGAIN)
		return;
	assert_false(below_failed(&b, r->part, ERR_LOCAL, &fixture_err));
	(void)snprintf(want, sizeof want, "%s is a symbolic link, and none is followed inside of a Maildir", at(r->link));
	assert_string_equal(fixture_err.text, want);
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
}

static void no_link_is_followed_below_the_account(void **state)
{
	(void)state;
	begin();
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		no_openat2 = 0;
		try_row(r, false);
		try_row(r, true);
		no_openat2 = ENOSYS;
		try_row(r, false);
		no_openat2 = EPERM;
		try_row(r, false);
	}
	no_openat2 = 0;
	fixture_remove(directory);
}

static void what_is_not_there_says_so(void **state)
{
	struct below b;

	(void)state;
	begin();
	b = (struct below){ at("anna/.none"), strlen(at("anna")) };
	for (no_openat2 = 0;; no_openat2 = ENOSYS) {
		assert_int_equal(below_open(&b, "cur/1", O_RDONLY, false), -1);
		assert_int_equal(errno, ENOENT);
		if (no_openat2)
			break;
	}
	no_openat2 = 0;
	assert_false(below_failed(&b, "cur/1", ERR_LOCAL, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_non_null(strstr(fixture_err.text, "anna/.none/cur/1 cannot be opened: No such file"));
	fixture_remove(directory);
}

static void an_inbox_costs_one_open(void **state)
{
	struct below b;
	int fd;

	(void)state;
	begin();
	b = (struct below){ .path = at("anna") };
	openat2s = 0;
	fd = below_open(&b, "cur", O_RDONLY | O_DIRECTORY, false);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(openat2s, 0);
	fd = below_open(&b, "cur/1", O_RDONLY, false);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(openat2s, 1);
	fixture_remove(directory);
}

static void nothing_is_made_through_a_link(void **state)
{
	struct below b;
	int fd, part;

	(void)state;
	begin();
	b = (struct below){ at("anna/.new"), strlen(at("anna")) };
	fd = below_make(&b, &fixture_err);
	assert_true(fd >= 0);
	part = below_make_part(&b, fd, "tmp", &fixture_err);
	assert_true(part >= 0);
	(void)close(part);
	assert_int_equal(access(at("real/.new/tmp"), F_OK), 0);
	make_link("../../boss", "real/.new/cur");
	assert_int_equal(below_make_part(&b, fd, "cur", &fixture_err), -1);
	assert_non_null(strstr(fixture_err.text, "anna/.new/cur is a symbolic link"));
	make_link("../../boss/made", "real/.new/new");		/* of nothing */
	assert_int_equal(below_make_part(&b, fd, "new", &fixture_err), -1);
	assert_non_null(strstr(fixture_err.text, "anna/.new/new is a symbolic link"));
	assert_int_equal(access(at("boss/made"), F_OK), -1);
	(void)close(fd);
	b.path = at("anna/.steal");
	assert_int_equal(below_make(&b, &fixture_err), -1);
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_non_null(strstr(fixture_err.text, "anna/.steal is a symbolic link"));
	fixture_remove(directory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_link_is_followed_below_the_account),
		cmocka_unit_test(what_is_not_there_says_so),
		cmocka_unit_test(an_inbox_costs_one_open),
		cmocka_unit_test(nothing_is_made_through_a_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
