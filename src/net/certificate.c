/* SPDX-License-Identifier: Apache-2.0 */
#include "net/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/text.h"
#include "net/address.h"
#include "net/tls_inside.h"

/* RFC 4514, characters beyond ASCII as they are. */
#define NAME_STYLE (XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB)
#define CUT "…"

enum { PREFIX_MAX = 16, SMALL = 80 };

/* A copy that is safe to show, and not too long. */
static const char *keep(struct arena *a, struct span s)
{
	size_t len = s.len;
	bool cut = len > CERTIFICATE_TEXT_MAX;
	char *text;

	if (cut) {
		len = CERTIFICATE_TEXT_MAX - (sizeof CUT - 1);
		while (len && ((unsigned char)s.at[len] & 0xc0) == 0x80)	/* not in the middle of a character */
			len--;
	}
	text = arena_take(a, len + sizeof CUT);
	if (len)
		memcpy(text, s.at, len);
	text_clean(text, len);
	if (cut)
		memcpy(text + len, CUT, sizeof CUT);
	return text;
}

static const char *keep_mem(struct arena *a, BIO *b)
{
	char *at;
	long len = BIO_get_mem_data(b, &at);

	return keep(a, (struct span){ at, len > 0 ? (size_t)len : 0 });
}

static const char *name_text(struct arena *a, const X509_NAME *name)
{
	BIO *b = BIO_new(BIO_s_mem());
	const char *text = "?";
	char *line = NULL;

	if (b && X509_NAME_print_ex(b, name, 0, NAME_STYLE) >= 0) {
		text = keep_mem(a, b);
	} else if ((line = X509_NAME_oneline(name, NULL, 0))) {	/* a string that is not of its own kind */
		text = keep(a, span_of(line));
		OPENSSL_free(line);
	}
	(void)BIO_free(b);
	return text;
}

/* Octets that are no part of a decent name as \XX; so nothing of it looks like our own text. */
static const char *octets_text(struct arena *a, const char *prefix, struct span s)
{
	char memory[PREFIX_MAX + CERTIFICATE_TEXT_MAX + SMALL];
	struct buf out;
	bool room;

	buf_lend(&out, memory, sizeof memory);
	room = buf_add(&out, span_of(prefix));
	for (size_t i = 0; room && i < s.len && out.len <= CERTIFICATE_TEXT_MAX; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (c <= ' ' || c >= 127 || strchr("\\,\"", c))
			room = buf_printf(&out, "\\%02X", c);
		else
			room = buf_add_byte(&out, (char)c);
	}
	return keep(a, buf_span(&out));
}

static const char *ip_text(struct arena *a, const char *at, size_t len)
{
	char text[ADDRESS_TEXT], line[ADDRESS_TEXT + PREFIX_MAX];
	union address ip = { 0 };

	if (len != 4 && len != 16)
		return octets_text(a, "IP:", (struct span){ at, len });
	ip.any.sa_family = len == 4 ? AF_INET : AF_INET6;
	memcpy(len == 4 ? (void *)&ip.v4.sin_addr : (void *)&ip.v6.sin6_addr, at, len);
	(void)snprintf(line, sizeof line, "IP:%s", address_text(&ip, false, text));
	return keep(a, span_of(line));
}

static const char *alternative(struct arena *a, const GENERAL_NAME *g)
{
	static const struct { int type; const char *prefix; } kinds[] = {
		{ GEN_DNS, "DNS:" }, { GEN_EMAIL, "email:" }, { GEN_URI, "URI:" },
	};
	char line[SMALL];
	int type;
	const void *value = GENERAL_NAME_get0_value(g, &type);

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (type == kinds[i].type)
			return octets_text(a, kinds[i].prefix, (struct span){
				(const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value) });
	if (type == GEN_IPADD)
		return ip_text(a, (const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
	(void)snprintf(line, sizeof line, "other:of kind %d", type);
	return keep(a, span_of(line));
}

static void read_names(struct arena *a, X509 *x, struct certificate *c)
{
	int critical = 0;
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
	size_t count = all ? (size_t)sk_GENERAL_NAME_num(all) : 0;

	c->names_broken = !all && critical != -1;	/* -1: there is no such extension */
	c->name_count = count < CERTIFICATE_NAMES_MAX ? count : CERTIFICATE_NAMES_MAX;
	c->names_left = count - c->name_count;
	c->names = arena_take(a, (c->name_count + 1) * sizeof *c->names);
	for (size_t i = 0; i < c->name_count; i++)
		c->names[i] = alternative(a, sk_GENERAL_NAME_value(all, (int)i));
	GENERAL_NAMES_free(all);
}

static const char *serial_text(struct arena *a, const ASN1_INTEGER *n)
{
	size_t len = (size_t)ASN1_STRING_length(n);
	char digits[CERTIFICATE_TEXT_MAX + SMALL];
	struct buf out;
	bool room = true;

	buf_lend(&out, digits, sizeof digits);
	if (ASN1_STRING_type(n) == V_ASN1_NEG_INTEGER)
		room = buf_add_byte(&out, '-');
	for (size_t i = 0; room && i < len && out.len <= CERTIFICATE_TEXT_MAX; i++)
		room = buf_printf(&out, "%02x", ASN1_STRING_get0_data(n)[i]);
	return keep(a, buf_span(&out));
}

static int64_t moment(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : CERTIFICATE_NO_TIME;
}

static const char *object_text(struct arena *a, const ASN1_OBJECT *o)
{
	char text[CERTIFICATE_TEXT_MAX];
	int len = o ? OBJ_obj2txt(text, sizeof text, o, 0) : 0;	/* as long as it would be, perhaps */

	return len > 0 ? keep(a, span_of(text)) : "?";
}

static void read_key(struct arena *a, X509 *x, struct certificate *c)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);
	const char *type = key ? EVP_PKEY_get0_type_name(key) : NULL;
	int bits = key ? EVP_PKEY_get_bits(key) : 0;
	ASN1_OBJECT *kind = NULL;
	char group[SMALL];
	size_t len = 0;

	c->key_bits = bits > 0 ? (unsigned)bits : 0;
	c->key_group = "";
	if (key && EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1)
		c->key_group = keep(a, span_of(group));
	if (type) {
		c->key_type = keep(a, span_of(type));
	} else {
		(void)X509_PUBKEY_get0_param(&kind, NULL, NULL, NULL, X509_get_X509_PUBKEY(x));
		c->key_type = object_text(a, kind);
	}
}

static void hex(const uint8_t digest[TLS_PIN], char out[CERTIFICATE_DIGEST_TEXT])
{
	for (size_t i = 0; i < TLS_PIN; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static const char *pem_text(struct arena *a, X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	const char *text = "";
	char *at;

	if (b && PEM_write_bio_X509(b, x) == 1) {
		size_t len = (size_t)BIO_get_mem_data(b, &at);

		text = arena_text(a, (struct span){ at, len });
	}
	(void)BIO_free(b);
	return text;
}

static void read_one(struct arena *a, X509 *x, struct certificate *c)
{
	uint8_t digest[TLS_PIN] = { 0 };
	const X509_ALGOR *signature = NULL;
	const ASN1_OBJECT *kind = NULL;

	*c = (struct certificate){ .pem = pem_text(a, x) };
	c->subject = name_text(a, X509_get_subject_name(x));
	c->issuer = name_text(a, X509_get_issuer_name(x));
	c->self_issued = X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
	read_names(a, x, c);
	c->serial = serial_text(a, X509_get0_serialNumber(x));
	c->not_before = moment(X509_get0_notBefore(x));
	c->not_after = moment(X509_get0_notAfter(x));
	read_key(a, x, c);
	X509_get0_signature(NULL, &signature, x);
	X509_ALGOR_get0(&kind, NULL, NULL, signature);
	c->signature = object_text(a, kind);
	c->authority = X509_check_ca(x) > 0;
	if (X509_digest(x, EVP_sha256(), digest, NULL) == 1)
		hex(digest, c->sha256);
	if (tls_key_digest(x, digest))
		hex(digest, c->key_sha256);
}

static bool is_certificate(const char *name)
{
	return !strcmp(name, PEM_STRING_X509) || !strcmp(name, PEM_STRING_X509_OLD);
}

/* One block of the text.  False: it is a certificate that cannot be read. */
static bool take_block(struct arena *a, const char *name, const unsigned char *der, long len, struct certificates *all, struct err *e)
{
	const unsigned char *at = der;
	X509 *x;
	bool good;

	if (!is_certificate(name))
		return true;
	if (all->count == CERTIFICATES_MAX) {
		all->more = true;
		return true;
	}
	x = d2i_X509(NULL, &at, len);
	good = x && at == der + len;
	if (good)
		read_one(a, x, &all->list[all->count++]);
	else
		(void)err_set(e, ERR_PEER, "certificate %zu cannot be read", all->count + 1);
	X509_free(x);
	return good;
}

bool certificates_read(struct arena *a, struct span pem, struct certificates *all, struct err *e)
{
	BIO *in = pem.len && pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
	char *name, *header;
	unsigned char *der;
	bool good = true;
	long len;

	*all = (struct certificates){ .count = 0 };
	(void)ERR_set_mark();
	while (good && !all->more && in && PEM_read_bio(in, &name, &header, &der, &len) == 1) {
		good = take_block(a, name, der, len, all, e);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	/* The end is a text without a next beginning; everything else is a broken block. */
	if (good && !all->more && in && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		good = err_set(e, ERR_PEER, "certificate %zu cannot be read", all->count + 1);
	else if (good && !all->count)
		good = err_set(e, ERR_PEER, "there is no certificate");
	(void)ERR_pop_to_mark();
	(void)BIO_free(in);
	return good;
}

bool certificate_expired(const struct certificate *c, int64_t now)
{
	return c->not_after != CERTIFICATE_NO_TIME && now > c->not_after;
}

bool certificate_early(const struct certificate *c, int64_t now)
{
	return c->not_before != CERTIFICATE_NO_TIME && now < c->not_before;
}
