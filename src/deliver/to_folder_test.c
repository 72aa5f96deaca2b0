/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <fcntl.h>
#include <jansson.h>

#include "deliver/fixture.h"
#include "deliver/split.h"

static char path[128], canonical[160], template[160], found[256];
static struct target box;

#define MESSAGE "From: anna@example.org\r\nSubject: the \"offer\"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" \
	"--b\r\n\r\nhello\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\npdf\r\n--b--\r\n"

static struct world *begin(struct span message)
{
	struct world *w = world(0);

	must(spool_add(w->message, message, &fixture_err));
	(void)snprintf(path, sizeof path, "%s/F", w->directory);
	(void)snprintf(canonical, sizeof canonical, "folder:%s", path);
	(void)snprintf(template, sizeof template, "%s/order.txt", w->directory);
	box = (struct target){ .name = "f", .type = TARGET_FOLDER, .canonical = canonical, .path = path, .prefix = "in" };
	return w;
}

/* What the file of that ending has in it, NUL-terminated; NULL: there is none. */
static char *file_of(const char *ending)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	char *text = NULL;

	while (d && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name), end = strlen(ending);
		int fd;

		if (len < end || strcmp(entry->d_name + len - end, ending) != 0)
			continue;
		assert_null(text);	/* no more than one */
		(void)snprintf(found, sizeof found, "%s", entry->d_name);
		fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC);
		text = calloc(1, 4000001);
		assert_true(fd >= 0 && text && read(fd, text, 4000000) >= 0 && close(fd) == 0);
	}
	if (d)
		(void)closedir(d);
	return text;
}

static void file_is(const char *ending, const char *want)
{
	char *text = file_of(ending);

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static size_t files(void)
{
	return world_files(path, ".", found);
}

static size_t waiting(void)
{
	return world_files(path, ".tmp", found);
}

static json_t *index_read(void)
{
	char *text = file_of(".json");
	json_t *index;

	assert_non_null(text);
	index = json_loads(text, 0, NULL);
	assert_non_null(index);
	free(text);
	return index;
}

static void message_and_index([[maybe_unused]] void **state)
{
	struct world *w = begin(SPAN(MESSAGE));
	json_t *index;

	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_ACCEPTED);
	assert_int_equal(files(), 2);
	assert_int_equal(waiting(), 0);
	file_is(".eml", MESSAGE);
	assert_true(strlen(found) == strlen("in.2026-11-26.031215.eml") && strncmp(found, "in.20", 5) == 0 && isdigit((unsigned char)found[18]));
	index = index_read();
	assert_null(json_object_get(index, "parts"));
	assert_string_equal(json_string_value(json_object_get(json_object_get(index, "headers"), "subject")), "the \"offer\"");
	assert_int_equal(json_array_size(json_object_get(index, "recipients")), 2);
	free(file_of(".eml"));
	assert_string_equal(json_string_value(json_object_get(index, "message")), found);
	json_decref(index);
	world_end(w);
}

static void large_ones_too([[maybe_unused]] void **state)
{
	struct world *w = world(3000000);
	char *text;

	(void)snprintf(path, sizeof path, "%s/F", w->directory);
	(void)snprintf(canonical, sizeof canonical, "folder:%s", path);
	box = (struct target){ .name = "f", .type = TARGET_FOLDER, .canonical = canonical, .path = path, .prefix = "in", .split = true };
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_ACCEPTED);
	text = file_of(".eml");
	assert_non_null(text);
	free(text);
	world_end(w);
}

static void write_template(const char *text)
{
	FILE *f = fopen(template, "w");

	assert_true(f && fputs(text, f) >= 0 && fclose(f) == 0);
	box.template = template;
}

static void a_template_is_filled_in([[maybe_unused]] void **state)
{
	struct world *w = begin(SPAN(MESSAGE));
	json_t *index;

	write_template("order from=\"%from%\" what=\"%SUBJECT%\" 100 %%\n");
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_ACCEPTED);
	assert_int_equal(files(), 3);
	file_is(".txt", "order from=\"anna@example.org\" what=\"the _offer_\" 100 %\n");
	free(file_of(".txt"));
	index = index_read();
	free(file_of(".txt"));
	assert_string_equal(json_string_value(json_object_get(index, "text")), found);
	json_decref(index);
	world_end(w);
}

/* Nothing of a message is seen while its template cannot be used; it may come right. */
static void a_bad_template_defers([[maybe_unused]] void **state)
{
	struct world *w = begin(SPAN(MESSAGE));

	box.template = template;	/* it is not there */
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_DEFERRED);
	assert_non_null(strstr(w->why, template));
	write_template("");
	assert_int_equal(truncate(template, 100000), 0);
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_DEFERRED);
	assert_non_null(strstr(w->why, "64 KiB"));
	assert_int_equal(files(), 0);
	assert_int_equal(waiting(), 0);
	write_template("x");
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_ACCEPTED);
	world_end(w);
}

static void parts_are_files([[maybe_unused]] void **state)
{
	struct world *w;
	json_t *index, *parts;

	if (!split_built())
		skip();
	w = begin(SPAN(MESSAGE));
	box.split = true;
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_ACCEPTED);
	assert_int_equal(files(), 4);
	file_is(".eml", MESSAGE);
	file_is(".body.txt", "hello");
	file_is(".1.a.pdf", "pdf");
	index = index_read();
	parts = json_object_get(index, "parts");
	assert_int_equal(json_array_size(parts), 2);
	free(file_of(".1.a.pdf"));
	assert_string_equal(json_string_value(json_object_get(json_array_get(parts, 1), "file")), found);
	json_decref(index);
	world_end(w);
}

static void a_path_that_cannot_be_is_tried_again([[maybe_unused]] void **state)
{
	struct world *w = begin(SPAN(MESSAGE));
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_DEFERRED);
	assert_non_null(strstr(w->why, path));
	world_end(w);
}

/* The name is told before anything is seen; when that fails, nothing is. */
static void whoever_holds_it_knows_the_name_first([[maybe_unused]] void **state)
{
	const struct deliver_ask more = { .placing = world_placing };
	struct world *w = begin(SPAN(MESSAGE));

	w->placing_fails = true;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_DEFERRED);
	assert_int_equal(files(), 0);
	assert_int_equal(waiting(), 1);
	w->placing_fails = false;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(files(), 2);
	assert_true(strncmp(w->placed, "in.20", 5) == 0 && strchr(w->placed, '_'));
	world_end(w);
}

/* A consumer takes all of it at once. */
static void take_away(void)
{
	static const char *const endings[] = { ".eml", ".json" };

	for (size_t n = 0; n < COUNT(endings); n++) {
		char file[400];

		free(file_of(endings[n]));
		(void)snprintf(file, sizeof file, "%s/%s", path, found);
		assert_int_equal(unlink(file), 0);
	}
}

/* What a kill leaves between two steps, as the next life finds it. */
static void after_a_crash_it_is_there_once([[maybe_unused]] void **state)
{
	struct deliver_ask more = { .placing = world_placing };
	struct world *w = begin(SPAN(MESSAGE));
	char name[MAILDIR_NAME_MAX];

	/* What has no name yet is swept by the next life. */
	w->placing_fails = true;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_DEFERRED);
	w->placing_fails = false;
	assert_int_equal(waiting(), 1);
	deliveries_free(&w->all);
	world_deliveries(w);
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(waiting(), 0);
	assert_int_equal(files(), 2);
	/* That one was placed, and somebody took it. */
	take_away();
	(void)snprintf(name, sizeof name, "%s", w->placed);
	more.place = name;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(files(), 0);
	/* So long ago that this proves nothing. */
	more.place_old = true;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(files(), 2);
	assert_string_not_equal(w->placed, name);
	/* Found: not again. */
	(void)snprintf(name, sizeof name, "%s", w->placed);
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(files(), 2);
	assert_string_equal(w->placed, name);
	world_end(w);
}

/* What waits in .tmp for its message is kept by the sweep, and placed by its name. */
static void what_waits_is_placed([[maybe_unused]] void **state)
{
	struct deliver_ask more = { .placing = world_placing };
	struct world *w = begin(SPAN(MESSAGE));
	char name[MAILDIR_NAME_MAX], base[256];

	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	(void)snprintf(name, sizeof name, "%s", strrchr(w->placed, '_'));
	take_away();
	w->placing_fails = true;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_DEFERRED);
	w->placing_fails = false;
	assert_int_equal(waiting(), 1);
	(void)snprintf(base, sizeof base, "%s", found);
	(void)snprintf(w->kept, sizeof w->kept, "%.100s%.40s", base, name);
	more.place = w->kept;
	deliveries_free(&w->all);
	world_deliveries(w);
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(waiting(), 0);
	free(file_of(".json"));
	assert_true(strncmp(found, base, strlen(base)) == 0);
	world_end(w);
}

/* The target's path was changed meanwhile: that a file is not in this .tmp means nothing. */
static void a_name_of_another_folder_is_none_here([[maybe_unused]] void **state)
{
	struct deliver_ask more = { .placing = world_placing };
	struct world *w = begin(SPAN(MESSAGE));
	char name[MAILDIR_NAME_MAX];

	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	(void)snprintf(name, sizeof name, "%s", w->placed);
	more.place = name;
	(void)snprintf(path, sizeof path, "%s/other", w->directory);
	(void)snprintf(canonical, sizeof canonical, "folder:%s", path);
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(files(), 2);
	world_end(w);
}

/* Without a key there is nothing to decrypt, and what is no S/MIME is told so. */
static void smime_is_told([[maybe_unused]] void **state)
{
	struct world *w = begin(SPAN(MESSAGE));
	json_t *index, *smime;

	box.has_smime = true;
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_ACCEPTED);
	index = index_read();
	smime = json_object_get(index, "smime");
	assert_string_equal(json_string_value(json_object_get(smime, "encrypted")), "clear");
	assert_string_equal(json_string_value(json_object_get(smime, "signed")), "unsigned");
	json_decref(index);
	world_end(w);
}

/* At once, by several threads: each has its name. */
static void many_in_one_second([[maybe_unused]] void **state)
{
	struct world *w = begin(SPAN(MESSAGE));

	for (unsigned n = 0; n < 16; n++)
		world_asks_for(w, &box, NULL);
	world_runs(w);
	for (unsigned n = 0; n < 16; n++)
		assert_int_equal(w->said[n], DELIVER_ACCEPTED);
	assert_int_equal(files(), 32);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_and_index),
		cmocka_unit_test(large_ones_too),
		cmocka_unit_test(a_template_is_filled_in),
		cmocka_unit_test(a_bad_template_defers),
		cmocka_unit_test(parts_are_files),
		cmocka_unit_test(a_path_that_cannot_be_is_tried_again),
		cmocka_unit_test(whoever_holds_it_knows_the_name_first),
		cmocka_unit_test(after_a_crash_it_is_there_once),
		cmocka_unit_test(what_waits_is_placed),
		cmocka_unit_test(a_name_of_another_folder_is_none_here),
		cmocka_unit_test(smime_is_told),
		cmocka_unit_test(many_in_one_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
