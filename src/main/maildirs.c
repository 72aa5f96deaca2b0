/* SPDX-License-Identifier: Apache-2.0 */
#include "main/maildirs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "control/json.h"
#include "store/import.h"
#include "wire/header.h"
#include "wire/utf7.h"

enum { SHOWN = 80, HEADER_MAX = 64 * 1024 };

bool maildirs_find(struct cli *cli, const char *name, struct place *place, bool *known, struct err *e)
{
	json_t *args = json_pack("{s:s}", "mailbox", name), *row;

	if (!args)
		return err_set(e, ERR_CONFIG, "%.200s is not UTF-8", name);
	if (!ask_call(cli->ask, "mailbox.place", args, &row, e))
		return false;
	(void)snprintf(place->path, sizeof place->path, "%s", json_member_text(row, "maildir"));
	place->kind = *place->path ? PLACE_MAILDIR : PLACE_STORE;
	place->account_len = strlen(json_member_text(row, "account_maildir"));
	*known = json_member_flag(row, "known");
	json_decref(row);
	return true;
}

static void print_box(const char *name, const struct below *b, void (*print)(json_t *row))
{
	json_t *row = json_pack("{s:o, s:o}", "mailbox", json_text(name), "maildir", json_text(b->path));
	struct maildir_walk *w;
	struct err e;

	if (row && maildir_walk_open(b, &w, &e)) {
		(void)json_object_set_new(row, "messages", json_number(maildir_walk_count(w)));
		maildir_walk_close(&w);
	} else if (row) {
		(void)json_object_set_new(row, "messages", json_null());
		(void)json_object_set_new(row, "why", json_text(e.text));
	}
	print(row);
}

/* ".lists.info" → "lists/info"; false: it is no folder that a box could be. */
static bool folder_name(const char *file, char name[MAILBOX_NAME_MAX + 1])
{
	struct buf out;

	buf_lend(&out, name, MAILBOX_NAME_MAX + 1);
	if (file[0] != '.' || !file[1] || strstr(file, "..") || file[strlen(file) - 1] == '.' || strchr(file, '/'))
		return false;
	if (!utf7_decode(span_of(file + 1), &out) || !buf_terminate(&out) || strchr(name, '/') || span_has_control(span_of(name)))
		return false;
	for (char *p = name; *p; p++)
		if (*p == '.')
			*p = '/';
	return true;
}

static int is_folder(const struct dirent *entry)
{
	char name[MAILBOX_NAME_MAX + 1];

	return entry->d_type != DT_REG && folder_name(entry->d_name, name);
}

/* It and its folders. */
static void print_account(const char *inbox, const char *path, void (*print)(json_t *row))
{
	struct dirent **entries;
	const struct below account = { .path = path };
	int count, account_len = (int)strcspn(inbox, "/");

	print_box(inbox, &account, print);
	count = scandir(path, &entries, is_folder, alphasort);
	for (int n = 0; n < count; n++) {
		char folder[MAILBOX_NAME_MAX + 1], name[2 * MAILBOX_NAME_MAX], whole[PATH_MAX];

		if (folder_name(entries[n]->d_name, folder) && snprintf(whole, sizeof whole, "%s/%s", path, entries[n]->d_name) < (int)sizeof whole) {
			(void)snprintf(name, sizeof name, "%.*s/%s", account_len, inbox, folder);
			print_box(name, &(struct below){ whole, strlen(path) }, print);
		}
		free(entries[n]);
	}
	if (count >= 0)
		free(entries);
}

static bool each_account(void *user, json_t *row)
{
	void (*const *print)(json_t *row) = user;

	print_account(json_member_text(row, "mailbox"), json_member_text(row, "maildir"), *print);
	return true;
}

bool maildirs_list(struct cli *cli, void (*print)(json_t *row), struct err *e)
{
	return ask_rows(cli->ask, "mailbox.maildirs", NULL, each_account, &print, e);
}

/* Its octets as POP3 counts them, and the header as far as it is looked at. */
struct look {
	struct buf head;
	uint64_t octets;
	bool ended;		/* by a line end */
};

static bool look(void *user, struct span octets)
{
	struct look *l = user;
	size_t room = HEADER_MAX - l->head.len;

	l->octets += octets.len;
	if (octets.len)
		l->ended = octets.at[octets.len - 1] == '\n';
	return buf_add(&l->head, (struct span){ octets.at, octets.len < room ? octets.len : room });
}

static json_t *message_row(const struct maildir_walk *w, const struct mailbox_entry *entry, uint64_t number, const struct look *l)
{
	char file[NAME_MAX + 1], from[SHOWN] = "", subject[SHOWN] = "", arrived[MOMENT_TEXT];
	struct span value;

	header_value(span_of(maildir_walk_name(w)), file, sizeof file);	/* safe to show, as the others */
	if (header_find(buf_span(&l->head), "From", &value))
		header_value(value, from, sizeof from);
	if (header_find(buf_span(&l->head), "Subject", &value))
		header_value(value, subject, sizeof subject);
	return json_pack("{s:o, s:o, s:o, s:s, s:b, s:o, s:o}", "number", json_number(number), "file", json_text(file),
		"octets", json_number(l->octets + (l->ended ? 0 : 2)), "arrived", moment_text(entry->arrived, arrived),
		"seen", (entry->flags & MAILBOX_SEEN) != 0, "from", json_text(from), "subject", json_text(subject));
}

bool maildirs_show(const struct place *place, void (*print)(json_t *row), struct err *e)
{
	struct mailbox_entry entry;
	const struct below b = place_below(place);
	struct maildir_walk *w;
	bool good, there = true;
	uint64_t number = 0;

	if (!maildir_walk_open(&b, &w, e))
		return false;
	while ((good = maildir_walk_next(w, &entry, &there, e)) && there) {
		struct look l = { .octets = 0 };

		buf_start(&l.head, HEADER_MAX);
		good = maildir_walk_read(w, look, &l, e);
		if (good)
			print(message_row(w, &entry, ++number, &l));
		buf_end(&l.head);
		if (!good)
			break;
	}
	maildir_walk_close(&w);
	return good;
}
