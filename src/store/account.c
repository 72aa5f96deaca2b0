/* SPDX-License-Identifier: Apache-2.0 */
#include "store/account.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/acl.h"
#include "store/alert_rest.h"
#include "store/domain.h"
#include "store/login.h"
#include "store/mailbox.h"
#include "store/record.h"
#include "store/route.h"
#include "wire/saslprep.h"

static bool check_name(struct span name, struct err *e)
{
	size_t at = span_find(name, '@');

	if (!name.len || at == 0 || at + 1 == name.len || memchr(span_from(name, at + 1).at, '@', span_from(name, at + 1).len))
		return err_set(e, ERR_CONFIG, "an account is named NAME or NAME@DOMAIN");
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.at[i];

		if (c <= ' ' || c == 127)
			return err_set(e, ERR_CONFIG, "an account's name has no blanks and no control characters");
		if (strchr("#/~%", c))
			return err_set(e, ERR_CONFIG, "an account's name has no \"%c\"", c);
	}
	return true;
}

static void fold(char *name)
{
	for (char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
}

bool account_name(const char *given, const char *main_domain, char name[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	bool add = main_domain && *main_domain && !strchr(given, '@');
	int n = snprintf(name, ACCOUNT_NAME_MAX + 1, "%s%s%s", given, add ? "@" : "", add ? main_domain : "");

	if (n < 0 || n > ACCOUNT_NAME_MAX)
		return err_set(e, ERR_CONFIG, "an account's name has at most %d octets", ACCOUNT_NAME_MAX);
	fold(name);
	return check_name(span_of(name), e);
}

/* False: SASLprep refuses, leaves nothing, or too much. */
static bool prepare(struct span text, char out[ACCOUNT_NAME_MAX + 1])
{
	char memory[SASLPREP_MAX];
	struct buf prepared;

	buf_lend(&prepared, memory, sizeof memory);
	if (!saslprep(text, &prepared) || !prepared.len || prepared.len > ACCOUNT_NAME_MAX)
		return false;
	memcpy(out, memory, prepared.len);
	out[prepared.len] = '\0';
	return true;
}

/* Twice: a small letter may have a composed form that the capital one has not. */
void account_normal(const char *name, char normal[ACCOUNT_NAME_MAX + 1])
{
	char folded[ACCOUNT_NAME_MAX + 1];
	bool good = prepare(span_of(name), folded);

	if (good) {
		fold(folded);
		good = prepare(span_of(folded), normal);
	}
	if (!good)
		memmove(normal, name, strlen(name) + 1);
}

bool account_must_be_normal(const char *name, struct err *e)
{
	char normal[ACCOUNT_NAME_MAX + 1];

	account_normal(name, normal);
	return strcmp(normal, name) == 0 || err_set(e, ERR_CONFIG, "clients may write the name %.100s in another form: make it as %.100s", name, normal);
}

/* What a password becomes; the rest of the record is not touched. */
static bool set_password(struct store *s, const char *name, struct record *r, struct span password, unsigned how, struct err *e)
{
	bool recoverable = how & ACCOUNT_RECOVERABLE;

	r->flags = 0;
	r->verifier = (struct verifier){ 0 };
	r->sealed_len = 0;
	if (!password.len)
		return true;
	if (password.len > ACCOUNT_PASSWORD_MAX)
		return err_set(e, ERR_CONFIG, "a password has at most %d octets", ACCOUNT_PASSWORD_MAX);
	if (memchr(password.at, '\0', password.len))
		return err_set(e, ERR_CONFIG, "a password has no NUL: no mechanism could send it");
	r->flags = RECORD_CAN_LOGIN | (recoverable ? RECORD_RECOVERABLE : 0);
	return verifier_make(&r->verifier, password, recoverable || how & ACCOUNT_SCRAM_SHA1, e) &&
	       (!recoverable || seal_close(s->seal, name, password, r->sealed, &r->sealed_len, e));
}

static bool put(struct store *s, const char *name, const struct record *r, bool there, struct err *e)
{
	char key[RECORD_KEY], value[RECORD_MAX];
	struct span k = record_key(key, 'a', name);
	struct batch *b = store_batch(record_part());
	bool good;

	store_must(there ? batch_present(b, k) : batch_absent(b, k));
	store_must(batch_put(b, k, record_pack(value, r)));
	good = engine_commit_wait(s->engine, &b, e);
	wipe(value, sizeof value);
	return good || err_in(e, "account %.100s", name);
}

bool account_there(struct store *s, const char *name)
{
	char value[1];
	size_t len;

	return record_get(s, 'a', name, value, sizeof value, &len);
}

bool account_add(struct store *s, const char *given, struct span password, unsigned how, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1], alias[1];
	struct record r = { .made = clock_now_s(), .limits = { ACCOUNT_QUOTA_DEFAULT, ACCOUNT_SESSIONS_DEFAULT } };
	size_t len;
	bool good;

	if (!account_name(given, NULL, name, e) || !account_must_be_normal(name, e) || (!(how & ACCOUNT_ANY_DOMAIN) && !domain_must(s, name, e)))
		return false;
	if (account_there(s, name))
		return err_set(e, ERR_CONFIG, "account %.300s is there already", name);
	if (record_get(s, 'l', name, alias, sizeof alias, &len))
		return err_set(e, ERR_CONFIG, "%.300s is an alias; remove that first", name);
	if (route_there(s, name))
		return err_set(e, ERR_CONFIG, "%.300s is a route; remove that first", name);
	if (strcmp(name, ACL_ANYONE) == 0)
		return err_set(e, ERR_CONFIG, "no account is named \"anyone\": in rights that means everybody");
	good = set_password(s, name, &r, password, how, e) && put(s, name, &r, false, e);
	wipe(&r, sizeof r);
	return good;
}

/* The account to be changed. */
static bool find(struct store *s, const char *given, char name[ACCOUNT_NAME_MAX + 1], struct record *r, struct err *e)
{
	if (!account_name(given, NULL, name, e))
		return false;
	if (record_find(s, name, r))
		return true;
	return err_set(e, ERR_CONFIG, "there is no account %.200s; make it first: postrider account add %.200s", name, name);
}

bool account_passwd(struct store *s, const char *given, struct span password, unsigned how, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];
	struct record r = { 0 };
	bool good = find(s, given, name, &r, e) && set_password(s, name, &r, password, how, e) && put(s, name, &r, true, e);

	wipe(&r, sizeof r);
	return good;
}

bool account_set(struct store *s, const char *given, const struct account_limits *limits, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];
	struct record r = { 0 };
	bool good = find(s, given, name, &r, e);

	r.limits = *limits;
	good = good && put(s, name, &r, true, e);
	wipe(&r, sizeof r);
	return good;
}

/* Its mailboxes, counted or removed. */
static bool each_box(struct store *s, const char *account, bool remove, int64_t now, size_t *count, struct err *e)
{
	char box[MAILBOX_NAME_MAX + 1], prefix[ACCOUNT_NAME_MAX + 2];
	size_t len = (size_t)snprintf(prefix, sizeof prefix, "%s/", account);

	*count = 0;
	if (len > MAILBOX_NAME_MAX)
		return true;		/* too long a name to have any */
	memcpy(box, prefix, len + 1);
	for (; mailbox_each(s, box) && span_starts(span_of(box), span_of(prefix)); ++*count)
		if (remove && !mailbox_destroy(s, box, now, e))
			return false;
	return true;
}

static bool forget_aliases(struct store *s, struct batch **b, const char *name, struct err *e)
{
	char key[RECORD_KEY], alias[ACCOUNT_NAME_MAX + 1] = "", target[ACCOUNT_NAME_MAX];
	size_t len;

	while (record_next(s, 'l', alias, target, sizeof target, &len))
		if (span_equal((struct span){ target, len }, span_of(name)) && !record_add(s, b, record_key(key, 'l', alias), (struct span){ 0 }, e))
			return false;
	return true;
}

/* What leads to it goes before it does, or at the same moment. */
static bool remove_record(struct store *s, const char *name, struct err *e)
{
	char key[RECORD_KEY];
	struct batch *b = store_batch(record_part());
	bool good = (alert_forget(s, ALERT_ACCOUNT, name, b) || err_set(e, ERR_CONFIG, "it has thousands of alerts: remove some first")) &&
		    acl_forget_account(s, &b, name, e) && route_forget_account(s, &b, name, e) && forget_aliases(s, &b, name, e) &&
		    record_add(s, &b, record_key(key, 'm', name), (struct span){ 0 }, e) &&
		    record_add(s, &b, record_key(key, 'a', name), (struct span){ 0 }, e) && engine_commit_wait(s->engine, &b, e);

	if (b)
		batch_free(&b);
	s->places.changes++;
	return good || err_in(e, "account %.100s", name);
}

bool account_remove(struct store *s, const char *given, bool mailboxes, int64_t now, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];
	struct record r = { 0 };
	size_t count;
	bool there = find(s, given, name, &r, e);

	wipe(&r, sizeof r);
	if (!there || !each_box(s, name, false, now, &count, e))
		return false;
	if (count && !mailboxes)
		return err_set(e, ERR_CONFIG, "account %.200s has %zu mailboxes; --with-mailboxes removes them, with all mail in them", name, count);
	return each_box(s, name, true, now, &count, e) && remove_record(s, name, e);
}

static void show(const struct record *r, struct account_info *info)
{
	info->made = r->made;
	info->can_login = r->flags & RECORD_CAN_LOGIN;
	info->recoverable = r->flags & RECORD_RECOVERABLE;
	info->scram_sha1 = r->verifier.sha1.iterations;
	info->limits = r->limits;
}

bool account_find(struct store *s, const char *name, struct account_info *info)
{
	struct record r;

	if (!record_find(s, name, &r))
		return false;
	(void)snprintf(info->name, sizeof info->name, "%s", name);
	show(&r, info);
	wipe(&r, sizeof r);
	return true;
}

bool account_each(struct store *s, struct account_info *info)
{
	char value[1];
	struct record r;
	size_t len;

	do {
		if (!record_next(s, 'a', info->name, value, sizeof value, &len))
			return false;
	} while (!record_find(s, info->name, &r));
	show(&r, info);
	wipe(&r, sizeof r);
	return true;
}

bool account_check(struct store *s, const char *given, struct span password, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];
	struct account_login login;
	struct err ignored;
	bool good;

	login_find(s, account_name(given, NULL, name, &ignored) ? name : "", &login);
	good = verifier_argon_holds(login.verifier, password) && login.there;
	login_wipe(&login);
	return good || err_set(e, ERR_AUTH, "wrong name or password");
}
