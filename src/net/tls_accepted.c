/* SPDX-License-Identifier: Apache-2.0
 *
 * A certificate that the settings do not accept: did a person accept it, for
 * this host and port, or an authority that signed it?  (tls_trust.h) */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls_inside.h"

static bool key_accepted(struct tls_peer *p, const struct tls_trust_set *set, X509 *leaf)
{
	uint8_t key[TLS_PIN];

	if (!tls_key_digest(leaf, key))
		return false;
	for (const struct tls_accepted *a = NULL; (a = tls_trust_next(set, p, a));) {
		if (a->basis.kind != TLS_TRUST_KEY || CRYPTO_memcmp(a->key, key, TLS_PIN) != 0)
			continue;
		p->basis = a->basis;
		return true;
	}
	return false;
}

/* The authorities alone, and what the settings know to be revoked; NULL: there are none, or no memory. */
static X509_STORE *authorities(const struct tls_peer *p, const struct tls_trust_set *set)
{
	X509_STORE *store = X509_STORE_new();
	bool good = store, any = false;

	for (const struct tls_accepted *a = NULL; good && (a = tls_trust_next(set, p, a));) {
		if (a->basis.kind != TLS_TRUST_AUTHORITY)
			continue;
		any = true;
		good = X509_STORE_add_cert(store, a->cert) == 1;
	}
	for (int i = 0; good && i < sk_X509_CRL_num(p->client->crls); i++)
		good = X509_STORE_add_crl(store, sk_X509_CRL_value(p->client->crls, i)) == 1;
	if (good && any)
		return store;
	X509_STORE_free(store);
	return NULL;
}

/* The chain's upper end is the authority that was known. */
static void settle_basis(struct tls_peer *p, const struct tls_trust_set *set, STACK_OF(X509) *chain)
{
	const X509 *top = sk_X509_value(chain, sk_X509_num(chain) - 1);

	for (const struct tls_accepted *a = NULL; (a = tls_trust_next(set, p, a));)
		if (a->basis.kind == TLS_TRUST_AUTHORITY && !X509_cmp(a->cert, top))
			p->basis = a->basis;
}

static bool unknown_issuer(const X509_STORE_CTX *with)
{
	int code = X509_STORE_CTX_get_error(with);

	return code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT || code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
		|| code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
		|| code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

/* By the authorities that were accepted, with all that the settings demand but who is known.  *ours: they signed it, and
 * `e`, when it is still not good, is about that. */
static bool signed_by(struct tls_peer *p, const struct tls_trust_set *set, X509_STORE_CTX *with, X509_STORE *store, bool *ours, struct err *e)
{
	X509_STORE_CTX *again = X509_STORE_CTX_new();
	X509 *leaf = X509_STORE_CTX_get0_cert(with);
	X509_VERIFY_PARAM *param;
	bool good = false;

	*ours = false;
	if (!again || X509_STORE_CTX_init(again, store, leaf, X509_STORE_CTX_get0_untrusted(with)) != 1)
		goto out;
	param = X509_STORE_CTX_get0_param(again);
	if (X509_VERIFY_PARAM_set1(param, X509_STORE_CTX_get0_param(with)) != 1)
		goto out;
	/* What a person accepted is known, be it a root or not. */
	(void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	good = tls_check_chain(p->client, again, leaf, e);
	*ours = good || !unknown_issuer(again);
	good = good && (!p->client->settings.verify_host || tls_check_name(leaf, p->host, e));
	if (good)
		settle_basis(p, set, X509_STORE_CTX_get0_chain(again));
out:
	X509_STORE_CTX_free(again);
	ERR_clear_error();
	return good;
}

static bool was_accepted(const struct tls_peer *p, const struct tls_trust_set *set)
{
	const struct tls_accepted *a = NULL;

	while ((a = tls_trust_next(set, p, a)))
		if (a->host)
			return true;
	return false;
}

/* A fault other than "nothing known signed it" is only more precise where ours signed it. */
static bool judge(struct tls_peer *p, const struct tls_trust_set *set, X509_STORE_CTX *with, struct err *e)
{
	X509_STORE *store = p->client->settings.verify_server ? authorities(p, set) : NULL;
	bool ours = false, good = false;
	struct err why;

	if (store) {
		good = signed_by(p, set, with, store, &ours, &why);
		X509_STORE_free(store);
	}
	if (good)
		return true;
	if (ours)
		*e = why;
	else if (was_accepted(p, set))
		(void)err_in(e, "this is another certificate than the one that was accepted for this server");
	return false;
}

bool tls_accepted(struct tls_peer *p, X509_STORE_CTX *with, struct err *e)
{
	X509 *leaf = X509_STORE_CTX_get0_cert(with);
	uint64_t generation;
	struct tls_trust_set *set = tls_trust_take(p->client->trust, &generation);
	bool good;

	p->generation = generation;
	good = set && !tls_revoked(p, with, leaf, e) && (key_accepted(p, set, leaf) || judge(p, set, with, e));
	tls_trust_set_free(&set);
	return good;
}

bool tls_peer_trusted(const struct tls_peer *p)
{
	uint64_t generation;
	struct tls_trust_set *set;
	bool still = false;

	if (!p->basis.kind)
		return true;
	set = tls_trust_take(p->client->trust, &generation);
	for (const struct tls_accepted *a = NULL; !still && (a = tls_trust_next(set, p, a));)
		still = !memcmp(&a->basis, &p->basis, sizeof p->basis);
	tls_trust_set_free(&set);
	return still;
}
