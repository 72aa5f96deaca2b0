/* SPDX-License-Identifier: Apache-2.0 */
#include "store/alias.h"

#include <stdio.h>

#include "store/domain.h"
#include "store/record.h"
#include "store/route.h"

bool alias_find(struct store *s, const char *address, char account[ACCOUNT_NAME_MAX + 1])
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
	if (address[0] == '*' && address[1] == '@')
		return err_set(e, ERR_CONFIG, "an alias is one address; for all of a domain: postrider route add '%.150s' %.150s", address, name);
	if (account_there(s, address))
		return err_set(e, ERR_CONFIG, "%.300s is an account", address);
	if (alias_find(s, address, other))
		return err_set(e, ERR_CONFIG, "%.200s is an alias of %.200s already", address, other);
	if (route_there(s, address))
		return err_set(e, ERR_CONFIG, "%.300s is a route; remove that first", address);
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
	if (!alias_find(s, address, account))
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

bool account_resolve(struct store *s, struct span given, const char *main_domain, const char *local_domain, char out[ACCOUNT_NAME_MAX + 1])
{
	struct resolved r;
	bool there = route_resolve(s, given, main_domain, local_domain, &r), routed = *r.routed;

	memcpy(out, routed ? r.routed : r.account, strlen(routed ? r.routed : r.account) + 1);
	return there && !routed;
}
