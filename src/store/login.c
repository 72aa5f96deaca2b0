/* SPDX-License-Identifier: Apache-2.0 */
#include "store/login.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "store/domain.h"
#include "store/record.h"

static void make_up(struct seal *seal, const char *name, const char *const what[3], size_t size, struct scram_keys *k)
{
	*k = (struct scram_keys){ .iterations = SCRAM_ITERATIONS };
	seal_derive(seal, what[0], name, k->salt, sizeof k->salt);
	seal_derive(seal, what[1], name, k->stored, size);
	seal_derive(seal, what[2], name, k->server, size);
}

/* Also what nobody has is opened, since that takes its time. */
static void unseal(struct store *s, const struct record *r, bool kept, struct account_login *login)
{
	static const char nothing[24 + 16 + 64];
	struct span sealed = kept ? (struct span){ r->sealed, r->sealed_len } : (struct span){ nothing, sizeof nothing };

	if (!seal_open(s->seal, login->name, sealed, login->secret, &login->secret_len) && kept)
		log_error(NULL, "account %s: its secret was sealed with another key than that of secret.key: set its password again", login->name);
}

/* r: as the account is at rest; NULL: there is none. */
static void fill(struct store *s, const char *name, const struct record *r, struct account_login *login)
{
	static const char *const sha256[] = { "salt 256", "stored 256", "server 256" }, *const sha1[] = { "salt 1", "stored 1", "server 1" };

	*login = (struct account_login){ .known = r, .there = r && r->flags & RECORD_CAN_LOGIN, .source = "internal",
		.sha256_salt = SCRAM_SALT, .sha1_salt = SCRAM_SALT, .limits = { ACCOUNT_QUOTA_DEFAULT, ACCOUNT_SESSIONS_DEFAULT } };
	(void)snprintf(login->name, sizeof login->name, "%s", name);
	(void)snprintf(login->verifier, sizeof login->verifier, "%s", login->there ? r->verifier.argon : verifier_of_nobody());
	make_up(s->seal, login->name, sha256, SCRAM_KEY_MAX, &login->sha256);
	make_up(s->seal, login->name, sha1, SCRAM_SHA1_KEY, &login->sha1);
	login->sha1_there = login->there && r->verifier.sha1.iterations;
	if (login->there)
		login->sha256 = r->verifier.sha256;
	if (login->sha1_there)
		login->sha1 = r->verifier.sha1;
	unseal(s, r, login->there && r->flags & RECORD_RECOVERABLE, login);
	if (r)
		login->limits = r->limits;
	domain_limits(s, login->name, &login->limits);
}

void login_find(struct store *s, const char *name, struct account_login *login)
{
	struct record r;
	bool there = record_find(s, name, &r);

	fill(s, name, there ? &r : NULL, login);
	wipe(&r, sizeof r);
}

void login_make_up(struct store *s, const char *name, struct account_login *login)
{
	fill(s, name, NULL, login);
}

void login_wipe(struct account_login *login)
{
	wipe(login, sizeof *login);
}
