/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders as targets of visits: what they get, what a crash left, and what cannot be written. */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/test_world.h"
#include "store/folder.h"
#include "store/ledger.h"

static struct err err;
static struct target folder;
static char path[128], canonical[160], aside[160];

#define must(call) do { if (!(call)) fail_msg("%s: %s", #call, err.text); } while (0)

static int start(void **state)
{
	struct world *w;

	if (world_start(state) != 0)
		return 1;
	w = *state;
	(void)snprintf(path, sizeof path, "%s/Out", w->directory);
	(void)snprintf(aside, sizeof aside, "%s.aside", path);
	(void)snprintf(canonical, sizeof canonical, "folder:%s", path);
	folder = (struct target){ .name = "out", .type = TARGET_FOLDER, .canonical = canonical, .path = path, .prefix = "in" };
	w->deliver[0] = &folder;
	w->deliver[1] = &w->mailbox;
	w->with.after = AFTER_DELETE;
	return 0;
}

/* How many files of that ending; `one` is the path of one. */
static size_t files(const char *ending, char one[400])
{
	DIR *d = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	while (d && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name), end = strlen(ending);

		if (entry->d_name[0] == '.' || len < end || strcmp(entry->d_name + len - end, ending) != 0)
			continue;
		(void)snprintf(one, 400, "%s/%s", path, entry->d_name);
		count++;
	}
	if (d)
		(void)closedir(d);
	return count;
}

/* So many messages, whole, and nothing on its way. */
static void expect_files(size_t messages)
{
	char one[400];
	struct folder *f;
	DIR *d;

	assert_int_equal(files(".eml", one), messages);
	assert_int_equal(files(".json", one), messages);
	assert_int_equal(files("", one), 2 * messages);
	must(folder_open(path, &f, &err));
	folder_close(&f);
	(void)snprintf(one, sizeof one, "%s/.tmp", path);
	d = opendir(one);
	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));)
		assert_int_equal(entry->d_name[0], '.');
	(void)closedir(d);
}

static void take_away(void)
{
	char one[400];

	while (files("", one))
		assert_int_equal(unlink(one), 0);
}

/* A file lies where the folder is to be, or not any more. */
static void block(bool yes)
{
	int fd;

	if (!yes) {
		assert_int_equal(unlink(path), 0);
		(void)rename(aside, path);
		return;
	}
	(void)rename(path, aside);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
}

/* As drop_fill; but no two messages are the same, whatever the prefix: what was just deleted would be known again. */
static void fill(struct world *w, char prefix, size_t count)
{
	char uid[32], text[64];

	w->drop.count = 0;
	for (size_t n = 0; n < count; n++) {
		(void)snprintf(uid, sizeof uid, "%c%zu", prefix, n);
		(void)snprintf(text, sizeof text, "Subject: %c, number %zu\r\n\r\nhello\r\n", prefix, n);
		drop_add(&w->drop, uid, text);
	}
}

static void fact_is(json_t *index, const char *name, const char *want)
{
	const char *have = json_string_value(json_object_get(json_object_get(index, "facts"), name));

	assert_true(!want == !have);
	if (want)
		assert_string_equal(have, want);
}

static void messages_become_files(void **state)
{
	struct world *w = *state;
	char one[400];
	json_t *index;

	w->with.deliver_count = 2;
	drop_add(&w->drop, "u-1", "Return-Path: <carla@example.org>\r\nSubject: one\r\n\r\nhello\r\n");
	world_expect(w, 1, 0, 0, ERR_NONE);
	expect_files(1);
	assert_int_equal(world_mailbox(w), 1);
	assert_int_equal(w->drop.count, 0);
	assert_int_equal(files(".json", one), 1);
	index = json_load_file(one, 0, NULL);
	assert_non_null(index);
	fact_is(index, "source", "connection");
	fact_is(index, "connection", "test");
	fact_is(index, "uid", "u-1");
	fact_is(index, "mailbox", NULL);
	assert_string_equal(json_string_value(json_object_get(index, "sender")), "carla@example.org");
	assert_string_equal(json_string_value(json_object_get(index, "target")), "out");
	json_decref(index);
	fill(w, 'b', DROP_MAX);	/* several groups, several threads */
	world_expect(w, DROP_MAX, 0, 0, ERR_NONE);
	expect_files(1 + DROP_MAX);
}

/* The visit's other target gets each message once; the server keeps them until the folder has them, too. */
static void one_that_cannot_be_written_holds_up_nobody(void **state)
{
	struct world *w = *state;
	struct ledger_entry entry;
	struct ledger *l;

	for (size_t turn = 0; turn < 2; turn++) {
		w->deliver[turn] = &folder;
		w->deliver[!turn] = &w->mailbox;
		w->with.deliver_count = 2;
		block(true);
		fill(w, turn ? 'b' : 'a', 20);
		world_expect(w, 0, 0, 20, ERR_NONE);
		world_expect(w, 0, 0, 20, ERR_NONE);
		assert_int_equal(world_mailbox(w), 20 * (turn + 1));
		assert_int_equal(w->drop.count, 20);
		l = world_ledger(w);
		assert_true(ledger_next(l, NULL, &entry));
		if (entry.state == LEDGER_PENDING)
			assert_non_null(strstr(entry.error, path));
		block(false);
		world_expect(w, 20, 0, 0, ERR_NONE);
		expect_files(20 * (turn + 1));
		assert_int_equal(world_mailbox(w), 20 * (turn + 1));
		assert_int_equal(w->drop.count, 0);
	}
}

static void alone_it_fails_the_visit(void **state)
{
	struct world *w = *state;

	block(true);
	drop_fill(&w->drop, 'a', 3);
	world_expect(w, 0, 0, 0, ERR_LOCAL);
	assert_non_null(strstr(w->result.why.text, path));
	assert_int_equal(w->drop.count, 3);
	block(false);
	world_expect(w, 3, 0, 0, ERR_NONE);
	expect_files(3);
}

/* A template that is not there: each message fails by itself, and nothing is left of it. */
static void what_fails_in_the_middle_leaves_nothing(void **state)
{
	struct world *w = *state;

	folder.template = "/nowhere/order.txt";
	w->with.deliver_count = 2;
	drop_fill(&w->drop, 'a', 5);
	world_expect(w, 0, 0, 5, ERR_NONE);
	expect_files(0);
	assert_int_equal(world_mailbox(w), 5);
	assert_int_equal(w->drop.count, 5);
	folder.template = NULL;
	world_expect(w, 5, 0, 0, ERR_NONE);
	expect_files(5);
	assert_int_equal(world_mailbox(w), 5);
}

/* The one entry as a crash leaves it, behind `placing NAME`; the mailbox has the message. */
static void leave_placing(struct world *w, const char *name, int64_t changed)
{
	struct ledger *l = world_ledger(w);
	struct ledger_entry entry;
	struct store_done d;

	assert_true(ledger_next(l, NULL, &entry));
	entry.state = LEDGER_PENDING;
	entry.changed = changed;
	entry.target_count = 2;
	entry.targets[1] = (struct ledger_target){ .state = LEDGER_TARGET_ACCEPTED, .target = ledger_target_tag(w->mailbox.canonical) };
	entry.targets[0] = (struct ledger_target){ .state = LEDGER_TARGET_PLACING, .target = ledger_target_tag(canonical) };
	(void)snprintf(entry.targets[0].place, sizeof entry.targets[0].place, "%s", name);
	ledger_put(l, &entry, 0);
	ledger_flush(l);
	while (store_wait(w->store))
		while (store_next(w->store, &d))
			;
}

/* In .tmp, whole. */
static void leave_files(char name[MAILDIR_NAME_MAX])
{
	static const uint8_t tag[8] = { 7 };
	char file[FOLDER_FILE_MAX];
	struct folder *f;

	must(folder_open(path, &f, &err));
	must(folder_begin(f, tag, "in", 1000000000, name, &err));
	for (size_t n = 0; n < 2; n++) {
		int fd = folder_create(f, n ? FOLDER_INDEX : "eml", file, &err);

		assert_true(fd >= 0);
		must(folder_finish(f, fd, &err));
	}
	must(folder_written(f, &err));
	folder_close(&f);
}

static void what_a_crash_left_is_put_right(void **state)
{
	struct world *w = *state;
	char name[MAILDIR_NAME_MAX];

	w->with.after = AFTER_KEEP;
	drop_fill(&w->drop, 'a', 1);
	world_expect(w, 1, 0, 0, ERR_NONE);
	take_away();
	leave_files(name);
	leave_placing(w, name, clock_now_s());
	world_expect(w, 0, 0, 0, ERR_NONE);	/* it was written: it is placed */
	expect_files(1);
	take_away();
	leave_placing(w, name, clock_now_s());
	world_expect(w, 0, 0, 0, ERR_NONE);	/* it is not in .tmp: it was placed, and somebody took it */
	expect_files(0);
	leave_placing(w, name, clock_now_s() - 25L * 3600);
	world_expect(w, 1, 0, 0, ERR_NONE);	/* nobody can know any more */
	expect_files(1);
}

/* While nobody can look into the folder, what the ledger says of files on their way there stays. */
static void an_intent_outlives_a_visit_that_cannot_look(void **state)
{
	struct world *w = *state;
	char name[MAILDIR_NAME_MAX];

	for (size_t turn = 0; turn < 2; turn++) {
		w->deliver[turn] = &folder;
		w->deliver[!turn] = &w->mailbox;
		w->with.deliver_count = 2;
		w->with.after = AFTER_KEEP;
		drop_fill(&w->drop, 'a', 1);
		world_visit(w, VISIT_COLLECT);
		take_away();
		leave_files(name);
		leave_placing(w, name, clock_now_s());
		block(true);
		world_expect(w, 0, 0, 1, ERR_NONE);
		block(false);
		world_expect(w, 0, 0, 0, ERR_NONE);
		expect_files(1);
	}
	assert_int_equal(world_mailbox(w), 1);
}

static void hold(struct world *w, const char *target)
{
	static const char *const recipients[] = { "bert@example.org" };
	struct held_origin origin = { .connection = "test", .uid = "h1" };
	const struct held_new what = { .account = "", .target = target, .sender = "carla@example.org", .recipients = recipients, .recipient_count = 1,
		.why = "a test says so", .origin = &origin, .state = HELD_WAITING };
	struct spool *message = spool_new(w->directory, &err);
	uint64_t id;

	must(message && spool_add(message, SPAN("Subject: held\r\n\r\nhello\r\n"), &err));
	spool_digest(message, origin.digest);
	must(held_add(w->store, &what, message, 1, &id, &err));
	spool_free(&message);
}

/* One that was released, and that no entry of the ledger speaks of. */
static void a_held_message_becomes_files(void **state)
{
	struct world *w = *state;
	struct ledger_entry entry;
	struct held_info info;
	char one[400];
	json_t *index;

	w->deliver[1] = &w->maildir;
	w->with.deliver_count = 2;
	hold(w, "out");
	block(true);
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.why.kind, ERR_NONE);
	assert_true(world_held(w, &info));
	assert_int_equal(info.state, HELD_FAILED);	/* it waited since 1970 */
	block(false);
	must(held_again(w->store, info.id, clock_now_s(), &err));
	world_visit(w, VISIT_COLLECT);
	assert_false(world_held(w, &info));
	expect_files(1);
	assert_int_equal(files(".json", one), 1);
	index = json_load_file(one, 0, NULL);
	assert_non_null(index);
	fact_is(index, "uid", "h1");
	assert_string_equal(json_string_value(json_object_get(index, "sender")), "carla@example.org");
	assert_string_equal(json_string_value(json_array_get(json_object_get(index, "recipients"), 0)), "bert@example.org");
	json_decref(index);
	hold(w, "dir");
	world_visit(w, VISIT_COLLECT);
	assert_false(world_held(w, &info));
	assert_int_equal(world_maildir(w, "new"), 1);
	assert_false(ledger_next(world_ledger(w), NULL, &entry));
}

static void one_folder_is_one_target(void **state)
{
	struct world *w = *state;
	struct target other = folder;

	other.name = "again";
	other.prefix = "out";
	w->deliver[1] = &other;
	w->with.deliver_count = 2;
	drop_fill(&w->drop, 'a', 1);
	world_expect(w, 0, 0, 0, ERR_CONFIG);
	assert_non_null(strstr(w->result.why.text, "target again: "));
	assert_non_null(strstr(w->result.why.text, "is the folder of target out, too"));
	assert_int_equal(w->drop.count, 1);
}

static void keys_that_cannot_be_used_fail_the_visit(void **state)
{
	struct world *w = *state;

	folder.has_smime = true;
	folder.smime.certificate = "/nowhere/cert.pem";
	drop_fill(&w->drop, 'a', 1);
	world_expect(w, 0, 0, 0, ERR_CONFIG);
	assert_non_null(strstr(w->result.why.text, "/nowhere/cert.pem"));
	assert_int_equal(w->drop.count, 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, world_stop)
	const struct CMUnitTest tests[] = {
		CASE(messages_become_files), CASE(one_that_cannot_be_written_holds_up_nobody), CASE(alone_it_fails_the_visit),
		CASE(what_fails_in_the_middle_leaves_nothing), CASE(what_a_crash_left_is_put_right),
		CASE(an_intent_outlives_a_visit_that_cannot_look), CASE(a_held_message_becomes_files), CASE(one_folder_is_one_target), CASE(keys_that_cannot_be_used_fail_the_visit),
	};

	if (!log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &err))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
