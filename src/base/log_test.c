/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static char folder[] = "/tmp/log_test.XXXXXX";
static char path[sizeof folder + 8];
static const struct tag account = { NULL, "account", "anna" }, conn = { &account, "conn", "17" };

static void start(enum log_level level, enum log_format format)
{
	struct err e = { 0 };

	(void)unlink(path);
	if (!log_start(level, format, path, &e))
		fail_msg("%s", e.text);
}

/* All that was logged since start. */
static const char *said(void)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	(void)close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void a_line_has_its_tags(void **state)
{
	(void)state;
	start(LOG_INFO, LOG_TEXT);
	log_info(&conn, "message stored number=%u bytes=%zu", 3U, (size_t)10432);
	log_warn(NULL, "no tags");
	log_error(&account, "one tag");
	assert_string_equal(said(), "info account=anna conn=17 message stored number=3 bytes=10432\n"
				    "warn no tags\n"
				    "error account=anna one tag\n");
	start(LOG_DEBUG, LOG_JOURNAL);
	log_error(NULL, "a");
	log_warn(NULL, "b");
	log_info(&conn, "c");
	log_debug(NULL, "d");
	assert_string_equal(said(), "<3>a\n<4>b\n<6>account=anna conn=17 c\n<7>d\n");
}

static void what_is_below_the_level_is_not_written(void **state)
{
	(void)state;
	for (int level = LOG_ERROR; level < LOG_LEVELS; level++) {
		static const char *const want[] = { "error e\n", "error e\nwarn w\n", "error e\nwarn w\ninfo i\n",
						    "error e\nwarn w\ninfo i\ndebug d\n" };

		start((enum log_level)level, LOG_TEXT);
		log_error(NULL, "e");
		log_warn(NULL, "w");
		log_info(NULL, "i");
		log_debug(NULL, "d");
		assert_string_equal(said(), want[level]);
		assert_true(log_wants((enum log_level)level));
		assert_int_equal(log_wants(LOG_DEBUG), level == LOG_DEBUG);
	}
}

/* The object without its time, which is checked here. */
static const char *without_time(const char *line)
{
	static const char form[] = "{\"time\":\"dddd-dd-ddTdd:dd:ddZ\",";

	for (size_t i = 0; i < sizeof form - 1; i++)
		assert_true(form[i] == 'd' ? line[i] >= '0' && line[i] <= '9' : line[i] == form[i]);
	return line + sizeof form - 1;
}

static void json_is_one_object_a_line(void **state)
{
	struct tag odd = { &conn, "user", "a\"b\\c d\n\x1b\xff\xc3\xa9" }, none = { &odd, "none", NULL };

	(void)state;
	start(LOG_INFO, LOG_JSON);
	log_info(NULL, "plain");
	assert_string_equal(without_time(said()), "\"level\":\"info\",\"message\":\"plain\"}\n");
	start(LOG_INFO, LOG_JSON);
	log_warn(&none, "he said \"%s\" \\ \t", "no\r\nyes");
	assert_string_equal(without_time(said()), "\"level\":\"warn\",\"account\":\"anna\",\"conn\":\"17\",\"user\":\"a\\\"b\\\\c d???\xc3\xa9\","
						  "\"none\":\"\",\"message\":\"he said \\\"no??yes\\\" \\\\ ?\"}\n");
}

static void nobody_forges_a_line(void **state)
{
	struct tag forged = { NULL, "user", "a conn=18" }, line = { &forged, "id", "x\nerror y" }, empty = { &line, "uid", "" };
	struct tag quote = { &empty, "q", "a\"b\\" }, none = { &quote, "none", NULL };

	(void)state;
	start(LOG_INFO, LOG_TEXT);
	log_info(&none, "server said %s", "hi\r\ninfo forged\x1b[2J\x7f\xff\xc2\x9b");
	assert_string_equal(said(), "info user=\"a conn=18\" id=\"x?error y\" uid=\"\" q=\"a\\\"b\\\\\" none=\"\" "
				    "server said hi??info forged?[2J????\n");
}

/* Lines, tags and messages of every length around the limits stay one line, and JSON stays JSON. */
static void long_lines_are_cut(void **state)
{
	static char value[LOG_LINE_MAX * 2 + 2], message[LOG_LINE_MAX * 2 + 2];

	(void)state;
	for (size_t n = 0; n < LOG_LINE_MAX * 2; n += n < 900 ? 13 : 1) {
		struct tag tag = { &conn, "long", value }, inner = { &tag, "inner", "i" };
		enum log_format format = n % 2 ? LOG_JSON : LOG_TEXT;
		const char *line;
		size_t quotes = 0;

		memset(value, n % 3 ? 'v' : '"', n);
		value[n] = '\0';
		memset(message, n % 5 ? 'm' : '\\', n);
		message[n] = '\0';
		start(LOG_INFO, format);
		log_info(&inner, "%s", message);
		line = said();
		assert_true(strlen(line) <= LOG_LINE_MAX + 1);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
		for (size_t i = 0; line[i]; i++) {
			if (line[i] == '\\' && format == LOG_JSON)
				i++;
			else if (line[i] == '"')
				quotes++;
		}
		if (format == LOG_TEXT)
			continue;
		assert_int_equal(quotes % 4, 0);
		assert_string_equal(line + strlen(line) - 3, "\"}\n");
		assert_non_null(strstr(line, "\"conn\":\"17\","));
		assert_non_null(strstr(line, ",\"message\":\""));
	}
}

static void a_chain_without_end_of_room(void **state)
{
	static struct tag tags[500];

	(void)state;
	for (size_t i = 0; i < COUNT(tags); i++)
		tags[i] = (struct tag){ i ? &tags[i - 1] : NULL, "name", "value" };
	start(LOG_INFO, LOG_JSON);
	log_info(&tags[COUNT(tags) - 1], "still here");
	assert_non_null(strstr(said(), ",\"message\":\"still here\"}\n"));
	start(LOG_INFO, LOG_TEXT);
	log_info(&tags[COUNT(tags) - 1], "still here");
	assert_non_null(strstr(said(), " still here\n"));
}

static void a_file_is_appended_to(void **state)
{
	struct err e = { 0 };
	struct stat st;

	(void)state;
	(void)umask(0);
	start(LOG_INFO, LOG_TEXT);
	log_info(NULL, "a");
	assert_true(log_start(LOG_INFO, LOG_TEXT, path, &e));
	log_info(NULL, "b");
	assert_string_equal(said(), "info a\ninfo b\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_false(log_start(LOG_DEBUG, LOG_JSON, folder, &e));	/* a folder: all stays as it was */
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.text, folder));
	log_info(NULL, "c");
	log_debug(NULL, "d");
	assert_string_equal(said(), "info a\ninfo b\ninfo c\n");
}

static void standard_error_is_the_default(void **state)
{
	int saved = dup(STDERR_FILENO);
	struct err e = { 0 };

	(void)state;
	start(LOG_INFO, LOG_TEXT);
	assert_true(log_start(LOG_INFO, LOG_TEXT, NULL, &e));
	(void)fflush(stderr);
	assert_true(freopen(path, "a", stderr) != NULL);
	log_info(NULL, "a");
	assert_true(log_start(LOG_INFO, LOG_TEXT, "stderr", &e));
	log_info(NULL, "b");
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	assert_string_equal(said(), "info a\ninfo b\n");
}

static void errno_stays(void **state)
{
	struct err e = { 0 };

	(void)state;
	start(LOG_INFO, LOG_TEXT);
	if (access("/dev/full", W_OK) == 0)
		assert_true(log_start(LOG_INFO, LOG_TEXT, "/dev/full", &e));
	errno = EDOM;
	log_info(NULL, "%d: %m", 1);
	assert_int_equal(errno, EDOM);
	start(LOG_INFO, LOG_TEXT);
	errno = EDOM;
	log_info(NULL, "%d", 1);
	assert_int_equal(errno, EDOM);
}

/* -1: no descriptor is this file's. */
static int descriptor_of(const char *file)
{
	struct stat want, is;

	assert_int_equal(stat(file, &want), 0);
	for (int fd = STDERR_FILENO + 1; fd < 100; fd++)
		if (fstat(fd, &is) == 0 && is.st_dev == want.st_dev && is.st_ino == want.st_ino)
			return fd;
	return -1;
}

/* A thread that is about to write must not write to what gets the number of a descriptor that was closed. */
static void another_file_has_the_same_descriptor(void **state)
{
	char second[sizeof path + 2];
	struct err e = { 0 };
	int fd;

	(void)state;
	(void)snprintf(second, sizeof second, "%s.2", path);
	start(LOG_INFO, LOG_TEXT);
	fd = descriptor_of(path);
	assert_true(log_start(LOG_INFO, LOG_TEXT, second, &e));
	assert_int_equal(descriptor_of(second), fd);
	assert_int_equal(descriptor_of(path), -1);
	assert_true(log_start(LOG_INFO, LOG_TEXT, NULL, &e));
	assert_int_equal(descriptor_of(second), fd);
	start(LOG_INFO, LOG_TEXT);
	assert_int_equal(descriptor_of(path), fd);
	assert_int_equal(unlink(second), 0);
}

enum { THREADS = 4, LINES = 500 };

static void *many_lines(void *name)
{
	struct tag tag = { NULL, "thread", name };

	for (int i = 0; i < LINES; i++)
		log_info(&tag, "%0200d", i);
	return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
	static char names[THREADS][2] = { "a", "b", "c", "d" };
	pthread_t threads[THREADS];
	int next[THREADS] = { 0 };
	const char *p;

	(void)state;
	start(LOG_INFO, LOG_TEXT);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_lines, names[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (p = said(); *p; p = strchr(p, '\n') + 1) {
		char want[256];
		int t = p[strlen("info thread=")] - 'a';

		assert_true(t >= 0 && t < THREADS);
		snprintf(want, sizeof want, "info thread=%c %0200d\n", 'a' + t, next[t]++);
		assert_memory_equal(p, want, strlen(want));
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(next[i], LINES);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/log", folder);
	return 0;
}

static int remove_folder(void **state)
{
	struct err e;

	(void)state;
	return log_start(LOG_INFO, LOG_TEXT, NULL, &e) && unlink(path) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_its_tags),
		cmocka_unit_test(what_is_below_the_level_is_not_written),
		cmocka_unit_test(json_is_one_object_a_line),
		cmocka_unit_test(nobody_forges_a_line),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(a_chain_without_end_of_room),
		cmocka_unit_test(a_file_is_appended_to),
		cmocka_unit_test(standard_error_is_the_default),
		cmocka_unit_test(errno_stays),
		cmocka_unit_test(another_file_has_the_same_descriptor),
		cmocka_unit_test(threads_do_not_mix_their_lines),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
