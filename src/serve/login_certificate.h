/* SPDX-License-Identifier: Apache-2.0
 *
 * Which account a client's certificate is for: SASL EXTERNAL (RFC 4422
 * appendix A).  It fails closed.
 *
 * The certificate's names are its e-mail addresses (rfc822Name), and only
 * where it has none its CN, of which there must be one.  Without an authorization
 * identity all of them must mean one account; with one, it must mean the account
 * that one of them means (what else it says, named.h, is not looked at here).  Only an authorization identity may come by
 * the route of a whole domain (store/route.h).  A name that holds anything but an account's name (escapes,
 * what was cut, what cannot be read) makes the whole certificate none.
 * So does a name that SASLprep would make another one of.
 * Whether the certificate can be trusted was looked at when TLS began. */
#pragma once

#include "serve/users.h"

struct login_certificate {
	struct span pem;		/* the client's own first; empty: none */
	struct span authzid;		/* as the client gave it; empty: none */
	const char *main_domain, *local_domain;	/* for users_resolve */
	struct users *users;		/* who knows whom; NULL: the store's accounts are all */
};

/* `name`: what to resolve; also on false (ERR_AUTH, ERR_PEER) what may be shown and counted, perhaps "". */
[[nodiscard]] bool login_certificate(struct store *s, const struct login_certificate *c, char name[ACCOUNT_NAME_MAX + 1], struct err *e);
