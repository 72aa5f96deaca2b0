/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/smime.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/text.h"
#include "wire/crlf.h"
#include "wire/header.h"

enum { TYPE_MAX = 1000, PIECE = 16 * 1024 };

struct smime_keys {
	X509 *certificate;
	EVP_PKEY *key;
	X509_STORE *authorities;
};

/* ---- keys */

static bool bad_file(struct err *e, const char *what, const char *path)
{
	char text[256] = "it cannot be read";
	unsigned long code = ERR_peek_last_error();

	if (code)
		ERR_error_string_n(code, text, sizeof text);
	ERR_clear_error();
	return err_set(e, ERR_CONFIG, "%s %s: %s", what, path, text);
}

static int no_passphrase([[maybe_unused]] char *out, [[maybe_unused]] int size, [[maybe_unused]] int writing, [[maybe_unused]] void *user)
{
	return 0;	/* nobody is asked on a terminal */
}

static bool read_pair(struct smime_keys *k, const struct smime_files *files, struct err *e)
{
	const char *key = files->key ? files->key : files->certificate;
	BIO *in;

	struct stat st;

	if (!files->certificate)
		return true;
	if (stat(key, &st) == 0 && (st.st_mode & S_IRWXO))
		return err_set(e, ERR_CONFIG, "key %s: others can read it; chmod o= it", key);
	in = BIO_new_file(files->certificate, "re");
	k->certificate = in ? PEM_read_bio_X509(in, NULL, no_passphrase, NULL) : NULL;
	BIO_free(in);
	if (!k->certificate)
		return bad_file(e, "certificate", files->certificate);
	in = BIO_new_file(key, "re");
	k->key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
	BIO_free(in);
	if (!k->key)
		return bad_file(e, "key", key);
	return X509_check_private_key(k->certificate, k->key) == 1 || bad_file(e, "key", key);
}

static bool read_authorities(struct smime_keys *k, const char *path, struct err *e)
{
	k->authorities = X509_STORE_new();
	if (!k->authorities || X509_STORE_set_purpose(k->authorities, X509_PURPOSE_SMIME_SIGN) != 1)
		return err_set(e, ERR_LOCAL, "out of memory for authorities");
	if (!path)
		return X509_STORE_set_default_paths(k->authorities) == 1 || bad_file(e, "authorities", "of the system");
	return X509_STORE_load_file(k->authorities, path) == 1 || bad_file(e, "authorities", path);
}

bool smime_keys_new(const struct smime_files *files, struct smime_keys **keys, struct err *e)
{
	struct smime_keys *k = calloc(1, sizeof *k);

	*keys = k;
	if (!k)
		return err_set(e, ERR_LOCAL, "out of memory for keys");
	ERR_clear_error();
	if (read_pair(k, files, e) && read_authorities(k, files->ca_certificates, e))
		return true;
	smime_keys_free(keys);
	return false;
}

void smime_keys_free(struct smime_keys **keys)
{
	struct smime_keys *k = *keys;

	*keys = NULL;
	if (!k)
		return;
	X509_free(k->certificate);
	EVP_PKEY_free(k->key);
	X509_STORE_free(k->authorities);
	free(k);
}

/* ---- layers */

struct opening {
	const struct smime_keys *keys;
	struct smime_facts *facts;
	BIO *in;		/* the entity that is looked at: the message, then what was in it */
	BIO *entity;		/* what is to go on in place of the message, or NULL; a reference of its own */
};

static struct span octets_of(BIO *bio)
{
	char *at = NULL;
	long len = BIO_get_mem_data(bio, &at);

	return (struct span){ at, len > 0 ? (size_t)len : 0 };
}

/* The first thing that did not work is the one that is told. */
static void say(struct opening *o, const char *what)
{
	const char *data = NULL, *reason;
	int flags = 0;
	unsigned long code = ERR_peek_last_error_all(NULL, NULL, NULL, &data, &flags);

	reason = data && *data && (flags & ERR_TXT_STRING) ? data : code ? ERR_reason_error_string(code) : NULL;
	if (!o->facts->why[0])
		(void)snprintf(o->facts->why, sizeof o->facts->why, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
	ERR_clear_error();
}

/* Is this entity one of S/MIME's, by its Content-Type? */
static bool is_smime(struct span entity)
{
	char type[TYPE_MAX];
	struct span value;

	if (!header_find(entity, "Content-Type", &value))
		return false;
	header_value(value, type, sizeof type);
	if (span_starts_nocase(span_of(type), SPAN("multipart/signed")))
		return strcasestr(type, "pkcs7-signature");
	return span_starts_nocase(span_of(type), SPAN("application/pkcs7-mime")) || span_starts_nocase(span_of(type), SPAN("application/x-pkcs7-mime"));
}

static void add_signer(struct smime_facts *facts, const char *text, size_t len)
{
	size_t n = strlen(facts->signer);

	(void)snprintf(facts->signer + n, sizeof facts->signer - n, "%s%.*s", n ? ", " : "", len < SMIME_WORDS ? (int)len : SMIME_WORDS, text ? text : "");
}

static void describe_signer(struct smime_facts *facts, X509 *cert)
{
	STACK_OF(OPENSSL_STRING) *addresses = X509_get1_email(cert);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	facts->signer[0] = facts->fingerprint[0] = '\0';
	for (int n = 0; n < sk_OPENSSL_STRING_num(addresses); n++)
		add_signer(facts, sk_OPENSSL_STRING_value(addresses, n), strlen(sk_OPENSSL_STRING_value(addresses, n)));
	X509_email_free(addresses);
	if (!facts->signer[0]) {
		BIO *text = BIO_new(BIO_s_mem());
		struct span subject = { 0 };

		if (text && X509_NAME_print_ex(text, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
			subject = octets_of(text);
		add_signer(facts, subject.at, subject.len);
		BIO_free(text);
	}
	text_clean(facts->signer, strlen(facts->signer));
	if (X509_digest(cert, EVP_sha256(), digest, &len) == 1)
		for (unsigned n = 0; n < len && n < (SMIME_DIGEST - 1) / 2; n++)
			(void)snprintf(facts->fingerprint + 2 * (size_t)n, 3, "%02x", digest[n]);
}

/* `content` is that of multipart/signed, borrowed; len 0 of NULL: it is inside. */
static bool verify_once(struct opening *o, CMS_ContentInfo *cms, struct span content, BIO *out, bool trusted)
{
	BIO *in = content.at ? BIO_new_mem_buf(content.at, (int)content.len) : NULL;
	bool good;

	(void)BIO_reset(out);
	good = (in || !content.at) && CMS_verify(cms, NULL, o->keys->authorities, in, out, trusted ? 0 : CMS_NO_SIGNER_CERT_VERIFY) == 1;
	BIO_free(in);
	return good;
}

static enum smime_signed verify(struct opening *o, CMS_ContentInfo *cms, struct span content, BIO *out)
{
	enum smime_signed found = SMIME_VERIFIED;
	STACK_OF(X509) *signers;

	if (!verify_once(o, cms, content, out, true)) {
		char before[SMIME_WORDS];

		memcpy(before, o->facts->why, sizeof before);
		say(o, "its signer is not trusted");
		found = SMIME_UNTRUSTED;
		if (!verify_once(o, cms, content, out, false)) {
			memcpy(o->facts->why, before, sizeof before);
			say(o, "its signature is wrong");
			return SMIME_WRONG;
		}
	}
	signers = CMS_get0_signers(cms);
	if (sk_X509_num(signers) > 0)
		describe_signer(o->facts, sk_X509_value(signers, 0));
	sk_X509_free(signers);
	return found;
}

/* Whatever comes of the signature, the content goes to `out`: a wrong one is a fact, not an end. */
static bool take_signed(struct opening *o, CMS_ContentInfo *cms, BIO *with, BIO *out)
{
	struct span content = with ? octets_of(with) : (struct span){ 0 };
	enum smime_signed found = verify(o, cms, content, out);
	ASN1_OCTET_STRING **inner = CMS_get0_content(cms);

	if (found > o->facts->is_signed)
		o->facts->is_signed = found;
	if (found != SMIME_WRONG)
		return true;
	if (!with && inner && *inner)
		content = (struct span){ (const char *)ASN1_STRING_get0_data(*inner), (size_t)ASN1_STRING_length(*inner) };
	(void)BIO_reset(out);
	return content.at && BIO_write(out, content.at, (int)content.len) == (int)content.len;
}

static bool names_us(CMS_RecipientInfo *recipient, X509 *us)
{
	STACK_OF(CMS_RecipientEncryptedKey) *keys;

	switch (CMS_RecipientInfo_type(recipient)) {
	case CMS_RECIPINFO_TRANS:
		return CMS_RecipientInfo_ktri_cert_cmp(recipient, us) == 0;
	case CMS_RECIPINFO_AGREE:
		keys = CMS_RecipientInfo_kari_get0_reks(recipient);
		for (int n = 0; n < sk_CMS_RecipientEncryptedKey_num(keys); n++)
			if (CMS_RecipientEncryptedKey_cert_cmp(sk_CMS_RecipientEncryptedKey_value(keys, n), us) == 0)
				return true;
		return false;
	default:		/* passwords, shared keys: not mail's */
		return false;
	}
}

static bool is_for_us(CMS_ContentInfo *cms, X509 *us)
{
	STACK_OF(CMS_RecipientInfo) *all = CMS_get0_RecipientInfos(cms);

	for (int n = 0; n < sk_CMS_RecipientInfo_num(all); n++)
		if (names_us(sk_CMS_RecipientInfo_value(all, n), us))
			return true;
	return false;
}

static bool decrypt(struct opening *o, CMS_ContentInfo *cms, BIO *out)
{
	if (!o->keys->key) {
		o->facts->encrypted = SMIME_NOT_FOR_US;
		say(o, "there is no key to decrypt it");
		return false;
	}
	if (!is_for_us(cms, o->keys->certificate)) {
		o->facts->encrypted = SMIME_NOT_FOR_US;
		say(o, "it is not encrypted for our certificate");
		return false;
	}
	if (CMS_decrypt(cms, o->keys->key, o->keys->certificate, NULL, out, 0) == 1) {
		o->facts->encrypted = SMIME_DECRYPTED;
		return true;
	}
	o->facts->encrypted = SMIME_NOT_DECRYPTED;
	say(o, "it cannot be decrypted");
	return false;
}

static void set_in(struct opening *o, BIO *in, bool goes_on)
{
	BIO_free(o->in);
	o->in = in;
	if (!goes_on)
		return;
	BIO_free(o->entity);
	o->entity = in;
	(void)BIO_up_ref(in);
}

/* One layer off.  False: there is none, or it stays. */
static bool open_layer(struct opening *o)
{
	struct span entity = octets_of(o->in);
	BIO *reading, *content = NULL, *out;
	CMS_ContentInfo *cms;
	bool good = false;
	int type;

	if (!is_smime(entity))
		return false;
	reading = BIO_new_mem_buf(entity.at, (int)entity.len);
	out = BIO_new(BIO_s_mem());
	cms = reading && out ? SMIME_read_CMS(reading, &content) : NULL;
	type = cms ? OBJ_obj2nid(CMS_get0_type(cms)) : NID_undef;
	if (type == NID_pkcs7_enveloped || type == NID_id_smime_ct_authEnvelopedData)
		good = decrypt(o, cms, out);
	else if (type == NID_pkcs7_signed)
		good = take_signed(o, cms, content, out);
	else
		say(o, "it cannot be read as S/MIME");
	if (good)
		set_in(o, out, !content);
	else
		BIO_free(out);
	BIO_free(content);
	BIO_free(reading);
	CMS_ContentInfo_free(cms);
	return good;
}

/* ---- the message that goes on */

static bool add_converted(struct spool *s, struct span octets, struct err *e)
{
	struct crlf c = { 0 };
	char piece[PIECE];

	while (octets.len) {
		size_t n = crlf_out(&c, &octets, piece, sizeof piece);

		if (!spool_add(s, (struct span){ piece, n }, e))
			return false;
	}
	return true;
}

/* Fields whose names begin with Content-, or all others but MIME-Version, whole. */
static bool add_fields(struct spool *s, struct span entity, bool content, struct err *e)
{
	struct header_field field;

	while (header_next(&entity, &field)) {
		bool is = span_starts_nocase(field.name, SPAN("Content-"));
		struct span whole = { field.name.at, (size_t)(entity.at - field.name.at) };

		if (is != content || (!content && span_equal_nocase(field.name, SPAN("MIME-Version"))))
			continue;
		if (!add_converted(s, whole, e) || (whole.at[whole.len - 1] != '\n' && !spool_add(s, SPAN("\r\n"), e)))
			return false;
	}
	return true;
}

static bool write_plain(struct span message, struct span entity, const char *state, struct spool **plain, struct err *e)
{
	struct span body = entity;
	struct header_field field;

	*plain = spool_new(state, e);
	if (!*plain)
		return false;
	while (header_next(&body, &field))
		continue;
	if (add_fields(*plain, message, false, e) && spool_add(*plain, SPAN("MIME-Version: 1.0\r\n"), e) &&
	    add_fields(*plain, entity, true, e) && spool_add(*plain, SPAN("\r\n"), e) && add_converted(*plain, body, e))
		return true;
	spool_free(plain);
	return false;
}

static bool add_octets(void *user, struct span s)
{
	return BIO_write(user, s.at, (int)s.len) == (int)s.len;
}

static bool open_all(struct opening *o, struct span message, const char *state, struct spool **plain, struct err *e)
{
	for (unsigned n = 0; n < SMIME_LAYERS && open_layer(o); n++)
		continue;
	ERR_clear_error();
	text_clean(o->facts->why, strlen(o->facts->why));
	return !o->entity || write_plain(message, octets_of(o->entity), state, plain, e);
}

bool smime_open(const struct spool *message, const struct smime_keys *keys, const char *state, struct spool **plain,
	struct smime_facts *facts, struct err *e)
{
	struct opening o = { .keys = keys, .facts = facts };
	BIO *whole;
	bool good;

	*plain = NULL;
	*facts = (struct smime_facts){ .too_large = spool_size(message) > SMIME_MAX };
	if (facts->too_large) {
		(void)snprintf(facts->why, sizeof facts->why, "it is larger than %d MB", SMIME_MAX >> 20);
		return true;
	}
	whole = BIO_new(BIO_s_mem());
	*e = (struct err){ .kind = ERR_NONE };
	good = whole && spool_read(message, add_octets, whole, e);
	if (!good && e->kind == ERR_NONE)
		(void)err_set(e, ERR_LOCAL, "out of memory for S/MIME");
	if (good) {
		o.in = whole;
		(void)BIO_up_ref(whole);
		ERR_clear_error();
		good = open_all(&o, octets_of(whole), state, plain, e);
	}
	BIO_free(o.in);
	BIO_free(o.entity);
	BIO_free(whole);
	return good;
}

const char *smime_encrypted_name(enum smime_encrypted what)
{
	static const char *const names[] = {
		[SMIME_CLEAR] = "clear", [SMIME_DECRYPTED] = "decrypted", [SMIME_NOT_FOR_US] = "not-for-us", [SMIME_NOT_DECRYPTED] = "not-decrypted",
	};

	return names[what];
}

const char *smime_signed_name(enum smime_signed what)
{
	static const char *const names[] = {
		[SMIME_UNSIGNED] = "unsigned", [SMIME_VERIFIED] = "verified", [SMIME_UNTRUSTED] = "untrusted", [SMIME_WRONG] = "wrong",
	};

	return names[what];
}
