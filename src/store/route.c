/* SPDX-License-Identifier: Apache-2.0 */
#include "store/route.h"

#include <stdio.h>

#include "store/alias.h"
#include "store/domain.h"
#include "store/record.h"
#include "wire/saslprep.h"

static bool find(struct store *s, const char *address, char account[ACCOUNT_NAME_MAX + 1])
{
	size_t len = 0;
	bool there = record_get(s, 'r', address, account, ACCOUNT_NAME_MAX, &len);

	if (there)
		account[len] = '\0';
	return there;
}

bool route_there(struct store *s, const char *address)
{
	char account[ACCOUNT_NAME_MAX + 1];

	return find(s, address, account);
}

static bool is_any(const char *address)
{
	return address[0] == '*' && address[1] == '@';
}

/* An address as routes are kept under it. */
static bool check(const char *given, char address[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	if (!account_name(given, NULL, address, e))
		return err_in(e, "route %.100s", given);
	if (strchr(is_any(address) ? address + 1 : address, '*'))
		return err_set(e, ERR_CONFIG, "a route is ADDRESS or *@DOMAIN: %.200s has a * elsewhere", address);
	return true;
}

bool route_add(struct store *s, const char *given, const char *given_account, unsigned how, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1], name[ACCOUNT_NAME_MAX + 1], other[ACCOUNT_NAME_MAX + 1];
	char route_key[RECORD_KEY], account_key[RECORD_KEY];
	struct batch *b;

	if (!check(given, address, e) || !account_must_be_normal(address, e) || !account_name(given_account, NULL, name, e) ||
	    (!(how & ACCOUNT_ANY_DOMAIN) && !domain_must(s, address, e)))
		return false;
	if (account_there(s, address))
		return err_set(e, ERR_CONFIG, "%.300s is an account", address);
	if (alias_find(s, address, other))
		return err_set(e, ERR_CONFIG, "%.200s is an alias of %.200s", address, other);
	if (find(s, address, other))
		return err_set(e, ERR_CONFIG, "%.200s leads to %.200s already", address, other);
	if (!account_there(s, name))
		return err_set(e, ERR_CONFIG, "there is no account %.200s; make it first: postrider account add %.200s", name, name);
	b = store_batch(record_part());
	store_must(batch_present(b, record_key(account_key, 'a', name)) && batch_absent(b, record_key(route_key, 'r', address)));
	store_must(batch_put(b, record_key(route_key, 'r', address), span_of(name)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "route %.100s", address);
}

bool route_remove(struct store *s, const char *given, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1], key[RECORD_KEY];
	struct batch *b;

	if (!check(given, address, e))
		return false;
	if (!route_there(s, address))
		return err_set(e, ERR_CONFIG, "there is no route %.300s", address);
	b = store_batch(record_part());
	store_must(batch_remove(b, record_key(key, 'r', address)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "route %.100s", address);
}

bool route_each(struct store *s, char address[ACCOUNT_NAME_MAX + 1], char account[ACCOUNT_NAME_MAX + 1])
{
	size_t len = 0;
	bool there = record_next(s, 'r', address, account, ACCOUNT_NAME_MAX, &len);

	account[there ? len : 0] = '\0';
	return there;
}

bool route_forget_account(struct store *s, struct batch **b, const char *account, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1] = "", to[ACCOUNT_NAME_MAX + 1], key[RECORD_KEY];

	while (route_each(s, address, to))
		if (strcmp(to, account) == 0 && !record_add(s, b, record_key(key, 'r', address), (struct span){ 0 }, e))
			return false;
	return true;
}

/* ---- who is meant */

/* As text with its domain; false: it is no name, and `out` whatever can be told of it, which is nobody's: also not where it is cut. */
static bool meant(struct span given, const char *domain, char out[ACCOUNT_NAME_MAX + 1])
{
	char text[ACCOUNT_NAME_MAX + 1];
	bool whole = given.len <= ACCOUNT_NAME_MAX && !(given.len && memchr(given.at, '\0', given.len));
	size_t len = given.len <= ACCOUNT_NAME_MAX ? given.len : ACCOUNT_NAME_MAX;
	struct err ignored;
	char *percent;

	if (len)
		memcpy(text, given.at, len);
	text[len] = '\0';
	percent = strchr(text, '@') ? NULL : strrchr(text, '%');
	if (percent)
		*percent = '@';
	if (whole && account_name(text, domain, out, &ignored))
		return true;
	memcpy(out, text, len + 1);
	if (!whole)
		out[0] = '#';
	return false;
}

/* What a client would have sent that prepares names, and so before they are folded and get their domain. */
static bool meant_prepared(struct span given, const char *domain, char out[ACCOUNT_NAME_MAX + 1])
{
	char memory[SASLPREP_MAX], name[ACCOUNT_NAME_MAX + 1];
	struct buf prepared;

	buf_lend(&prepared, memory, sizeof memory);
	if (given.len > ACCOUNT_NAME_MAX || !saslprep(given, &prepared) || !meant(buf_span(&prepared), domain, name))
		return false;
	account_normal(name, out);
	return true;
}

/* The account of that name, of its alias, or of the route from that address; all are looked for, whatever is found. */
static bool look_up(struct store *s, char name[ACCOUNT_NAME_MAX + 1])
{
	char alias[ACCOUNT_NAME_MAX + 1], route[ACCOUNT_NAME_MAX + 1];
	bool there = account_there(s, name), aliased = alias_find(s, name, alias), routed = find(s, name, route) && !is_any(name);

	if (!there && aliased)
		memcpy(name, alias, sizeof alias);
	else if (!there && routed)
		memcpy(name, route, sizeof route);
	return there || aliased || routed;
}

/* Where "*" of this address's domain leads. */
static bool look_up_any(struct store *s, const char *address, char account[ACCOUNT_NAME_MAX + 1])
{
	const char *domain = strchr(address, '@');
	char any[ACCOUNT_NAME_MAX + 2];

	(void)snprintf(any, sizeof any, "*%s", domain ? domain : "@");
	return find(s, any, account) && domain;
}

bool route_resolve(struct store *s, struct span given, const char *main_domain, const char *local_domain, struct resolved *out)
{
	const char *domain = local_domain && *local_domain ? local_domain : main_domain;
	char normal[ACCOUNT_NAME_MAX + 1], any[ACCOUNT_NAME_MAX + 1], *name = out->account;
	bool named = meant(given, domain, name), another = meant_prepared(given, domain, normal) && strcmp(name, normal) != 0;
	bool there = named && look_up(s, name), normal_there = another && look_up(s, normal), routed;	/* also where it is not needed: that takes its time */

	if (another && !there)
		memcpy(name, normal, sizeof normal);
	there = there || normal_there;
	routed = look_up_any(s, name, any) && (named || another) && !there;
	memcpy(out->routed, routed ? name : "", routed ? strlen(name) + 1 : 1);
	if (routed)
		memcpy(name, any, sizeof any);
	return there || routed;
}
