/* SPDX-License-Identifier: Apache-2.0
 *
 * What we demand of a server's certificate, and the words when it falls short. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "net/address.h"
#include "net/tls_inside.h"

enum { NAME_SHOWN = 100, NAMES_SHOWN = 220, DATE_SHOWN = 24, PIN_SHOWN = 2 * TLS_PIN + 1 };

bool tls_pin_parse(const char *text, uint8_t pin[TLS_PIN])
{
	size_t digits = 0;

	for (; *text; text++) {
		int value = *text >= '0' && *text <= '9' ? *text - '0'
			: *text >= 'a' && *text <= 'f' ? *text - 'a' + 10
			: *text >= 'A' && *text <= 'F' ? *text - 'A' + 10 : -1;

		if (*text == ':' && digits && digits % 2 == 0)
			continue;
		if (value < 0 || digits == 2 * TLS_PIN)
			return false;
		pin[digits / 2] = (uint8_t)(digits % 2 ? pin[digits / 2] | value : value << 4);
		digits++;
	}
	return digits == 2 * TLS_PIN;
}

/* SHA-256 of the SubjectPublicKeyInfo: it stays when a certificate is renewed with its key. */
bool tls_key_digest(X509 *x, uint8_t digest[TLS_PIN])
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	bool good = len > 0 && EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return good;
}

static const char *pin_text(X509 *x, char out[PIN_SHOWN])
{
	uint8_t digest[TLS_PIN] = { 0 };

	if (!tls_key_digest(x, digest))
		return "unknown";
	for (size_t i = 0; i < TLS_PIN; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return out;
}

/* A text of a certificate, which may hold anything: NUL, quotes, line ends. */
static void show(const unsigned char *at, size_t len, char out[NAME_SHOWN])
{
	if (len > NAME_SHOWN - 1)
		len = NAME_SHOWN - 1;
	memcpy(out, at, len);
	out[len] = '\0';
	text_clean(out, len);
}

/* The common name, or else the whole name on one line. */
static const char *name_text(const X509_NAME *name, char out[NAME_SHOWN])
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	char line[256] = "?";
	int len = at < 0 ? -1 : ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));

	if (len > 0) {
		show(utf8, (size_t)len, out);
	} else {
		(void)X509_NAME_oneline(name, line, sizeof line);
		show((const unsigned char *)line, strlen(line), out);
	}
	OPENSSL_free(utf8);
	return out;
}

static const char *date_text(const ASN1_TIME *t, char out[DATE_SHOWN])
{
	struct tm tm;

	if (!t || ASN1_TIME_to_tm(t, &tm) != 1 || !strftime(out, DATE_SHOWN, "%Y-%m-%d", &tm))
		return "an unknown date";
	return out;
}

/* "a.example.org, b.example.org, 192.0.2.1 and 3 more" */
static void names_text(X509 *x, char *out, size_t size)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	char one[NAME_SHOWN];
	size_t used = 0;
	int left = sk_GENERAL_NAME_num(all);

	*out = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++, left--) {
		GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
		int type, len;
		const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);
		union address a = { 0 };

		if (type != GEN_DNS && type != GEN_IPADD)
			continue;
		len = ASN1_STRING_length(s);
		if (type == GEN_DNS) {
			show(ASN1_STRING_get0_data(s), (size_t)len, one);
		} else {
			char text[ADDRESS_TEXT];

			a.any.sa_family = len == 4 ? AF_INET : AF_INET6;
			if (len == 4 || len == 16)
				memcpy(len == 4 ? (void *)&a.v4.sin_addr : (void *)&a.v6.sin6_addr, ASN1_STRING_get0_data(s), (size_t)len);
			(void)snprintf(one, sizeof one, "%s", address_text(&a, false, text));
		}
		if (used + strlen(one) + 20 > size)
			break;
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", one);
	}
	if (left > 0 && used)
		(void)snprintf(out + used, size - used, " and %d more", left);
	if (!used)
		(void)snprintf(out, size, "%s", name_text(X509_get_subject_name(x), one));
	GENERAL_NAMES_free(all);
}

void tls_certificate_text(X509 *x, char *out, size_t size)
{
	char name[NAME_SHOWN], issuer[NAME_SHOWN], names[NAMES_SHOWN], date[DATE_SHOWN];

	names_text(x, names, sizeof names);
	(void)snprintf(out, size, "\"%s\" for %s, issued by \"%s\", valid until %s", name_text(X509_get_subject_name(x), name), names,
		name_text(X509_get_issuer_name(x), issuer), date_text(X509_get0_notAfter(x), date));
}

static bool wrong_name(X509 *x, const char *host, struct err *e)
{
	char names[NAMES_SHOWN];

	names_text(x, names, sizeof names);
	return err_set(e, ERR_TLS, "the certificate is not for %s but for %s; set `host` to a name it has", host, names);
}

/* Names by RFC 6125 (the certificate's common name only if it lists no other), addresses by their own kind. */
bool tls_check_name(X509 *x, const char *host, struct err *e)
{
	union address a;
	int good;

	if (!address_parse(host, 0, &a))
		good = X509_check_host(x, host, strlen(host), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL);
	else if (a.any.sa_family == AF_INET)
		good = X509_check_ip(x, (const unsigned char *)&a.v4.sin_addr, sizeof a.v4.sin_addr, 0);
	else
		good = X509_check_ip(x, (const unsigned char *)&a.v6.sin6_addr, sizeof a.v6.sin6_addr, 0);
	return good == 1 || wrong_name(x, host, e);
}

static bool check_pin(const struct tls_client *t, X509 *x, struct err *e)
{
	uint8_t digest[TLS_PIN];
	char seen[PIN_SHOWN];

	if (tls_key_digest(x, digest) && !CRYPTO_memcmp(digest, t->pin, TLS_PIN))
		return true;
	return err_set(e, ERR_TLS, "the server's key is not the pinned one: its SHA-256 is %s; "
		"change tls.pin only if you know why the key is a new one", pin_text(x, seen));
}

/* 1 = signed directly by a known authority.  A certificate that is itself known has 0. */
static bool check_depth(const struct tls_client *t, STACK_OF(X509) *chain, struct err *e)
{
	int above = sk_X509_num(chain) - 1;

	if (above <= 0 || (uint32_t)above <= t->settings.verify_depth)
		return true;
	return err_set(e, ERR_TLS, "the known authority stands %d certificates above the server's, and tls.verify_depth allows %u",
		above, t->settings.verify_depth);
}

/* The revocation list of that authority; NULL = tls.crl has none. */
static const X509_CRL *list_of(const struct tls_client *t, const X509_NAME *issuer)
{
	for (int i = 0; i < sk_X509_CRL_num(t->crls); i++) {
		const X509_CRL *crl = sk_X509_CRL_value(t->crls, i);

		if (!X509_NAME_cmp(X509_CRL_get_issuer(crl), issuer))
			return crl;
	}
	return NULL;
}

/* OpenSSL asks for a list for each certificate.  We want the one for the server's,
 * and for an issuer only where the file has one; it says so only where it has none. */
static int tolerate(int good, X509_STORE_CTX *with)
{
	if (good || X509_STORE_CTX_get_error(with) != X509_V_ERR_UNABLE_TO_GET_CRL || !X509_STORE_CTX_get_error_depth(with))
		return good;
	X509_STORE_CTX_set_error(with, X509_V_OK);
	return 1;
}

static bool chain_fault(const struct tls_client *t, X509_STORE_CTX *with, X509 *leaf, struct err *e)
{
	int code = X509_STORE_CTX_get_error(with), depth = X509_STORE_CTX_get_error_depth(with);
	X509 *x = X509_STORE_CTX_get_current_cert(with);
	char name[NAME_SHOWN], issuer[NAME_SHOWN], date[DATE_SHOWN], pin[PIN_SHOWN];
	const char *whose = depth ? "the authority's certificate" : "the server's certificate";

	const X509_CRL *crl;

	x = x ? x : leaf;
	crl = list_of(t, X509_get_issuer_name(x));
	(void)name_text(X509_get_subject_name(x), name);
	(void)name_text(X509_get_issuer_name(x), issuer);
	switch (code) {
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return err_set(e, ERR_TLS, "the certificate (%s) is self-signed and not known here; if it is the right one, put it into "
			"tls.ca_certificates or set tls.pin = \"%s\"", name, pin_text(leaf, pin));
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return err_set(e, ERR_TLS, "the certificate was not issued by a known authority: nothing known signed \"%s\" (issuer \"%s\"); "
			"put the authority into tls.ca_certificates, or set tls.pin = \"%s\"", name, issuer, pin_text(leaf, pin));
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return err_set(e, ERR_TLS, "%s (%s) expired on %s; the server's owner must renew it", whose, name,
			date_text(X509_get0_notAfter(x), date));
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return err_set(e, ERR_TLS, "%s (%s) is not valid before %s; is the clock of this machine right?", whose, name,
			date_text(X509_get0_notBefore(x), date));
	case X509_V_ERR_CERT_REVOKED:
		return err_set(e, ERR_TLS, "%s (%s) was revoked by \"%s\" (tls.crl); do not log in there, the server's owner must replace it", whose, name, issuer);
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return err_set(e, ERR_TLS, "the revocation list of \"%s\" expired on %s; fetch a new one for tls.crl", issuer,
			date_text(crl ? X509_CRL_get0_nextUpdate(crl) : NULL, date));
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return err_set(e, ERR_TLS, "the revocation list of \"%s\" in tls.crl is not valid before %s", issuer,
			date_text(crl ? X509_CRL_get0_lastUpdate(crl) : NULL, date));
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return err_set(e, ERR_TLS, "tls.crl has no revocation list of \"%s\", which issued the certificate of %s; add it to the file", issuer, name);
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
		return err_set(e, ERR_TLS, "the revocation list of \"%s\" in tls.crl is not signed by it", issuer);
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return err_set(e, ERR_TLS, "%s (%s) is too weak: %s; only tls.legacy = true accepts it", whose, name,
			X509_verify_cert_error_string(code));
	default:		/* OpenSSL has some sixty more, all of them rare */
		return err_set(e, ERR_TLS, "%s (%s) cannot be accepted: %s", whose, name, X509_verify_cert_error_string(code));
	}
}

bool tls_check_chain(const struct tls_client *t, X509_STORE_CTX *with, X509 *leaf, struct err *e)
{
	X509_STORE_CTX_set_verify_cb(with, tolerate);
	if (X509_verify_cert(with) != 1)
		return chain_fault(t, with, leaf, e);
	return check_depth(t, X509_STORE_CTX_get0_chain(with), e);
}

bool tls_revoked(const struct tls_peer *p, X509_STORE_CTX *with, X509 *leaf, struct err *e)
{
	const struct tls_client *t = p->client;
	X509_REVOKED *entry;

	if (X509_STORE_CTX_get_error(with) == X509_V_ERR_CERT_REVOKED)
		return true;
	for (int i = 0; i < sk_X509_CRL_num(t->crls); i++) {
		if (X509_CRL_get0_by_cert(sk_X509_CRL_value(t->crls, i), &entry, leaf) != 1)
			continue;
		X509_STORE_CTX_set_error(with, X509_V_ERR_CERT_REVOKED);
		X509_STORE_CTX_set_error_depth(with, 0);
		X509_STORE_CTX_set_current_cert(with, leaf);
		(void)chain_fault(t, with, leaf, e);
		return true;
	}
	return false;
}

static bool right(const struct tls_peer *p, X509_STORE_CTX *with, X509 *leaf, struct err *e)
{
	const struct tls_settings *s = &p->client->settings;

	return (!s->verify_server || tls_check_chain(p->client, with, leaf, e)) && (!s->verify_host || tls_check_name(leaf, p->host, e));
}

/* Pin, chain, name: whichever of them the settings ask for (PRODUCT 2.1); without a pin, what a person accepted does, too. */
static bool acceptable(struct tls_peer *p, X509_STORE_CTX *with, X509 *leaf, struct err *e)
{
	const struct tls_client *t = p->client;
	bool pin_alone = t->pinned && !t->settings.ca_certificates;

	if (!leaf)
		return err_set(e, ERR_TLS, "the server showed no certificate");
	if (t->pinned && !check_pin(t, leaf, e))
		return false;
	if (pin_alone)
		return true;
	return right(p, with, leaf, e) || (!t->pinned && tls_accepted(p, with, e));
}

int tls_verify(X509_STORE_CTX *with, [[maybe_unused]] void *unused)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(with, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_peer *p = SSL_get_app_data(ssl);

	tls_shared_swap(&p->client->shared, with);
	p->basis = (struct tls_basis){ 0 };	/* a session was not resumed after all */
	if (acceptable(p, with, X509_STORE_CTX_get0_cert(with), p->verdict)) {
		tls_shared_keep_all(&p->client->shared, with);
		p->judged = clock_now_s();
		X509_STORE_CTX_set_error(with, X509_V_OK);
		*p->verdict = (struct err){ .kind = ERR_NONE };	/* what the settings alone would have said */
		return 1;
	}
	if (X509_STORE_CTX_get_error(with) == X509_V_OK)	/* decides the alert that the server gets */
		X509_STORE_CTX_set_error(with, X509_V_ERR_APPLICATION_VERIFICATION);
	if (p->offered && !*p->offered)
		*p->offered = tls_offered_new(with, p->verdict->text);
	return 0;
}
