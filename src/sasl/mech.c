/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/server.h"

#include <assert.h>
#include <stdio.h>

/* What is to be known of each mechanism; a new one is a new row. */
static const struct mech {
	const char *name;
	bool built, clear, first, slow, plus, bearer, serves, keyless, apart, mutual, asks;
} mechs[] = {
	[SASL_EXTERNAL] =           { "EXTERNAL",           .built = true, .first = true, .keyless = true, .serves = true },
	[SASL_SCRAM_SHA_256_PLUS] = { "SCRAM-SHA-256-PLUS", .built = true, .first = true, .slow = true, .plus = true, .serves = true, .mutual = true },
	[SASL_SCRAM_SHA_256] =      { "SCRAM-SHA-256",      .built = true, .first = true, .slow = true, .serves = true, .mutual = true },
	[SASL_SCRAM_SHA_1_PLUS] =   { "SCRAM-SHA-1-PLUS",   .built = true, .first = true, .slow = true, .plus = true, .serves = true, .mutual = true },
	[SASL_SCRAM_SHA_1] =        { "SCRAM-SHA-1",        .built = true, .first = true, .slow = true, .serves = true, .mutual = true },
	[SASL_OAUTHBEARER] =        { "OAUTHBEARER",        .built = true, .clear = true, .first = true, .bearer = true, .serves = true },
	[SASL_XOAUTH2] =            { "XOAUTH2",            .built = true, .clear = true, .first = true, .bearer = true, .serves = true },
	[SASL_GSSAPI] =             { "GSSAPI",             .built = true, .first = true, .slow = true, .keyless = true, .mutual = true, .asks = true },
	[SASL_DIGEST_MD5] =         { "DIGEST-MD5",         .built = true, .mutual = true },
	[SASL_CRAM_MD5] =           { "CRAM-MD5",           .built = true, .serves = true },
	[SASL_NTLM] =               { "NTLM",               .built = true, .first = true, .slow = true, .apart = true },
	[SASL_APOP] =               { "APOP",               .built = true },
	[SASL_PLAIN] =              { "PLAIN",              .built = true, .clear = true, .first = true, .serves = true },
	[SASL_LOGIN] =              { "LOGIN",              .built = true, .clear = true, .serves = true },
	[SASL_USER] =               { "USER",               .built = true, .clear = true },
};
static_assert(COUNT(mechs) == SASL_MECHS, "a row for each mechanism");

static const struct mech *row(enum sasl_mech mech)
{
	assert(mech < SASL_MECHS);
	return &mechs[mech];
}

const char *sasl_mech_name(enum sasl_mech mech)
{
	return row(mech)->name;
}

bool sasl_mech_parse(struct span name, enum sasl_mech *mech)
{
	for (enum sasl_mech m = 0; m < SASL_MECHS; m++) {
		if (!span_equal_nocase(name, span_of(mechs[m].name)))
			continue;
		*mech = m;
		return true;
	}
	return false;
}

bool sasl_mech_built(enum sasl_mech mech)
{
	return row(mech)->built;
}

bool sasl_mech_clear(enum sasl_mech mech)
{
	return row(mech)->clear;
}

bool sasl_mech_first(enum sasl_mech mech)
{
	return row(mech)->first;
}

bool sasl_mech_slow(enum sasl_mech mech)
{
	return row(mech)->slow;
}

bool sasl_mech_asks(enum sasl_mech mech)
{
	return row(mech)->asks;
}

bool sasl_mech_plus(enum sasl_mech mech)
{
	return row(mech)->plus;
}

bool sasl_mech_bearer(enum sasl_mech mech)
{
	return row(mech)->bearer;
}

bool sasl_mech_keyless(enum sasl_mech mech)
{
	return row(mech)->keyless;
}

bool sasl_mech_apart(enum sasl_mech mech)
{
	return row(mech)->apart;
}

bool sasl_mech_mutual(enum sasl_mech mech)
{
	return row(mech)->mutual;
}

const char *sasl_mech_check(enum sasl_mech mech)
{
	if (sasl_mech_bearer(mech))
		return "`user` and `oauth`";
	if (sasl_mech_keyless(mech))
		return mech == SASL_GSSAPI ? "`user` and the Kerberos ticket" : "`user` and `tls.certificate`";
	return "`user` and `password`";
}

bool sasl_mech_serves(enum sasl_mech mech)
{
	return row(mech)->serves;
}

void sasl_mechs_text(unsigned bits, char *out, size_t size)
{
	size_t used = 0;

	(void)snprintf(out, size, "none");
	for (enum sasl_mech m = 0; m < SASL_MECHS; m++) {
		if (!(bits & 1u << m) || used + strlen(row(m)->name) + 3 > size)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", row(m)->name);
	}
}
