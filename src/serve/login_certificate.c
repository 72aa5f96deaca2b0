/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/login_certificate.h"

#include <stdio.h>

#include "net/certificate.h"
#include "serve/named.h"
#include "store/alias.h"
#include "store/route.h"
#include "wire/saslprep.h"

struct names {
	struct span all[CERTIFICATE_NAMES_MAX];
	size_t count;
};

/* In the form that account_resolve would make of it: who certifies names may hold wide letters for others than narrow ones. */
static bool normal(struct span name)
{
	char memory[SASLPREP_MAX];
	struct buf prepared;

	buf_lend(&prepared, memory, sizeof memory);
	return !saslprep(name, &prepared) || span_equal(buf_span(&prepared), name);
}

/* As the texts of certificate.h have them: no escape, no '?' in place of something, not cut. */
static bool plain(struct span name)
{
	if (!name.len || name.len > ACCOUNT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (strchr("\\?\"", name.at[i]) || name.at[i] == ' ')
			return false;
	return normal(name);
}

static bool emails(const struct certificate *c, struct names *n, struct err *e)
{
	if (c->names_broken || c->names_left)
		return err_set(e, ERR_AUTH, "the names in the client's certificate cannot be read, or are too many");
	for (size_t i = 0; i < c->name_count; i++) {
		struct span name = span_of(c->names[i]);

		if (!span_starts(name, SPAN("email:")))
			continue;
		name = span_from(name, 6);
		if (!plain(name) || span_find(name, '@') == name.len)
			return err_set(e, ERR_AUTH, "an e-mail address in the client's certificate is no account's name");
		n->all[n->count++] = name;
	}
	return true;
}

/* The next TYPE=VALUE of an RFC 4514 text; *left becomes what follows it. */
static struct span next_part(struct span *left)
{
	struct span part = *left;
	size_t n = 0;

	while (n < left->len && left->at[n] != ',' && left->at[n] != '+')
		n += left->at[n] == '\\' ? 2 : 1;
	part.len = n < left->len ? n : left->len;
	*left = span_from(*left, n + 1);
	return part;
}

static bool common_name(const struct certificate *c, struct names *n, struct err *e)
{
	struct span left = span_of(c->subject);

	if (left.len >= CERTIFICATE_TEXT_MAX - 3)	/* perhaps cut, and another CN behind */
		return err_set(e, ERR_AUTH, "the subject of the client's certificate is too long");
	while (left.len) {
		struct span part = next_part(&left);

		if (!span_starts_nocase(part, SPAN("CN=")))
			continue;
		if (n->count || !plain(span_from(part, 3)))
			return err_set(e, ERR_AUTH, "the client's certificate has several CN, or one that is no account's name");
		n->all[n->count++] = span_from(part, 3);
	}
	return n->count || err_set(e, ERR_AUTH, "the client's certificate has neither an e-mail address nor a CN");
}

static bool is_somebody(struct store *s, const struct login_certificate *c, struct span given, struct resolved *r)
{
	if (c->users)
		return users_resolve(c->users, given, c->main_domain, c->local_domain, r);
	return route_resolve(s, given, c->main_domain, c->local_domain, r);
}

static bool choose(struct store *s, const struct login_certificate *c, const struct names *n, char name[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	struct named wanted = { .user = n->all[0] };
	struct resolved r;
	size_t same = 0;
	bool there;

	if (c->authzid.len && !named_split(c->authzid, &wanted))
		wanted.user = c->authzid;	/* nobody's: there is a '#' in it */
	there = is_somebody(s, c, wanted.user, &r);
	memcpy(name, r.account, strlen(r.account) + 1);
	/* "*" leads who knows the account's password to it, not whoever has a certificate for an address. */
	for (size_t i = 0; i < n->count; i++) {
		char account[ACCOUNT_NAME_MAX + 1];

		(void)account_resolve(s, n->all[i], c->main_domain, c->local_domain, account);
		same += strcmp(account, name) == 0;
	}
	if (there && (c->authzid.len ? same > 0 : same == n->count))
		return true;
	if (c->authzid.len)
		return err_set(e, ERR_AUTH, "the client's certificate is not for the account that the client named");
	return err_set(e, ERR_AUTH, "%s", n->count > 1 ? "the names in the client's certificate are not all of one account" :
							"the client's certificate is for nobody who is here");
}

bool login_certificate(struct store *s, const struct login_certificate *c, char name[ACCOUNT_NAME_MAX + 1], struct err *e)
{
	struct arena a = { 0 };
	struct certificates *all = arena_take(&a, sizeof *all);
	struct names *n = arena_take(&a, sizeof *n);
	bool good;

	name[0] = '\0';
	if (!c->pem.len)
		good = err_set(e, ERR_AUTH, "the client showed no certificate that is trusted");
	else
		good = certificates_read(&a, c->pem, all, e) && emails(&all->list[0], n, e) &&
		       (n->count || common_name(&all->list[0], n, e)) && choose(s, c, n, name, e);
	arena_end(&a);
	return good;
}
