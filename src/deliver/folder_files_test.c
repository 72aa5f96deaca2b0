/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/folder_files.h"

#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>

#include "deliver/fixture.h"

static const uint8_t tag[8] = { 1, 2, 3 };

struct written {
	struct world *w;
	struct folder *folder;
	char path[128], name[MAILDIR_NAME_MAX], one[256];
	struct target target;
	struct deliver_ask ask;
};

static void begin(struct written *x, const char *message)
{
	*x = (struct written){ .w = world(0) };
	must(spool_add(x->w->message, span_of(message), &fixture_err));
	(void)snprintf(x->path, sizeof x->path, "%s/F", x->w->directory);
	x->target = (struct target){ .name = "f", .type = TARGET_FOLDER, .canonical = "folder:F", .path = x->path, .prefix = "in" };
	must(folder_open(x->path, &x->folder, &fixture_err));
}

static bool writes(struct written *x)
{
	bool good;

	x->ask.target = deliver_target_new(&x->target, &fixture_err);
	must(x->ask.target);
	x->ask.message = x->w->message;
	good = folder_files_write(x->folder, &x->ask, x->w->directory, tag, x->name, &fixture_err);
	deliver_target_put(&x->ask.target);
	return good;
}

static void end(struct written *x)
{
	folder_close(&x->folder);
	world_end(x->w);
}

/* A member of the index of the message that was written last, and is still in .tmp. */
static void index_says(struct written *x, const char *member, const char *want)
{
	char path[600];
	json_t *index;

	(void)snprintf(path, sizeof path, "%s/.tmp/%.*s/%.*s.json", x->path, (int)(strrchr(x->name, '_') - x->name), x->name,
		(int)(strrchr(x->name, '_') - x->name), x->name);
	index = json_load_file(path, 0, NULL);
	assert_non_null(index);
	assert_string_equal(json_string_value(json_object_get(index, member)), want);
	json_decref(index);
}

static void nothing_is_seen_before_it_is_placed([[maybe_unused]] void **state)
{
	struct written x;

	begin(&x, "Subject: a\r\n\r\nb\r\n");
	assert_true(writes(&x));
	assert_true(folder_waits(x.folder, x.name) && !folder_has(x.folder, x.name) && folder_is_of(x.name, tag));
	assert_int_equal(world_files(x.path, ".", x.one), 0);
	must(folder_place(x.folder, x.name, &fixture_err));
	assert_int_equal(world_files(x.path, ".", x.one), 2);
	assert_int_equal(world_files(x.path, ".tmp", x.one), 0);
	end(&x);
}

static void what_fails_leaves_nothing([[maybe_unused]] void **state)
{
	struct written x;

	begin(&x, "Subject: a\r\n\r\nb\r\n");
	x.target.template = "/nowhere/order.txt";
	assert_false(writes(&x));
	assert_non_null(strstr(fixture_err.text, "/nowhere/order.txt"));
	assert_int_equal(world_files(x.path, ".", x.one), 0);
	assert_int_equal(world_files(x.path, ".tmp", x.one), 0);
	end(&x);
}

/* A message that does not fit: the disk's own words, and nothing is left. */
static void a_full_disk_says_so([[maybe_unused]] void **state)
{
	struct rlimit limit, small;
	struct written x;
	bool good;

	assert_int_equal(sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), 0);
	begin(&x, "Subject: a\r\n\r\n");
	for (size_t n = 0; n < 200; n++)
		must(spool_add(x.w->message, SPAN("a line of a message that is larger than a file may be here\r\n"), &fixture_err));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = (struct rlimit){ .rlim_cur = 4096, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	good = writes(&x);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_false(good);
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_non_null(strstr(fixture_err.text, "eml cannot be written: File too large"));
	assert_int_equal(world_files(x.path, ".tmp", x.one), 0);
	assert_true(writes(&x));
	end(&x);
}

static const struct {
	const char *message, *sender, *want;
} senders[] = {
	{ "Return-Path: <anna@example.org>\r\n\r\n", NULL, "anna@example.org" },
	{ "Subject: x\r\nreturn-path:\r\n\t<anna@example.org>\r\nReturn-Path: <bert@example.org>\r\n\r\n", NULL, "anna@example.org" },
	{ "Return-Path: anna@example.org\r\n\r\n", NULL, "anna@example.org" },
	{ "Return-Path: <>\r\n\r\n", NULL, "" }, { "Return-Path:\r\n\r\n", NULL, "" }, { "Return-Path: <\r\n\r\n", NULL, "" },
	{ "Return-Path: <a@b> <c@d>\r\n\r\n", NULL, "" }, { "Return-Path: a b\r\n\r\n", NULL, "" }, { "Subject: x\r\n\r\n", NULL, "" },
	{ "Subject: x\r\n\r\nReturn-Path: <a@b>\r\n", NULL, "" },
	{ "Return-Path: <anna@example.org>\r\n\r\n", "", "" }, { "Return-Path: <anna@example.org>\r\n\r\n", "c@d", "c@d" },
};

static void the_sender_is_who_was_told_or_the_return_path([[maybe_unused]] void **state)
{
	struct written x;

	for (size_t n = 0; n < COUNT(senders); n++) {
		begin(&x, senders[n].message);
		x.ask.sender = senders[n].sender;
		assert_true(writes(&x));
		index_says(&x, "sender", senders[n].want);
		end(&x);
	}
}

/* One that would have to be cut is nobody's. */
static void a_return_path_without_end_is_none([[maybe_unused]] void **state)
{
	char message[3000];
	struct written x;

	(void)snprintf(message, sizeof message, "Return-Path: %02000d\r\n\r\n", 1);
	begin(&x, message);
	assert_true(writes(&x));
	index_says(&x, "sender", "");
	end(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_seen_before_it_is_placed), cmocka_unit_test(what_fails_leaves_nothing), cmocka_unit_test(a_full_disk_says_so),
		cmocka_unit_test(the_sender_is_who_was_told_or_the_return_path), cmocka_unit_test(a_return_path_without_end_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
