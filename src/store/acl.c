/* SPDX-License-Identifier: Apache-2.0
 *
 * A box's value: the format, then for each identifier, in order, its rights (an octet) and its name, ended by a NUL. */
#include "store/acl.h"

#include <stdio.h>
#include <strings.h>

#include "base/buf.h"
#include "base/log.h"
#include "store/record.h"

enum { ACL_FORMAT = 1, ENTRY_MAX = 1 + ACCOUNT_NAME_MAX + 1, VALUE_MAX = 1 + ACL_ENTRIES_MAX * ENTRY_MAX };

static const char letters[] = "lrst";	/* by bit */

bool acl_letters(const char *text, unsigned *rights)
{
	*rights = 0;
	for (const char *p = text; *p; p++) {
		const char *letter = strchr(letters, *p);

		if (!letter)
			return false;
		*rights |= 1U << (letter - letters);
	}
	return *rights;
}

const char *acl_text(unsigned rights, char out[ACL_TEXT])
{
	size_t n = 0;

	for (size_t bit = 0; letters[bit]; bit++)
		if (rights & 1U << bit)
			out[n++] = letters[bit];
	out[n] = '\0';
	return out;
}

bool acl_who(const char *given, const char *main_domain, char who[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	return account_name(given, strcasecmp(given, ACL_ANYONE) == 0 ? NULL : main_domain, who, e);
}

/* ---- a value */

struct entry {
	unsigned rights;
	struct span who;
};

static bool next_entry(struct span *left, struct entry *en)
{
	size_t end;

	if (!left->len)
		return false;
	en->rights = (unsigned char)left->at[0] & ACL_ALL;
	*left = span_from(*left, 1);
	end = span_find(*left, '\0');
	en->who = (struct span){ left->at, end };
	if (!end || end == left->len || end > ACCOUNT_NAME_MAX) {
		left->len = 0;	/* damaged: nobody gets a right by it */
		return false;
	}
	*left = span_from(*left, end + 1);
	return true;
}

/* The entries of a box; borrows the view. */
static bool find(struct view *v, const char *box, struct span *left)
{
	char key[RECORD_KEY];

	if (!view_get(v, record_part(), record_key(key, 'c', box), left))
		return false;
	if (!left->len || left->len > VALUE_MAX || left->at[0] != ACL_FORMAT) {
		log_error(NULL, "the rights of mailbox %s are damaged: nobody has any until they are set again", box);
		return false;
	}
	*left = span_from(*left, 1);
	return true;
}

static int compare(struct span a, struct span b)
{
	int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static void add_entry(struct buf *out, struct entry en)
{
	store_must(buf_add_byte(out, (char)en.rights) && buf_add(out, en.who) && buf_add_byte(out, '\0'));
}

/* `left` with these rights of `who`, none with 0.  Returns how many there are then; *had: what it had. */
static size_t rewrite(struct span left, struct entry wanted, struct buf *out, unsigned *had)
{
	struct entry en;
	size_t count = 0;
	bool done = !wanted.rights;

	*had = 0;
	store_must(buf_add_byte(out, ACL_FORMAT));
	while (next_entry(&left, &en)) {
		int order = compare(en.who, wanted.who);

		if (order == 0) {
			*had = en.rights;
			continue;
		}
		if (order > 0 && !done) {
			add_entry(out, wanted);
			done = true;
			count++;
		}
		add_entry(out, en);
		count++;
	}
	if (!done)
		add_entry(out, wanted);
	return count + !done;
}

/* ---- setting */

static bool is_account(struct store *s, const char *name, struct err *e)
{
	return account_there(s, name) ||
	       err_set(e, ERR_CONFIG, "there is no account %.200s; make it first: postrider account add %.200s", name, name);
}

static bool good_who(struct store *s, const char *given, unsigned rights, unsigned how, char who[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	if (!acl_who(given, NULL, who, e))
		return false;
	if (!rights)
		return true;
	if (strcmp(who, ACL_ANYONE) == 0)
		return !account_there(s, who) ||
		       err_set(e, ERR_CONFIG, "\"anyone\" means everybody, and there is an account that is named so: remove that first");
	return how & ACL_ANY_USER ? account_must_be_normal(who, e) : is_account(s, who, e);
}

static bool good_box(struct store *s, const char *given, unsigned rights, unsigned how, char box[MAILBOX_NAME_MAX + 1], struct err *e)
{
	char owner[ACCOUNT_NAME_MAX + 1];

	if (!mailbox_name(given, box, e))
		return false;
	if (!rights || how & ACL_ANY_USER)
		return true;
	(void)snprintf(owner, sizeof owner, "%.*s", (int)strcspn(box, "/"), box);
	return is_account(s, owner, e);
}

static bool owns(const char *box, const char *account)
{
	size_t len = strlen(account);

	return strncmp(box, account, len) == 0 && box[len] == '/';
}

static bool commit(struct store *s, const char *box, struct span old, const struct buf *value, struct err *e)
{
	char key[RECORD_KEY];
	struct span k = record_key(key, 'c', box);
	struct batch *b = store_batch(record_part());

	store_must(old.at ? batch_equals(b, k, old) : batch_absent(b, k));
	store_must(value->len > 1 ? batch_put(b, k, buf_span(value)) : batch_remove(b, k));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "rights of mailbox %s", box);
}

bool acl_set(struct store *s, const char *given, const char *given_who, unsigned rights, unsigned how, struct err *e)
{
	char box[MAILBOX_NAME_MAX + 1], who[ACCOUNT_NAME_MAX + 1], key[RECORD_KEY];
	struct span left = { 0 }, old = { 0 };
	struct buf value, was;
	struct view *v;
	unsigned had;
	size_t count;
	bool good;

	if (!good_box(s, given, rights, how, box, e) || !good_who(s, given_who, rights, how, who, e))
		return false;
	if (owns(box, who))
		return err_set(e, ERR_CONFIG, "mailbox %.200s is %.100s's own: it has all rights, always", box, who);
	buf_start(&value, VALUE_MAX + ENTRY_MAX);
	buf_start(&was, VALUE_MAX + 1);
	v = store_view(s);
	if (view_get(v, record_part(), record_key(key, 'c', box), &old))
		store_must(buf_add(&was, old.len <= VALUE_MAX ? old : (struct span){ old.at, VALUE_MAX + 1 }));
	count = rewrite(find(v, box, &left) ? left : (struct span){ 0 }, (struct entry){ rights & ACL_ALL, span_of(who) }, &value, &had);
	view_end(&v);
	old = buf_span(&was);
	if (!rights && !had)
		good = err_set(e, ERR_CONFIG, "%.100s has no rights of its own on mailbox %.200s", who, box);
	else if (count > ACL_ENTRIES_MAX)
		good = err_set(e, ERR_CONFIG, "mailbox %.200s: rights are given to %d accounts already, which is all there can be", box, ACL_ENTRIES_MAX);
	else
		good = commit(s, box, old, &value, e);
	buf_end(&value);
	buf_end(&was);
	return good;
}

/* ---- looking */

unsigned acl_rights(struct store *s, const char *given, const char *account)
{
	char box[MAILBOX_NAME_MAX + 1];
	struct span left, name = span_of(account);
	unsigned rights = 0;
	struct entry en;
	struct err ignored;
	struct view *v;

	if (!name.len || !mailbox_name(given, box, &ignored))
		return 0;
	if (owns(box, account))
		return ACL_ALL;
	v = store_view(s);
	if (find(v, box, &left))
		while (next_entry(&left, &en))
			if (span_equal(en.who, name) || span_equal(en.who, SPAN(ACL_ANYONE)))
				rights |= en.rights;
	view_end(&v);
	return rights;
}

bool acl_next(struct store *s, const char *given, char who[ACCOUNT_NAME_MAX + 1], unsigned *rights)
{
	char box[MAILBOX_NAME_MAX + 1];
	struct view *v;
	struct span left;
	struct entry en;
	struct err ignored;
	bool more = false;

	if (!mailbox_name(given, box, &ignored))
		return false;
	v = store_view(s);
	if (find(v, box, &left))
		while (!more && next_entry(&left, &en))
			more = compare(en.who, span_of(who)) > 0;
	if (more) {
		*rights = en.rights;
		memcpy(who, en.who.at, en.who.len);
		who[en.who.len] = '\0';
	}
	view_end(&v);
	return more;
}

/* The next box that has a value behind `box`. */
static bool next_box(struct store *s, char box[MAILBOX_NAME_MAX + 1])
{
	char name[ACCOUNT_NAME_MAX + 1], value[1];
	size_t len;

	memcpy(name, box, MAILBOX_NAME_MAX + 1);
	do
		if (!record_next(s, 'c', name, value, sizeof value, &len))
			return false;
	while (strlen(name) > MAILBOX_NAME_MAX);
	memcpy(box, name, strlen(name) + 1);
	return true;
}

bool acl_each(struct store *s, char box[MAILBOX_NAME_MAX + 1], char who[ACCOUNT_NAME_MAX + 1], unsigned *rights)
{
	if (*box && acl_next(s, box, who, rights))
		return true;
	while (next_box(s, box)) {
		*who = '\0';
		if (acl_next(s, box, who, rights))
			return true;
	}
	return false;
}

/* ---- forgetting */

bool acl_forget(struct store *s, const char *name, struct err *e)
{
	char key[RECORD_KEY], value[1];
	struct batch *b;
	size_t len;

	if (!record_get(s, 'c', name, value, sizeof value, &len))
		return true;
	b = store_batch(record_part());
	store_must(batch_remove(b, record_key(key, 'c', name)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "rights of mailbox %s", name);
}

/* Takes what the account has on this box, if it has anything. */
static bool forget_on(struct store *s, struct batch **b, const char *box, const char *account, struct err *e)
{
	char key[RECORD_KEY];
	struct span left, k = record_key(key, 'c', box);
	struct view *v = store_view(s);
	struct buf value;
	unsigned had = 0;
	bool good = true;

	buf_start(&value, VALUE_MAX);
	if (find(v, box, &left))
		(void)rewrite(left, (struct entry){ 0, span_of(account) }, &value, &had);
	view_end(&v);
	if (had)
		good = record_add(s, b, k, value.len > 1 ? buf_span(&value) : (struct span){ 0 }, e);
	buf_end(&value);
	return good;
}

bool acl_forget_account(struct store *s, struct batch **b, const char *account, struct err *e)
{
	char box[MAILBOX_NAME_MAX + 1] = "", key[RECORD_KEY];

	while (next_box(s, box))
		if (!(owns(box, account) ? record_add(s, b, record_key(key, 'c', box), (struct span){ 0 }, e) : forget_on(s, b, box, account, e)))
			return false;
	return true;
}
