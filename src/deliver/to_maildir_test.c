/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "deliver/fixture.h"

extern bool __real_maildir_sync(struct maildir *m, struct err *e);
extern bool __wrap_maildir_sync(struct maildir *m, struct err *e);

static bool no_sync;

bool __wrap_maildir_sync(struct maildir *m, struct err *e)
{
	return no_sync ? err_set(e, ERR_LOCAL, "a test says that this fails") : __real_maildir_sync(m, e);
}

static char path[128], canonical[160], new_name[256], tmp_name[256];
static struct target box;

static struct world *begin(size_t len)
{
	struct world *w = world(len);

	(void)snprintf(path, sizeof path, "%s/M", w->directory);
	(void)snprintf(canonical, sizeof canonical, "maildir:%s", path);
	box = (struct target){ .name = "m", .type = TARGET_MAILDIR, .canonical = canonical, .path = path };
	return w;
}

static size_t new_files(void)
{
	return world_files(path, "new", new_name);
}

static size_t tmp_files(void)
{
	return world_files(path, "tmp", tmp_name);
}

static void it_is_in_new([[maybe_unused]] void **state)
{
	static const size_t sizes[] = { 0, 10, 3000000 };

	for (size_t n = 0; n < COUNT(sizes); n++) {
		struct world *w = begin(sizes[n]);
		char file[400];
		struct stat st;

		assert_int_equal(world_delivers(w, &box, NULL), DELIVER_ACCEPTED);
		assert_int_equal(new_files(), 1);
		assert_int_equal(tmp_files(), 0);
		(void)snprintf(file, sizeof file, "%s/new/%s", path, new_name);
		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(st.st_size, sizes[n]);
		world_end(w);
	}
}

/* Tried again it has another name; whose name is known finds it there. */
static void what_is_not_durable_is_there_once([[maybe_unused]] void **state)
{
	const struct deliver_ask held = { .placing = world_placing, .place = "" };

	for (int known = 0; known < 2; known++) {
		struct world *w = begin(10);
		struct deliver_ask again = held;

		no_sync = true;
		assert_int_equal(world_delivers(w, &box, known ? &held : NULL), DELIVER_DEFERRED);
		no_sync = false;
		again.place = w->placed;
		assert_int_equal(world_delivers(w, &box, known ? &again : NULL), DELIVER_ACCEPTED);
		assert_int_equal(new_files(), 1);
		world_end(w);
	}
}

static void a_path_that_cannot_be_is_tried_again([[maybe_unused]] void **state)
{
	struct world *w = begin(10);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_DEFERRED);
	assert_non_null(strstr(w->why, path));
	world_end(w);
}

/* The name is told before the file has it; when that fails, the file does not get it. */
static void whoever_holds_it_knows_the_name_first([[maybe_unused]] void **state)
{
	const struct deliver_ask more = { .placing = world_placing };
	struct world *w = begin(10);

	w->placing_fails = true;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_DEFERRED);
	assert_int_equal(new_files(), 0);
	assert_int_equal(tmp_files(), 1);
	w->placing_fails = false;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(new_files(), 1);
	assert_string_equal(w->placed, new_name);
	world_end(w);
}

/* What a kill leaves between two steps, as the next life finds it. */
static void after_a_crash_it_is_there_once([[maybe_unused]] void **state)
{
	struct deliver_ask more = { .placing = world_placing };
	char from[500], to[500], name[MAILDIR_NAME_MAX];
	struct world *w = begin(10);

	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	(void)snprintf(name, sizeof name, "%s", w->placed);
	more.place = name;
	/* Renamed, and then killed; a reader took it meanwhile. */
	(void)snprintf(from, sizeof from, "%s/new/%s", path, name);
	(void)snprintf(to, sizeof to, "%s/cur/%s:2,S", path, name);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(new_files(), 0);
	/* Killed before the rename: the file in tmp is what is delivered. */
	(void)snprintf(from, sizeof from, "%s/tmp/%s", path, name);
	assert_int_equal(rename(to, from), 0);
	deliveries_free(&w->all);
	world_deliveries(w);
	(void)snprintf(w->kept, sizeof w->kept, "%s", name);
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(new_files(), 1);
	assert_string_equal(new_name, name);
	/* So long ago that a missing file tells nothing. */
	(void)snprintf(from, sizeof from, "%s/new/%s", path, name);
	assert_int_equal(unlink(from), 0);
	more.place_old = true;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(new_files(), 1);
	assert_string_not_equal(new_name, name);
	world_end(w);
}

/* The target's path was changed meanwhile: that a file is not in this tmp means nothing. */
static void a_name_of_another_maildir_is_none_here([[maybe_unused]] void **state)
{
	struct deliver_ask more = { .placing = world_placing };
	char name[MAILDIR_NAME_MAX];
	struct world *w = begin(10);

	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	(void)snprintf(name, sizeof name, "%s", w->placed);
	more.place = name;
	(void)snprintf(path, sizeof path, "%s/other", w->directory);
	(void)snprintf(canonical, sizeof canonical, "maildir:%s", path);
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_ACCEPTED);
	assert_int_equal(new_files(), 1);
	assert_string_not_equal(new_name, name);
	world_end(w);
}

/* But not what is still to be delivered, nor what is somebody else's. */
static void what_a_crash_left_in_tmp_goes_away([[maybe_unused]] void **state)
{
	const struct deliver_ask more = { .placing = world_placing };
	char other[400];
	struct world *w = begin(10);
	int fd;

	w->placing_fails = true;
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_DEFERRED);
	assert_int_equal(world_delivers(w, &box, &more), DELIVER_DEFERRED);
	assert_int_equal(tmp_files(), 2);
	(void)snprintf(other, sizeof other, "%s/tmp/1.2.other", path);
	fd = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	(void)unlink(other);
	assert_int_equal(tmp_files(), 2);
	(void)snprintf(w->kept, sizeof w->kept, "%.*s", MAILDIR_NAME_MAX - 1, tmp_name);
	fd = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	deliveries_free(&w->all);
	world_deliveries(w);
	assert_int_equal(world_delivers(w, &box, NULL), DELIVER_ACCEPTED);
	assert_int_equal(new_files(), 1);
	assert_int_equal(tmp_files(), 2);
	(void)snprintf(other, sizeof other, "%s/tmp/%s", path, w->kept);
	assert_int_equal(access(other, F_OK), 0);
	world_end(w);
}

static void they_can_be_forgotten([[maybe_unused]] void **state)
{
	struct world *w = begin(3000000);

	for (unsigned n = 0; n < 8; n++)
		world_asks_for(w, &box, NULL);
	deliveries_free(&w->all);
	assert_int_equal(w->done, 0);
	assert_int_equal(new_files(), 8);	/* nobody was told, though they ran to their end */
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_in_new),
		cmocka_unit_test(what_is_not_durable_is_there_once),
		cmocka_unit_test(a_path_that_cannot_be_is_tried_again),
		cmocka_unit_test(whoever_holds_it_knows_the_name_first),
		cmocka_unit_test(after_a_crash_it_is_there_once),
		cmocka_unit_test(a_name_of_another_maildir_is_none_here),
		cmocka_unit_test(what_a_crash_left_in_tmp_goes_away),
		cmocka_unit_test(they_can_be_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
