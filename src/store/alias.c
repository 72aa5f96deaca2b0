/* SPDX-License-Identifier: Apache-2.0 */
#include "store/alias.h"

#include <stdio.h>

#include "store/domain.h"
#include "store/record.h"
#include "wire/saslprep.h"

static bool find(struct store *s, const char *address, char account[ACCOUNT_NAME_MAX + 1])
{
	size_t len = 0;
	bool there = record_get(s, 'l', address, account, ACCOUNT_NAME_MAX, &len);

	if (there)
		account[len] = '\0';
	return there;
}

bool alias_add(struct store *s, const char *given, const char *account, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1], name[ACCOUNT_NAME_MAX + 1], other[ACCOUNT_NAME_MAX + 1];
	char alias_key[RECORD_KEY], account_key[RECORD_KEY];
	struct batch *b;

	if (!account_name(given, NULL, address, e) || !account_must_be_normal(address, e) || !account_name(account, NULL, name, e) ||
	    !domain_must(s, address, e))
		return false;
	if (account_there(s, address))
		return err_set(e, ERR_CONFIG, "%.300s is an account", address);
	if (find(s, address, other))
		return err_set(e, ERR_CONFIG, "%.200s is an alias of %.200s already", address, other);
	b = store_batch(record_part());
	store_must(batch_present(b, record_key(account_key, 'a', name)) && batch_absent(b, record_key(alias_key, 'l', address)));
	store_must(batch_put(b, record_key(alias_key, 'l', address), span_of(name)));
	if (!account_there(s, name)) {
		batch_free(&b);
		return err_set(e, ERR_CONFIG, "there is no account %.200s; make it first: postrider account add %.200s", name, name);
	}
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "alias %.100s", address);
}

bool alias_remove(struct store *s, const char *given, struct err *e)
{
	char address[ACCOUNT_NAME_MAX + 1], account[ACCOUNT_NAME_MAX + 1], key[RECORD_KEY];
	struct batch *b;

	if (!account_name(given, NULL, address, e))
		return false;
	if (!find(s, address, account))
		return err_set(e, ERR_CONFIG, "there is no alias %.300s", address);
	b = store_batch(record_part());
	store_must(batch_remove(b, record_key(key, 'l', address)));
	return engine_commit_wait(s->engine, &b, e) || err_in(e, "alias %.100s", address);
}

bool alias_each(struct store *s, char address[ACCOUNT_NAME_MAX + 1], char account[ACCOUNT_NAME_MAX + 1])
{
	size_t len = 0;
	bool there = record_next(s, 'l', address, account, ACCOUNT_NAME_MAX, &len);

	account[there ? len : 0] = '\0';
	return there;
}

/* As text with its domain; false: it is no name, and `out` whatever can be told of it. */
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
	return false;
}

/* The account of that name, or that of its alias. */
static bool look_up(struct store *s, char name[ACCOUNT_NAME_MAX + 1])
{
	char account[ACCOUNT_NAME_MAX + 1];
	bool there = account_there(s, name), aliased = find(s, name, account);

	if (aliased && !there)
		memcpy(name, account, sizeof account);
	return there || aliased;
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

bool account_resolve(struct store *s, struct span given, const char *main_domain, const char *local_domain, char out[ACCOUNT_NAME_MAX + 1])
{
	const char *domain = local_domain && *local_domain ? local_domain : main_domain;
	char normal[ACCOUNT_NAME_MAX + 1];
	bool named = meant(given, domain, out), another = meant_prepared(given, domain, normal) && strcmp(out, normal) != 0;
	bool there = named && look_up(s, out), normal_there = another && look_up(s, normal);	/* also where it is not needed: that takes its time */

	if (another && !there)
		memcpy(out, normal, sizeof normal);
	return there || normal_there;
}
