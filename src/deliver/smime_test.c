/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/smime.h"

#include "store/fixture.h"

#include <openssl/cms.h>
#include <openssl/pem.h>

#include "base/buf.h"
#include "net/test_pki.h"

#define INNER "Content-Type: text/plain\r\n\r\nhello\r\n.dot\r\n"
#define OUTER "From: anna@example.org\r\nSubject: x\r\n"
#define OPENED OUTER "MIME-Version: 1.0\r\n" INNER

static struct pki root, anna, bert, stranger;
static char directory[64], authorities[128], certificate[128], other[128];
static struct smime_keys *keys, *others, *none;
static struct smime_facts facts;

static int make(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof directory, "%s", fixture_directory());
	pki_make(&root, &(struct pki_wish){ .name = "root", .authority = true });
	pki_make(&anna, &(struct pki_wish){ .name = "Anna", .names = "email:anna@example.org,email:a@example.org", .issuer = &root });
	pki_make(&bert, &(struct pki_wish){ .name = "Bert", .issuer = &root });
	pki_make(&stranger, &(struct pki_wish){ .name = "Stranger" });
	(void)snprintf(authorities, sizeof authorities, "%s/ca.pem", directory);
	(void)snprintf(certificate, sizeof certificate, "%s/bert.pem", directory);
	(void)snprintf(other, sizeof other, "%s/stranger.pem", directory);
	pki_write(authorities, 0600, &(struct pki_file){ .certs = { root.cert } });
	pki_write(certificate, 0600, &(struct pki_file){ .certs = { bert.cert }, .key = bert.key });
	pki_write(other, 0600, &(struct pki_file){ .certs = { stranger.cert }, .key = stranger.key });
	must(smime_keys_new(&(struct smime_files){ .certificate = certificate, .ca_certificates = authorities }, &keys, &fixture_err));
	must(smime_keys_new(&(struct smime_files){ .certificate = other, .ca_certificates = authorities }, &others, &fixture_err));
	must(smime_keys_new(&(struct smime_files){ .ca_certificates = authorities }, &none, &fixture_err));
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	for (struct pki *const *p = (struct pki *const[]){ &root, &anna, &bert, &stranger, NULL }; *p; p++)
		pki_free(*p);
	smime_keys_free(&keys);
	smime_keys_free(&others);
	smime_keys_free(&none);
	fixture_remove(directory);
	return 0;
}

/* ---- what others send */

static char *text_of(BIO *out)
{
	char *at, *text;
	long len = BIO_get_mem_data(out, &at);

	text = calloc(1, (size_t)len + 1);
	assert_non_null(text);
	memcpy(text, at, (size_t)len);
	BIO_free(out);
	return text;
}

static char *as_smime(CMS_ContentInfo *cms, BIO *in, unsigned flags)
{
	BIO *out = BIO_new(BIO_s_mem());

	assert_non_null(cms);
	assert_int_equal(SMIME_write_CMS(out, cms, in, (int)flags), 1);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	return text_of(out);
}

static char *signed_by(const struct pki *who, const char *entity, bool open)
{
	unsigned flags = CMS_STREAM | CMS_CRLFEOL | (open ? CMS_DETACHED : 0);
	BIO *in = BIO_new_mem_buf(entity, -1);

	return as_smime(CMS_sign(who->cert, who->key, NULL, in, flags), in, flags);
}

static char *encrypted_for(const struct pki *who, const char *entity)
{
	STACK_OF(X509) *to = sk_X509_new_null();
	BIO *in = BIO_new_mem_buf(entity, -1);
	char *text;

	assert_true(sk_X509_push(to, who->cert) > 0);
	text = as_smime(CMS_encrypt(to, in, EVP_aes_256_cbc(), CMS_STREAM | CMS_CRLFEOL), in, CMS_STREAM | CMS_CRLFEOL);
	sk_X509_free(to);
	return text;
}

/* A message of that entity, which is freed. */
static char *message_of(char *entity)
{
	char *text = NULL;

	assert_true(asprintf(&text, OUTER "%s", entity) > 0);
	free(entity);
	return text;
}

static bool collect(void *user, struct span s)
{
	return buf_add(user, s);
}

/* Frees the message.  What it became; NULL: it stays as it is. */
static char *opened(char *text, const struct smime_keys *with)
{
	struct spool *message = spool_new(directory, &fixture_err), *plain;
	char *after = NULL;
	struct buf all;

	must(message && spool_add(message, span_of(text), &fixture_err));
	free(text);
	must(smime_open(message, with, directory, &plain, &facts, &fixture_err));
	if (plain) {
		buf_start(&all, 4 << 20);
		must(spool_read(plain, collect, &all, &fixture_err));
		assert_true(buf_terminate(&all));
		after = strdup(all.at);
		buf_end(&all);
	}
	spool_free(&plain);
	spool_free(&message);
	return after;
}

static void becomes(char *text, const struct smime_keys *with, const char *want, enum smime_encrypted encrypted, enum smime_signed is_signed)
{
	char *after = opened(text, with);

	if (want) {
		assert_non_null(after);
		assert_string_equal(after, want);
	} else {
		assert_null(after);
	}
	assert_int_equal(facts.encrypted, encrypted);
	assert_int_equal(facts.is_signed, is_signed);
	free(after);
}

/* ---- tests */

static void what_is_no_smime_stays([[maybe_unused]] void **state)
{
	static const char *const messages[] = {
		"", "\r\n", OUTER "\r\nhello\r\n", OUTER "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\r\n\r\n--b\r\n",
		OUTER "\r\nContent-Type: application/pkcs7-mime\r\n\r\nx\r\n",
	};

	for (size_t n = 0; n < COUNT(messages); n++) {
		becomes(strdup(messages[n]), keys, NULL, SMIME_CLEAR, SMIME_UNSIGNED);
		assert_string_equal(facts.why, "");
	}
}

static void what_is_broken_stays_and_says_so([[maybe_unused]] void **state)
{
	static const char *const messages[] = {
		OUTER "Content-Type: application/pkcs7-mime\r\n\r\nx\r\n", OUTER "Content-Type: application/pkcs7-mime",
		OUTER "Content-Type: application/x-pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIB\r\n",
		OUTER "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
	};

	for (size_t n = 0; n < COUNT(messages); n++) {
		becomes(strdup(messages[n]), keys, NULL, SMIME_CLEAR, SMIME_UNSIGNED);
		assert_true(strncmp(facts.why, "it cannot be read as S/MIME", 27) == 0);
	}
}

static void signatures([[maybe_unused]] void **state)
{
	char *text, *at;

	becomes(message_of(signed_by(&anna, INNER, true)), keys, NULL, SMIME_CLEAR, SMIME_VERIFIED);
	assert_string_equal(facts.signer, "anna@example.org, a@example.org");
	assert_int_equal(strlen(facts.fingerprint), 64);
	assert_string_equal(facts.why, "");
	becomes(message_of(signed_by(&anna, INNER, false)), keys, OPENED, SMIME_CLEAR, SMIME_VERIFIED);
	becomes(message_of(signed_by(&bert, INNER, true)), none, NULL, SMIME_CLEAR, SMIME_VERIFIED);
	assert_string_equal(facts.signer, "CN=Bert");
	becomes(message_of(signed_by(&stranger, INNER, true)), keys, NULL, SMIME_CLEAR, SMIME_UNTRUSTED);
	assert_string_equal(facts.signer, "CN=Stranger");
	assert_non_null(strstr(facts.why, "not trusted"));
	becomes(message_of(signed_by(&stranger, INNER, false)), keys, OPENED, SMIME_CLEAR, SMIME_UNTRUSTED);
	text = message_of(signed_by(&anna, INNER, true));
	at = strstr(text, "hello");
	assert_non_null(at);
	*at = 'j';
	becomes(text, keys, NULL, SMIME_CLEAR, SMIME_WRONG);
	assert_string_equal(facts.signer, "");
	assert_non_null(strstr(facts.why, "wrong"));
}

static void encryption([[maybe_unused]] void **state)
{
	becomes(message_of(encrypted_for(&bert, INNER)), keys, OPENED, SMIME_DECRYPTED, SMIME_UNSIGNED);
	assert_string_equal(facts.why, "");
	becomes(message_of(encrypted_for(&anna, INNER)), keys, NULL, SMIME_NOT_FOR_US, SMIME_UNSIGNED);
	becomes(message_of(encrypted_for(&bert, INNER)), others, NULL, SMIME_NOT_FOR_US, SMIME_UNSIGNED);
	assert_non_null(strstr(facts.why, "not encrypted for our certificate"));
	becomes(message_of(encrypted_for(&bert, INNER)), none, NULL, SMIME_NOT_FOR_US, SMIME_UNSIGNED);
	assert_string_equal(facts.why, "there is no key to decrypt it");
}

/* What is ours, and damaged. */
static void what_cannot_be_decrypted([[maybe_unused]] void **state)
{
	char *text = message_of(encrypted_for(&bert, INNER)), *end = strstr(text, "=\r\n"), *after;

	end = end ? end : text + strlen(text) - 6;
	for (size_t n = 8; n < 40; n++)
		end[-(ptrdiff_t)n] = end[-(ptrdiff_t)n] == '\r' || end[-(ptrdiff_t)n] == '\n' ? end[-(ptrdiff_t)n] : 'A';
	after = opened(text, keys);
	assert_true(facts.encrypted == SMIME_NOT_DECRYPTED || facts.encrypted == SMIME_DECRYPTED);	/* CBC has no check of its own */
	assert_true(facts.encrypted == SMIME_DECRYPTED ? after != NULL : after == NULL && strstr(facts.why, "cannot be decrypted"));
	free(after);
}

static void layers([[maybe_unused]] void **state)
{
	char *inside = signed_by(&anna, INNER, false), *sealed = encrypted_for(&bert, inside), *open = signed_by(&anna, INNER, true), *both, *after;

	becomes(message_of(strdup(sealed)), keys, OPENED, SMIME_DECRYPTED, SMIME_VERIFIED);
	assert_string_equal(facts.signer, "anna@example.org, a@example.org");
	/* Around it the signature of somebody else, in the open: the worst counts, the innermost is told. */
	becomes(message_of(signed_by(&stranger, sealed, true)), keys, OPENED, SMIME_DECRYPTED, SMIME_UNTRUSTED);
	assert_string_equal(facts.signer, "anna@example.org, a@example.org");
	/* What was signed in the open stays so. */
	both = encrypted_for(&bert, open);
	after = opened(message_of(both), keys);
	assert_non_null(after);
	assert_true(strncmp(after, OUTER "MIME-Version: 1.0\r\nContent-Type: multipart/signed;", strlen(OUTER) + 49) == 0);
	assert_int_equal(facts.is_signed, SMIME_VERIFIED);
	becomes(after, keys, NULL, SMIME_CLEAR, SMIME_VERIFIED);
	free(inside);
	free(sealed);
	free(open);
}

/* No more than SMIME_LAYERS are taken off. */
static void depth_is_bounded([[maybe_unused]] void **state)
{
	char *text = strdup(INNER), *after;

	for (unsigned n = 0; n <= SMIME_LAYERS; n++) {
		char *more = signed_by(&anna, text, false);

		free(text);
		text = more;
	}
	after = opened(message_of(text), keys);
	assert_non_null(after);
	assert_non_null(strstr(after, "pkcs7-mime"));
	becomes(after, keys, OPENED, SMIME_CLEAR, SMIME_VERIFIED);
}

/* Fields of the inside that are no Content-… would be a second From or Subject. */
static void the_inside_adds_no_fields([[maybe_unused]] void **state)
{
	becomes(message_of(encrypted_for(&bert, "From: evil@example.org\r\nSubject: y\r\n" INNER)), keys, OPENED, SMIME_DECRYPTED, SMIME_UNSIGNED);
}

static void what_is_large_is_left([[maybe_unused]] void **state)
{
	char *text = malloc(SMIME_MAX + 2);

	assert_non_null(text);
	memset(text, 'x', SMIME_MAX + 1);
	memcpy(text, "Content-Type: application/pkcs7-mime\r\n\r\n", 40);
	text[SMIME_MAX + 1] = '\0';
	becomes(text, keys, NULL, SMIME_CLEAR, SMIME_UNSIGNED);
	assert_true(facts.too_large);
}

static void files_that_cannot_be_used([[maybe_unused]] void **state)
{
	char locked[128], missing[128], shared[128];
	const struct smime_files cases[] = {
		{ .certificate = missing }, { .certificate = certificate, .key = missing }, { .certificate = certificate, .key = other },
		{ .ca_certificates = missing }, { .certificate = locked }, { .certificate = authorities },
		{ .certificate = shared },
	};

	(void)snprintf(missing, sizeof missing, "%s/missing", directory);
	(void)snprintf(locked, sizeof locked, "%s/locked.pem", directory);
	pki_write(locked, 0600, &(struct pki_file){ .certs = { bert.cert }, .key = bert.key, .passphrase = "secret" });
	(void)snprintf(shared, sizeof shared, "%s/shared.pem", directory);
	pki_write(shared, 0604, &(struct pki_file){ .certs = { bert.cert }, .key = bert.key });
	for (size_t n = 0; n < COUNT(cases); n++) {
		struct smime_keys *k;

		assert_false(smime_keys_new(&cases[n], &k, &fixture_err));
		assert_null(k);
		assert_int_equal(fixture_err.kind, ERR_CONFIG);
		assert_non_null(strstr(fixture_err.text, directory));
	}
}

static void names([[maybe_unused]] void **state)
{
	assert_string_equal(smime_encrypted_name(SMIME_NOT_DECRYPTED), "not-decrypted");
	assert_string_equal(smime_signed_name(SMIME_WRONG), "wrong");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_smime_stays),
		cmocka_unit_test(what_is_broken_stays_and_says_so),
		cmocka_unit_test(signatures),
		cmocka_unit_test(encryption),
		cmocka_unit_test(what_cannot_be_decrypted),
		cmocka_unit_test(layers),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(the_inside_adds_no_fields),
		cmocka_unit_test(what_is_large_is_left),
		cmocka_unit_test(files_that_cannot_be_used),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
