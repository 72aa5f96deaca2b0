/* SPDX-License-Identifier: Apache-2.0 */
#include "store/place.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "store/box.h"
#include "store/domain.h"
#include "store/maildrop.h"
#include "store/record.h"
#include "wire/utf7.h"

/* --- settings */

static bool read_setting(struct store *s, const char *who, char text[TEMPLATE_MAX + 1], struct err *e)
{
	struct err why;
	size_t len = 0;

	if (!record_get(s, 'm', who, text, TEMPLATE_MAX + 1, &len))
		len = 0;
	text[len <= TEMPLATE_MAX ? len : 0] = '\0';
	if (!len || (strlen(text) == len && (strcmp(text, "none") == 0 || template_check(text, false, &why))))
		return true;
	return err_set(e, ERR_LOCAL, "the setting maildir of %.200s is damaged: set it again", who);
}

void place_get(struct store *s, const char *who, char text[TEMPLATE_MAX + 1])
{
	struct err e;

	if (read_setting(s, who, text, &e))
		return;
	log_error(NULL, "%s", e.text);
	text[0] = '\0';
}

void store_maildirs(struct store *s, const char *text)
{
	char *fresh = text && *text ? strdup(text) : NULL, *old;

	store_must(fresh || !text || !*text);
	(void)pthread_mutex_lock(&s->places.mutex);
	old = s->places.otherwise;
	s->places.otherwise = fresh;
	(void)pthread_mutex_unlock(&s->places.mutex);
	free(old);
	s->places.changes++;
}

static void otherwise(struct store *s, char text[TEMPLATE_MAX + 1])
{
	(void)pthread_mutex_lock(&s->places.mutex);
	(void)snprintf(text, TEMPLATE_MAX + 1, "%s", s->places.otherwise ? s->places.otherwise : "");
	(void)pthread_mutex_unlock(&s->places.mutex);
}

/* The first that says anything. */
static bool settle(struct store *s, const char *account, char text[TEMPLATE_MAX + 1], struct err *e)
{
	const char *domain = strchr(account, '@');

	if (!read_setting(s, account, text, e))
		return false;
	if (!*text && domain && !read_setting(s, domain, text, e))
		return false;
	if (!*text)
		otherwise(s, text);
	return true;
}

/* --- paths */

/* "lists/info" → "/.lists.info" */
static bool add_folder(const char *folder, struct place *place, struct err *e)
{
	char memory[2 * MAILBOX_NAME_MAX];
	struct buf out;
	int n;

	if (strchr(folder, '.'))
		return err_set(e, ERR_CONFIG, "in a Maildir the name of a box has no \".\"");
	buf_lend(&out, memory, sizeof memory);
	if (!utf7_encode(span_of(folder), &out) || !buf_terminate(&out))
		return err_set(e, ERR_CONFIG, "in a Maildir the name of a box is UTF-8, and not longer than a file's name");
	for (char *p = memory; *p; p++)
		if (*p == '/')
			*p = '.';
	n = snprintf(place->path + place->account_len, sizeof place->path - place->account_len, "/.%s", memory);
	return (n > 0 && (size_t)n < sizeof place->path - place->account_len && n - 1 <= NAME_MAX) ||
	       err_set(e, ERR_CONFIG, "in a Maildir this name is too long");
}

static bool take_path(const char *name, const char *account, const char *own, const char *text, struct place *place, struct err *e)
{
	const char *folder = name + strlen(account) + 1;

	if (own ? !template_path(own, place->path, sizeof place->path, e) : !template_expand(text, account, place->path, sizeof place->path, e))
		return false;
	place->kind = PLACE_MAILDIR;
	place->account_len = strlen(place->path);
	return strcmp(folder, "INBOX") == 0 || add_folder(folder, place, e);
}

static void in_store(struct place *place)
{
	place->kind = PLACE_STORE;
	place->path[0] = '\0';
	place->account_len = 0;
}

bool place_find(struct store *s, const char *box, const char *own, struct place *place, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1], account[ACCOUNT_NAME_MAX + 1], text[TEMPLATE_MAX + 1] = "";

	in_store(place);
	if (!box_name(box, name, e))
		return false;
	(void)snprintf(account, sizeof account, "%.*s", (int)strcspn(name, "/"), name);
	if (own && !*own)
		own = NULL;
	if (!own && !settle(s, account, text, e))
		return false;
	if (!own && (!*text || strcmp(text, "none") == 0))
		return true;
	if (take_path(name, account, own, text, place, e))
		return true;
	in_store(place);
	return err_in(e, "mailbox %.150s", name);
}

/* For who is about to put mail into the store, or to open it there. */
bool place_must_be_store(struct store *s, const char *box, struct err *e)
{
	struct place place;

	if (!place_find(s, box, NULL, &place, e))
		return false;
	switch (place.kind) {
	case PLACE_STORE:
		return true;
	case PLACE_MAILDIR:
		break;
	}
	return err_set(e, ERR_CONFIG, "mailbox %.120s lies in the Maildir %.200s, not in the store: it is made with its first message, "
		"and removed as a folder is", box, place.path);
}

/* --- what is hidden */

static bool has_mail(struct store *s, const char *box)
{
	uint64_t messages = 0, octets;
	struct err e;

	return maildrop_peek(s, box, &messages, &octets, &e) && messages;
}

bool place_hidden(struct store *s, char name[MAILBOX_NAME_MAX + 1])
{
	struct place place;
	struct err e;

	while (mailbox_each(s, name))
		if (has_mail(s, name) && (!place_find(s, name, NULL, &place, &e) || place.kind == PLACE_MAILDIR))
			return true;
	return false;
}

static bool is_of(const char *box, const char *account)
{
	size_t len = strlen(account);

	return strncmp(box, account, len) == 0 && box[len] == '/';
}

/* No mail of this account in the store, and none on its way there? */
static bool must_be_empty(struct store *s, const char *account, struct err *e)
{
	char box[MAILBOX_NAME_MAX + 1] = "";

	if (strlen(account) + 1 < sizeof box)
		(void)snprintf(box, sizeof box, "%s/", account);
	while (mailbox_each(s, box) && is_of(box, account))
		if (has_mail(s, box))
			return err_set(e, ERR_CONFIG, "there is mail in mailbox %.200s of the store, which nobody would see any more; "
				"first: postrider mailbox export BOX maildir:PATH, then mailbox remove BOX --with-messages", box);
	if (box_busy(s, account))
		return err_set(e, ERR_BUSY, "account %.200s: mail is coming in or going just now; try again", account);
	return true;
}

/* --- changes */

static bool keep(struct store *s, char kind, const char *name, const char *who, const char *text, struct err *e)
{
	char key[RECORD_KEY], owner[RECORD_KEY];
	struct batch *b = store_batch(record_part());
	struct span k = record_key(key, 'm', who);

	store_must(batch_present(b, record_key(owner, kind, name)));
	store_must(*text ? batch_put(b, k, span_of(text)) : batch_remove(b, k));
	s->places.changes++;
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "%.100s", name);
}

/* "default" is kept as nothing. */
static bool check_text(const char **text, bool many, struct err *e)
{
	if (strcmp(*text, "default") == 0)
		*text = "";
	return !**text || strcmp(*text, "none") == 0 || template_check(*text, many, e) || err_in(e, "maildir");
}

/* Where its mail would lie then: the name must make a path, and the store must be empty. */
static bool check_move(struct store *s, const char *account, const char *text, struct err *e)
{
	char box[ACCOUNT_NAME_MAX + 8];
	struct place place = { .kind = PLACE_STORE };

	if (!*text || strcmp(text, "none") == 0)
		return true;
	(void)snprintf(box, sizeof box, "%s/INBOX", account);
	return take_path(box, account, NULL, text, &place, e) && must_be_empty(s, account, e);
}

bool place_set_account(struct store *s, const char *given, const char *text, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1], then[TEMPLATE_MAX + 1];
	const char *domain;

	if (!account_name(given, NULL, name, e) || !check_text(&text, false, e))
		return false;
	if (!account_there(s, name))
		return err_set(e, ERR_CONFIG, "there is no account %.200s; make it first: postrider account add %.200s", name, name);
	(void)snprintf(then, sizeof then, "%s", text);
	domain = strchr(name, '@');
	if (!*then && domain && !read_setting(s, domain, then, e))
		return false;
	if (!*then)
		otherwise(s, then);
	return check_move(s, name, then, e) && keep(s, 'a', name, name, text, e);
}

bool place_set_domain(struct store *s, const char *given, const char *text, struct err *e)
{
	struct account_info account = { .name = "" };
	char who[DOMAIN_NAME_MAX + 2], then[TEMPLATE_MAX + 1], its[TEMPLATE_MAX + 1];
	struct domain_info info;

	if (!domain_find(s, given, &info, e) || !check_text(&text, true, e))
		return false;
	(void)snprintf(who, sizeof who, "@%s", info.name);
	(void)snprintf(then, sizeof then, "%s", text);
	if (!*then)
		otherwise(s, then);
	while (*then && account_each(s, &account)) {
		const char *at = strchr(account.name, '@');

		if (!at || strcmp(at, who) != 0)
			continue;
		place_get(s, account.name, its);
		if (!*its && !check_move(s, account.name, then, e))
			return false;
	}
	return keep(s, 'd', info.name, who, text, e);
}

/* --- Maildirs */

struct below place_below(const struct place *place)
{
	assert(place->kind == PLACE_MAILDIR);
	return (struct below){ place->path, place->account_len };
}

bool place_make(const struct place *place, struct maildir **m, struct err *e)
{
	const struct below b = place_below(place);
	char account[PATH_MAX];

	if (below_is_folder(&b)) {
		(void)snprintf(account, sizeof account, "%.*s", (int)place->account_len, place->path);
		if (!maildir_open(account, m, e))
			return false;
		maildir_close(m);
	}
	return maildir_open_below(&b, m, e);
}

/* A name that somebody mistyped makes no Maildir. */
static bool must_be_known(struct store *s, const char *box, const char *path, struct err *e)
{
	char name[MAILBOX_NAME_MAX + 1];

	if (!box_name(box, name, e))
		return false;
	name[strcspn(name, "/")] = '\0';
	return account_there(s, name) || access(path, F_OK) == 0 ||
	       err_set(e, ERR_CONFIG, "there is neither account %.150s nor its Maildir %.200s; make one of them first", name, path);
}

bool place_open(struct store *s, const char *box, const struct place *place, struct maildir **m, struct err *e)
{
	char account[PATH_MAX];

	assert(place->kind == PLACE_MAILDIR);
	(void)snprintf(account, sizeof account, "%.*s", (int)place->account_len, place->path);
	return must_be_known(s, box, account, e) && place_make(place, m, e);
}
