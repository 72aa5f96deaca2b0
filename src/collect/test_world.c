/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/test_world.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/deliver.h"
#include "sasl/client.h"
#include "store/account.h"
#include "store/ledger.h"
#include "store/mailbox.h"

static void ended(void *user, uint64_t id, const struct connection *with, const struct visit_result *result)
{
	struct world *w = user;

	assert_int_not_equal(id, 0);
	assert_ptr_equal(with, &w->with);
	w->result = *result;
}

int world_start(void **state)
{
	struct deliveries_with how;
	struct world *w = calloc(1, sizeof *w);
	struct err e;

	assert_non_null(w);
	(void)snprintf(w->directory, sizeof w->directory, "/tmp/visit_test.XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	(void)snprintf(w->path, sizeof w->path, "%s/Mail", w->directory);
	assert_true(store_open(w->directory, 1u << 30, "test", &w->store, &e));
	assert_true(account_add(w->store, "anna", SPAN(""), false, &e));
	w->loop = loop_new(&e);
	w->contexts = tls_contexts_new(&e);
	assert_true(w->loop && w->contexts);
	how = (struct deliveries_with){ .loop = w->loop, .store = w->store, .contexts = w->contexts, .tickets = DELIVER_TICKETS };
	w->deliveries = deliveries_new(&how, &e);
	assert_non_null(w->deliveries);
	drop_start(&w->drop);
	w->mailbox = (struct target){ .name = "box", .type = TARGET_MAILBOX, .canonical = "mailbox:anna/INBOX", .mailbox = "anna/INBOX" };
	w->maildir = (struct target){ .name = "dir", .type = TARGET_MAILDIR, .canonical = w->path, .path = w->path };
	(void)snprintf(w->script, sizeof w->script, "m=$(cat); case \"$m\" in *'number 1'*) c=$(cat %s/status);; *) c=0;; esac; "
		"[ $c != 0 ] || printf '%%s\\n' \"$POSTRIDER_UID\" >>%s/got; exit $c", w->directory, w->directory);
	w->argv[0] = "/bin/sh";
	w->argv[1] = "-c";
	w->argv[2] = w->script;
	w->program = (struct target){ .name = "program", .type = TARGET_COMMAND, .canonical = "command:sh", .argv = { w->argv, 3 },
		.timeout_ms = 20000, .parallel = 1 };
	w->deliver[0] = &w->mailbox;
	w->deliver[1] = &w->maildir;
	w->auth[0] = SASL_USER;
	w->with = (struct connection){
		.name = "test", .enabled = true, .host = "127.0.0.1", .user = "anna", .port = w->drop.server.port, .port_set = true,
		.password = { SECRET_LITERAL, "secret" }, .auth = w->auth, .auth_count = 1, .allow_cleartext = true,
		.detect_capa = true, .tls = { .mode = MODE_NONE }, .after = AFTER_KEEP, .connect_timeout_ms = 20000,
		.timeout_ms = 20000, .deliver = w->deliver, .deliver_count = 1, .held_max = 1 << 20, .postmaster = "postmaster",
	};
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

int world_stop(void **state)
{
	struct world *w = *state;

	drop_stop(&w->drop);
	deliveries_free(&w->deliveries);
	tls_contexts_free(&w->contexts);
	loop_free(&w->loop);
	store_close(&w->store);
	(void)nftw(w->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

void world_visit(struct world *w, enum visit_what what)
{
	struct collector_with with = { .loop = w->loop, .store = w->store, .contexts = w->contexts, .deliveries = w->deliveries, .max_per_host = 8, .ended = ended, .user = w };
	struct collector *c;
	struct err e;

	w->result = (struct visit_result){ .collected = 999 };
	assert_true(collector_new(&with, &c, &e));
	collector_add(c, &w->with, what);
	loop_run(w->loop);
	assert_int_equal(collector_left(c), 0);
	collector_free(&c);
}

void world_expect(struct world *w, uint64_t collected, uint64_t skipped, uint64_t failed, enum err_kind kind)
{
	world_visit(w, VISIT_COLLECT);
	if (w->result.why.kind != kind)
		print_error("%s\n", w->result.why.text);
	assert_int_equal(w->result.why.kind, kind);
	assert_int_equal(w->result.collected, collected);
	assert_int_equal(w->result.skipped, skipped);
	assert_int_equal(w->result.failed, failed);
}

void world_program(struct world *w, int status)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/status", w->directory);
	f = fopen(path, "we");
	assert_non_null(f);
	(void)fprintf(f, "%d\n", status);
	assert_int_equal(fclose(f), 0);
	w->deliver[0] = &w->program;
}

uint64_t world_got(struct world *w)
{
	char path[128], line[128];
	uint64_t count = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/got", w->directory);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		count++;
	if (f)
		assert_int_equal(fclose(f), 0);
	return count;
}

enum ledger_state world_state(struct world *w, const char *uid)
{
	struct ledger *l = world_ledger(w);
	struct ledger_entry entry;

	for (const uint8_t *after = NULL; ledger_next(l, after, &entry); after = entry.id)
		if (strcmp(entry.uid, uid) == 0)
			return entry.state;
	return LEDGER_STATES;
}

bool world_held(struct world *w, struct held_info *info)
{
	struct held_info other;

	info->id = 0;
	if (!held_next_of(w->store, "test", info))
		return false;
	other.id = info->id;
	assert_false(held_next_of(w->store, "test", &other));
	return true;
}

uint64_t world_mailbox(struct world *w)
{
	struct mailbox *box;
	struct err e;

	assert_true(mailbox_open(w->store, "anna/INBOX", true, &box, &e));
	return mailbox_count(box);
}

uint64_t world_maildir(struct world *w, const char *part)
{
	char path[128];
	struct dirent *one;
	uint64_t count = 0;
	DIR *d;

	(void)snprintf(path, sizeof path, "%s/%s", w->path, part);
	d = opendir(path);
	assert_non_null(d);
	while ((one = readdir(d)))
		count += one->d_name[0] != '.';
	(void)closedir(d);
	return count;
}

void drop_fill(struct drop *d, char prefix, size_t count)
{
	char uid[32], text[64];

	d->count = 0;
	for (size_t n = 0; n < count; n++) {
		(void)snprintf(uid, sizeof uid, "%c%zu", prefix, n);
		(void)snprintf(text, sizeof text, "Subject: number %zu\r\n\r\nhello\r\n", n);
		drop_add(d, uid, text);
	}
}

struct ledger *world_ledger(struct world *w)
{
	struct ledger *l;
	struct err e;

	assert_true(ledger_open(w->store, "test", "", &l, &e));
	return l;
}
