/* SPDX-License-Identifier: Apache-2.0
 * The names of mailboxes, and the directory of those that were made. */
#include <assert.h>

#include "base/clock.h"
#include "store/account.h"
#include "store/box.h"
#include "store/pack.h"

static bool check_component(struct span c, struct err *e)
{
	if (!c.len)
		return err_set(e, ERR_CONFIG, "a part of its name is empty");
	if (span_equal(c, SPAN(".")) || span_equal(c, SPAN("..")))
		return err_set(e, ERR_CONFIG, "\".\" and \"..\" cannot be part of its name");
	if (span_has_control(c))
		return err_set(e, ERR_CONFIG, "its name has a control character");
	return true;
}

static bool check_box(struct span box, struct err *e)
{
	for (;;) {
		size_t slash = span_find(box, '/');

		if (!check_component((struct span){ box.at, slash }, e))
			return false;
		if (slash == box.len)
			return true;
		box = span_from(box, slash + 1);
	}
}

bool box_name(const char *given, char name[MAILBOX_NAME_MAX + 1], struct err *e)
{
	char account[ACCOUNT_NAME_MAX + 1], owner[ACCOUNT_NAME_MAX + 1];
	struct span whole = span_of(given), box;
	size_t slash = span_find(whole, '/'), first;

	if (slash == whole.len)
		return err_set(e, ERR_CONFIG, "a mailbox is named ACCOUNT/BOX, such as %.100s/INBOX", slash && !span_has_control(whole) ? given : "anna");
	if (whole.len > MAILBOX_NAME_MAX)
		return err_set(e, ERR_CONFIG, "a mailbox's name has at most %d octets", MAILBOX_NAME_MAX);
	memcpy(account, given, slash);
	account[slash] = '\0';
	box = span_from(whole, slash + 1);
	if (!account_name(account, NULL, owner, e))
		return false;
	if (!check_box(box, e))
		return err_in(e, "mailbox of account %s", owner);
	/* As long as it was given: folding changes no length. */
	assert(strlen(owner) == slash);
	memcpy(name, owner, slash);
	memcpy(name + slash, given + slash, whole.len + 1 - slash);
	first = span_find(box, '/');
	if (span_equal_nocase((struct span){ box.at, first }, SPAN("INBOX")))
		memcpy(name + slash + 1, "INBOX", first);
	return true;
}

bool mailbox_name(const char *given, char name[MAILBOX_NAME_MAX + 1], struct err *e)
{
	return box_name(given, name, e);
}

enum { NAME_KEY = 1 + MAILBOX_NAME_MAX + 1 };

static engine_part directory(void)
{
	return engine_part_of("names", SPAN(""));
}

static struct span kind_key(char key[NAME_KEY], char kind, const char *name)
{
	size_t len = strlen(name);

	key[0] = kind;
	memcpy(key + 1, name, len);
	return (struct span){ key, 1 + len };
}

static struct span name_key(char key[NAME_KEY], const char *name)
{
	return kind_key(key, 'b', name);
}

static bool get_number(struct store *s, struct span key, uint32_t *n)
{
	struct view *v = store_view(s);
	struct span value;
	bool there = view_get(v, directory(), key, &value);

	if (there)
		*n = take_u32(&value);
	view_end(&v);
	return there;
}

bool box_find(struct store *s, const char *name, uint32_t *epoch)
{
	char key[NAME_KEY];

	return get_number(s, name_key(key, name), epoch);
}

bool mailbox_there(struct store *s, const char *name)
{
	uint32_t epoch;

	return box_find(s, name, &epoch);
}

bool box_make(struct store *s, const char *name, uint32_t *epoch, struct err *e)
{
	char key[NAME_KEY], grave[NAME_KEY], was[4], is[4];
	struct span before = { was, sizeof was }, now = { is, sizeof is };
	struct batch *b;
	uint32_t last = 0;
	bool first;

	if (!box_purge(s, name, e))
		return err_in(e, "mailbox %s", name);
	first = !get_number(s, SPAN("e"), &last);
	b = store_batch(directory());
	*epoch = (uint32_t)clock_now_s();
	if (*epoch <= last)
		*epoch = last + 1;
	pack_u32(was, last);
	pack_u32(is, *epoch);
	store_must(first ? batch_absent(b, SPAN("e")) : batch_equals(b, SPAN("e"), before));
	store_must(batch_absent(b, name_key(key, name)));
	store_must(batch_put(b, SPAN("e"), now) && batch_put(b, name_key(key, name), now));
	store_must(batch_remove(b, kind_key(grave, 'x', name)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "mailbox %s", name);
}

bool box_bury(struct store *s, const char *name, int64_t now, struct err *e)
{
	char key[NAME_KEY], grave[NAME_KEY], when[8];
	struct batch *b = store_batch(directory());

	pack_u64(when, (uint64_t)now);
	store_must(batch_present(b, name_key(key, name)) && batch_remove(b, name_key(key, name)));
	store_must(batch_put(b, kind_key(grave, 'x', name), (struct span){ when, sizeof when }));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "mailbox %s", name);
}

bool box_grave(struct store *s, const char *name, int64_t *when)
{
	char key[NAME_KEY];
	struct view *v = store_view(s);
	struct span value;
	bool there = view_get(v, directory(), kind_key(key, 'x', name), &value);

	if (there)
		*when = (int64_t)take_u64(&value);
	view_end(&v);
	return there;
}

struct batch *box_grave_close(const char *name)
{
	char key[NAME_KEY];
	struct batch *b = store_batch(directory());

	store_must(batch_remove(b, kind_key(key, 'x', name)));
	return b;
}

/* The next name of a kind. */
static bool next_name(struct store *s, const char *kind, char name[MAILBOX_NAME_MAX + 1])
{
	char at[NAME_KEY];
	struct span key = kind_key(at, kind[0], name), value;
	struct view *v = store_view(s);
	bool there = view_next(v, directory(), span_of(kind), &key, &value) && key.len - 1 <= MAILBOX_NAME_MAX;

	if (there) {
		memcpy(name, key.at + 1, key.len - 1);
		name[key.len - 1] = '\0';
	}
	view_end(&v);
	return there;
}

bool mailbox_each(struct store *s, char name[MAILBOX_NAME_MAX + 1])
{
	return next_name(s, "b", name);
}

bool box_grave_each(struct store *s, char name[MAILBOX_NAME_MAX + 1])
{
	return next_name(s, "x", name);
}
