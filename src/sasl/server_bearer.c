/* SPDX-License-Identifier: Apache-2.0
 *
 * OAUTHBEARER (RFC 7628 section 3) and XOAUTH2 (Google's, which it came from): the client carries a token,
 * and whether it is good is for somebody else to say.  A refusal has a challenge of its own, which tells
 * programs why; the client answers it with something, and only then the exchange fails. */
#include <assert.h>

#include "sasl/scram.h"
#include "sasl/server_internal.h"

#define KV_END '\1'

static bool token_good(struct span token)	/* b64token, RFC 6750 section 2.1 */
{
	static const char octets[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
	size_t n = 0;

	while (n < token.len && memchr(octets, token.at[n], sizeof octets - 1))
		n++;
	if (!n)
		return false;
	while (n < token.len && token.at[n] == '=')
		n++;
	return n == token.len;
}

/* "Bearer TOKEN"; the scheme in any case. */
static bool take_token(struct span value, struct span *token)
{
	static const struct span scheme = SPAN("bearer ");

	if (value.len <= scheme.len || !span_equal_nocase((struct span){ value.at, scheme.len }, scheme))
		return false;
	value = span_from(value, scheme.len);
	while (value.len && *value.at == ' ')
		value = span_from(value, 1);
	*token = value;
	return token_good(value);
}

/* The next "key=value" up to its ^A; false: there is none, or it is none. */
static bool next_pair(struct span *in, struct span *key, struct span *value)
{
	struct span pair = { in->at, span_find(*in, KV_END) };
	size_t equals = span_find(pair, '=');

	if (pair.len == in->len || !pair.len || equals == pair.len)
		return false;
	*key = (struct span){ pair.at, equals };
	*value = span_from(pair, equals + 1);
	*in = span_from(*in, pair.len + 1);
	return true;
}

/* "=" only as "=2C" or "=3D": saslname of RFC 5801 section 4. */
static bool escapes_good(struct span name)
{
	for (size_t n = 0; n < name.len; n++)
		if (name.at[n] == '=' && !span_starts(span_from(name, n), SPAN("=2C")) && !span_starts(span_from(name, n), SPAN("=3D")))
			return false;
	return name.len;
}

/* gs2-header of RFC 5801 section 4, as far as RFC 7628 lets it: "n,,", "n,a=NAME,"; y for n. */
static bool take_header(struct sasl_server *s, struct span *in)
{
	struct span name;
	size_t end;

	if (in->len < 3 || (in->at[0] != 'n' && in->at[0] != 'y') || in->at[1] != ',')
		return false;
	*in = span_from(*in, 2);
	end = span_find(*in, ',');
	if (end == in->len)
		return false;
	name = (struct span){ in->at, end };
	if (end && !(span_starts(name, SPAN("a=")) && escapes_good(span_from(name, 2)) && scram_name_add(span_from(name, 2), &s->name)))
		return false;
	s->proof.name = buf_span(&s->name);
	*in = span_from(*in, end + 1);
	if (!in->len || *in->at != KV_END)
		return false;
	*in = span_from(*in, 1);
	return true;
}

static bool take_pairs(struct sasl_server *s, struct span in)
{
	bool named = s->mech == SASL_OAUTHBEARER, token = false;
	struct span key, value;

	while (next_pair(&in, &key, &value)) {
		if (span_equal(key, SPAN("auth"))) {
			if (token || !take_token(value, &s->proof.password))
				return false;
			token = true;
		} else if (s->mech == SASL_XOAUTH2 && span_equal(key, SPAN("user"))) {
			if (named)
				return false;
			s->proof.name = value;
			named = true;
		}
	}
	return token && named && span_equal(in, (struct span){ &(char){ KV_END }, 1 });
}

enum sasl_said server_bearer(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e)
{
	struct span in;

	(void)challenge;
	if (s->refused)		/* whatever it says to that */
		return server_refuse(s, e, ERR_AUTH, "the token is not good");
	if (!response)
		return SASL_SAYS_MORE;
	if (!buf_add(&s->first, *response))
		return server_refuse(s, e, ERR_LOCAL, "out of memory");
	in = buf_span(&s->first);
	if ((s->mech == SASL_OAUTHBEARER && !take_header(s, &in)) || !take_pairs(s, in)) {
		s->proof.password = (struct span){ 0 };
		return server_refuse(s, e, ERR_PEER, "no message with a bearer token");
	}
	if (!server_names_good(s, s->mech == SASL_XOAUTH2))
		return server_refuse(s, e, ERR_PEER, "no name, or one that is none");
	return SASL_SAYS_TOKEN;
}

void sasl_server_refuse_token(struct sasl_server *s, struct buf *challenge)
{
	static const struct span oauth = SPAN("{\"status\":\"invalid_token\"}"), xoauth2 = SPAN("{\"status\":\"401\",\"schemes\":\"bearer\"}");

	assert(s->over && (s->mech == SASL_OAUTHBEARER || s->mech == SASL_XOAUTH2) && !s->refused);
	if (!buf_add(challenge, s->mech == SASL_XOAUTH2 ? xoauth2 : oauth))
		assert(false && "a challenge has room for it");
	s->refused = true;
	s->over = false;
}
