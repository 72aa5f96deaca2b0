/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/client_digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "sasl/client.h"
#include "wire/utf8.h"

enum { MD5_SIZE = 16, TEXT_MAX = 4096, REALMS_MAX = 64 };

/* What a challenge says; spans into it, quoted texts without their quotes and still with their backslashes. */
struct challenge {
	struct span nonce, qop, algorithm, charset, rspauth;
	struct span realms[REALMS_MAX];
	size_t realm_count;
	unsigned nonces, qops, algorithms, charsets;
};

static bool odd(struct err *e, const char *why)
{
	return err_set(e, ERR_PEER, "DIGEST-MD5: the server's challenge makes no sense: %s (RFC 2831)", why);
}

/* ---- reading */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip(struct span *in, bool commas)
{
	while (in->len && (is_space(in->at[0]) || (commas && in->at[0] == ',')))
		*in = span_from(*in, 1);
}

static bool is_token(char c)
{
	return c > ' ' && c < 127 && !memchr("()<>@,;:\\\"/[]?={}", c, 17);
}

static struct span take_token(struct span *in)
{
	struct span token = { in->at, 0 };

	while (token.len < in->len && is_token(in->at[token.len]))
		token.len++;
	*in = span_from(*in, token.len);
	return token;
}

/* Behind its first quote. */
static bool take_quoted(struct span *in, struct span *text)
{
	size_t n = 0;

	while (n < in->len && in->at[n] != '"')
		n += in->at[n] == '\\' ? 2 : 1;
	if (n >= in->len)
		return false;
	*text = (struct span){ in->at, n };
	*in = span_from(*in, n + 1);
	return true;
}

static bool take_pair(struct span *in, struct span *name, struct span *value)
{
	*name = take_token(in);
	skip(in, false);
	if (!name->len || !in->len || in->at[0] != '=')
		return false;
	*in = span_from(*in, 1);
	skip(in, false);
	if (in->len && in->at[0] == '"') {
		*in = span_from(*in, 1);
		if (!take_quoted(in, value))
			return false;
	} else {
		*value = take_token(in);
		if (!value->len)
			return false;
	}
	skip(in, false);
	return !in->len || in->at[0] == ',';
}

static void keep(struct challenge *c, struct span name, struct span value)
{
	if (span_equal_nocase(name, SPAN("realm")) && c->realm_count < REALMS_MAX) {
		c->realms[c->realm_count++] = value;
	} else if (span_equal_nocase(name, SPAN("nonce"))) {
		c->nonce = value;
		c->nonces++;
	} else if (span_equal_nocase(name, SPAN("qop"))) {
		c->qop = value;
		c->qops++;
	} else if (span_equal_nocase(name, SPAN("algorithm"))) {
		c->algorithm = value;
		c->algorithms++;
	} else if (span_equal_nocase(name, SPAN("charset"))) {
		c->charset = value;
		c->charsets++;
	} else if (span_equal_nocase(name, SPAN("rspauth"))) {
		c->rspauth = value;
	}
}

static bool read_challenge(struct span in, struct challenge *c, struct err *e)
{
	struct span name, value;

	*c = (struct challenge){ 0 };
	if (in.len > DIGEST_CHALLENGE_MAX)
		return odd(e, "it is longer than 2048 octets");
	if (span_find(in, '\0') < in.len)
		return odd(e, "it has a NUL");
	for (skip(&in, true); in.len; skip(&in, true)) {
		if (!take_pair(&in, &name, &value))
			return odd(e, "it is no list of name=value");
		keep(c, name, value);
	}
	return true;
}

/* The list of a quoted qop; without one it is "auth". */
static bool offers_auth(struct span qop)
{
	if (!qop.len)
		return true;
	for (skip(&qop, true); qop.len; skip(&qop, true)) {
		struct span word = take_token(&qop);

		if (span_equal_nocase(word, SPAN("auth")))
			return true;
		if (!word.len)
			return false;
	}
	return false;
}

static bool check_challenge(const struct challenge *c, struct err *e)
{
	if (c->nonces != 1 || !c->nonce.len)
		return odd(e, "it has not one nonce");
	if (c->algorithms != 1 || !span_equal_nocase(c->algorithm, SPAN("md5-sess")))
		return odd(e, "its algorithm is not md5-sess");
	if (c->charsets > 1 || (c->charsets && !span_equal_nocase(c->charset, SPAN("utf-8"))))
		return odd(e, "its charset is not utf-8");
	if (c->qops > 1)
		return odd(e, "it has two lists of qop");
	return offers_auth(c->qop) || err_set(e, ERR_PEER, "DIGEST-MD5: the server wants a security layer of its own, which TLS makes needless; leave digest-md5 out of auth");
}

/* ---- texts */

/* Without the backslashes of quoted pairs. */
static struct span unquoted(struct span text, char memory[TEXT_MAX])
{
	size_t len = 0;

	for (size_t n = 0; n < text.len && len < TEXT_MAX; n++) {
		n += text.at[n] == '\\' && n + 1 < text.len;
		memory[len++] = text.at[n];
	}
	return (struct span){ memory, len };
}

/* In ISO 8859-1 where it has all characters; else, and what is not UTF-8, as it is. */
static struct span latin(struct span text, char memory[TEXT_MAX])
{
	struct span rest = text;
	size_t len = 0;
	uint32_t c;

	while (rest.len) {
		if (!utf8_take(&rest, &c) || c > 0xff || len == TEXT_MAX)
			return text;
		memory[len++] = (char)c;
	}
	return (struct span){ memory, len };
}

bool sasl_mech_disputed(enum sasl_mech mech, struct span user, struct span password)
{
	char memory[TEXT_MAX];
	bool disputed = mech == SASL_DIGEST_MD5 && (latin(user, memory).len != user.len || latin(password, memory).len != password.len);

	wipe(memory, sizeof memory);
	return disputed;
}

static bool is_ascii(struct span text)
{
	for (size_t n = 0; n < text.len; n++)
		if ((unsigned char)text.at[n] > 127)
			return false;
	return true;
}

static bool add_quoted(struct buf *out, const char *name, struct span text)
{
	if (!buf_printf(out, "%s=\"", name))
		return false;
	for (size_t n = 0; n < text.len; n++)
		if (((text.at[n] == '"' || text.at[n] == '\\') && !buf_add_byte(out, '\\')) || !buf_add_byte(out, text.at[n]))
			return false;
	return buf_add_byte(out, '"');
}

/* ---- the digests (RFC 2831 section 2.1.2.1) */

static bool hash(const struct span *parts, size_t count, unsigned char out[MD5_SIZE])
{
	EVP_MD_CTX *h = EVP_MD_CTX_new();
	bool good = h && EVP_DigestInit_ex(h, EVP_md5(), NULL) == 1;

	for (size_t n = 0; good && n < count; n++)
		good = !parts[n].len || EVP_DigestUpdate(h, parts[n].at, parts[n].len) == 1;
	good = good && EVP_DigestFinal_ex(h, out, NULL) == 1;
	EVP_MD_CTX_free(h);	/* cleanses */
	return good;
}

static bool hash_hex(const struct span *parts, size_t count, char out[DIGEST_HEX])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[MD5_SIZE];
	bool good = hash(parts, count, raw);

	for (size_t n = 0; good && n < MD5_SIZE; n++) {
		out[2 * n] = digits[raw[n] >> 4];
		out[2 * n + 1] = digits[raw[n] & 15];
	}
	out[good ? 2 * MD5_SIZE : 0] = '\0';
	wipe(raw, sizeof raw);
	return good;
}

struct said {			/* the unquoted texts of both sides */
	struct span user, realm, password, nonce, cnonce, uri;
};

static bool prove(const struct said *s, const char *method, const char a1[DIGEST_HEX], char out[DIGEST_HEX])
{
	const struct span a2_parts[] = { span_of(method), SPAN(":"), s->uri };
	char a2[DIGEST_HEX];

	return hash_hex(a2_parts, COUNT(a2_parts), a2) &&
	       hash_hex((const struct span[]){ span_of(a1), SPAN(":"), s->nonce, SPAN(":00000001:"), s->cnonce, SPAN(":auth:"), span_of(a2) }, 7, out);
}

static bool digests(const struct said *s, char response[DIGEST_HEX], char rspauth[DIGEST_HEX])
{
	char user[TEXT_MAX], realm[TEXT_MAX], password[TEXT_MAX], a1[DIGEST_HEX];
	unsigned char secret[MD5_SIZE];
	struct span prepared = latin(s->password, password);
	const struct span who[] = { latin(s->user, user), SPAN(":"), latin(s->realm, realm), SPAN(":"), prepared };
	bool good = hash(who, COUNT(who), secret) &&
		    hash_hex((const struct span[]){ { (char *)secret, MD5_SIZE }, SPAN(":"), s->nonce, SPAN(":"), s->cnonce }, 5, a1) &&
		    prove(s, "AUTHENTICATE", a1, response) && prove(s, "", a1, rspauth);

	wipe(password, sizeof password);
	wipe(secret, sizeof secret);
	wipe(a1, sizeof a1);
	return good;
}

/* ---- the answer */

/* anna@REALM at a server that has this REALM is anna there. */
static void choose_realm(const struct challenge *c, struct said *s, char memory[TEXT_MAX])
{
	const char *at = memrchr(s->user.at, '@', s->user.len);
	struct span domain = at ? span_from(s->user, (size_t)(at - s->user.at) + 1) : (struct span){ 0 };

	for (size_t n = 0; n < c->realm_count && domain.len; n++) {
		s->realm = unquoted(c->realms[n], memory);
		if (!span_equal_nocase(s->realm, domain))
			continue;
		s->user.len -= domain.len + 1;
		return;
	}
	s->realm = c->realm_count ? unquoted(c->realms[0], memory) : (struct span){ 0 };
}

static bool say(const struct challenge *c, const struct said *s, struct span user, const char digest[DIGEST_HEX], struct buf *out)
{
	return add_quoted(out, "username", user) && (!c->realm_count || (buf_add_byte(out, ',') && add_quoted(out, "realm", s->realm))) &&
	       buf_add_byte(out, ',') && add_quoted(out, "nonce", s->nonce) && buf_add_byte(out, ',') && add_quoted(out, "cnonce", s->cnonce) &&
	       buf_add(out, SPAN(",nc=00000001,qop=auth,")) && add_quoted(out, "digest-uri", s->uri) &&
	       buf_printf(out, ",response=%s%s", digest, c->charsets ? ",charset=utf-8" : "");
}

bool digest_answer(const struct digest_with *with, struct span challenge, struct buf *response, char rspauth[DIGEST_HEX], struct err *e)
{
	char realm[TEXT_MAX], nonce[TEXT_MAX], uri_memory[TEXT_MAX], name[TEXT_MAX], digest[DIGEST_HEX];
	struct said s = { .user = with->user, .password = with->password, .cnonce = with->cnonce };
	struct challenge c;
	struct span user;
	struct buf uri;

	if (!read_challenge(challenge, &c, e) || !check_challenge(&c, e))
		return false;
	s.nonce = unquoted(c.nonce, nonce);
	choose_realm(&c, &s, realm);
	user = c.charsets ? s.user : latin(s.user, name);
	if (span_has_control(s.user) || (!c.charsets && user.at == s.user.at && !is_ascii(user)))
		return err_set(e, ERR_CONFIG, "DIGEST-MD5: this server cannot be told the user's name, which has %s",
			span_has_control(s.user) ? "control characters" : "characters beyond ISO 8859-1");
	buf_lend(&uri, uri_memory, sizeof uri_memory);
	if (!buf_printf(&uri, "%s/%s", with->service, with->host))
		return err_set(e, ERR_LOCAL, "DIGEST-MD5: a host name that is too long");
	s.uri = buf_span(&uri);
	if (!digests(&s, digest, rspauth))
		return err_set(e, ERR_LOCAL, "DIGEST-MD5 needs MD5, which this system's OpenSSL refuses");
	return say(&c, &s, user, digest, response) || err_set(e, ERR_LOCAL, "DIGEST-MD5: no room for a response");
}

bool digest_verify(const char rspauth[DIGEST_HEX], struct span challenge, struct err *e)
{
	struct challenge c;

	if (!read_challenge(challenge, &c, e))
		return false;
	if (!c.rspauth.len)
		return odd(e, "it has no rspauth");
	if (c.rspauth.len != DIGEST_HEX - 1 || CRYPTO_memcmp(c.rspauth.at, rspauth, DIGEST_HEX - 1) != 0)
		return err_set(e, ERR_AUTH, "DIGEST-MD5: the server did not prove that it knows the password");
	return true;
}
