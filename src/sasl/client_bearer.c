/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/client_bearer.h"

#include "wire/jsonin.h"
#include "wire/oauth.h"

enum { STATUS_MAX = 64, NUMBER_TEXT = 16 };

/* saslname (RFC 5801 section 4). */
static bool add_name(struct buf *out, struct span name)
{
	for (size_t n = 0; n < name.len; n++) {
		char c = name.at[n];

		if (!buf_add(out, c == '=' ? SPAN("=3D") : c == ',' ? SPAN("=2C") : (struct span){ &c, 1 }))
			return false;
	}
	return true;
}

static bool add_host(struct buf *out, const struct sasl_credentials *with)
{
	if (with->host && (!buf_add(out, SPAN("host=")) || !buf_add(out, span_of(with->host)) || !buf_add_byte(out, '\1')))
		return false;
	return !with->port || (buf_printf(out, "port=%u", with->port) && buf_add_byte(out, '\1'));
}

static bool add_all(enum sasl_mech mech, const struct sasl_credentials *with, struct buf *out)
{
	struct span user = span_of(with->user);

	if (mech == SASL_XOAUTH2) {
		if (!buf_add(out, SPAN("user=")) || !buf_add(out, user) || !buf_add_byte(out, '\1'))
			return false;
	} else if (!buf_add(out, SPAN("n,a=")) || !add_name(out, user) || !buf_add(out, SPAN(",\1")) || !add_host(out, with)) {
		return false;
	}
	return buf_add(out, SPAN("auth=Bearer ")) && buf_add(out, with->password) && buf_add(out, SPAN("\1\1"));
}

bool bearer_first(enum sasl_mech mech, const struct sasl_credentials *with, struct buf *out, struct err *e)
{
	if (!oauth_token_good(with->password))
		return err_set(e, ERR_CONFIG, "%s: the token is empty, too long, or has characters that no token has", sasl_mech_name(mech));
	if (span_has_control(span_of(with->user)))
		return err_set(e, ERR_CONFIG, "%s cannot carry a user name with control characters", sasl_mech_name(mech));
	/* At once: growing would leave copies behind. */
	if (!buf_room(out, 3 * strlen(with->user) + (with->host ? strlen(with->host) : 0) + with->password.len + sizeof "n,a=,^host=^port=^auth=Bearer ^^" + NUMBER_TEXT) ||
	    !add_all(mech, with, out))
		return err_set(e, ERR_LOCAL, "out of memory");
	return true;
}

struct span bearer_last(enum sasl_mech mech)
{
	return mech == SASL_OAUTHBEARER ? SPAN("\1") : (struct span){ 0 };
}

/* "status" is a word of RFC 6750's, or with XOAUTH2 one of HTTP's numbers, as a text or not. */
enum sasl_token bearer_refusal(struct span challenge)
{
	static const struct span expired[] = { SPAN("invalid_token"), SPAN("400"), SPAN("401") };
	char memory[STATUS_MAX];
	struct span value;
	struct buf b;

	buf_lend(&b, memory, sizeof memory);
	if (!jsonin_object(challenge) || !jsonin_member(challenge, "status", &value))
		return SASL_TOKEN_REFUSED;
	if (value.at[0] == '"' && jsonin_text(value, &b))
		value = buf_span(&b);
	for (size_t n = 0; n < COUNT(expired); n++)
		if (span_equal_nocase(value, expired[n]))
			return SASL_TOKEN_EXPIRED;
	return SASL_TOKEN_REFUSED;
}
