/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/issuer.h"

#include <stdlib.h>

#include "wire/blot.h"
#include "wire/oauth.h"

static bool copy(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return !text || *to;
}

bool issuer_copy(struct issuer *i, const struct oauth_keys *o)
{
	char *secret = NULL;
	bool good;

	*i = (struct issuer){ .flow = o->flow, .client_secret = { o->client_secret.kind, NULL } };
	good = copy(&i->token_url, o->token_url) && copy(&i->device_url, o->device_url) && copy(&i->client_id, o->client_id) &&
	       copy(&i->scope, o->scope) && copy(&i->ca_certificates, o->ca_certificates) && copy(&secret, o->client_secret.text);
	i->client_secret.text = secret;
	if (!good)
		issuer_end(i);
	return good;
}

void issuer_end(struct issuer *i)
{
	char *secret = (char *)i->client_secret.text;

	if (secret)
		wipe(secret, strlen(secret));
	free(secret);
	free(i->token_url);
	free(i->device_url);
	free(i->client_id);
	free(i->scope);
	free(i->ca_certificates);
	*i = (struct issuer){ 0 };
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool issuer_same(const struct issuer *i, const struct oauth_keys *o)
{
	return i->flow == o->flow && same(i->token_url, o->token_url) && same(i->device_url, o->device_url) && same(i->client_id, o->client_id) &&
	       same(i->scope, o->scope) && same(i->ca_certificates, o->ca_certificates) && i->client_secret.kind == o->client_secret.kind &&
	       same(i->client_secret.text, o->client_secret.text);
}

/* Room for the longest token, each octet encoded: growing would leave copies behind. */
static bool begin(struct buf *form, const char *grant)
{
	return buf_room(form, ISSUER_FORM_MAX) && (!grant || oauth_form_add(form, "grant_type", span_of(grant)));
}

static bool add_client(const struct issuer *i, struct span secret, bool scope, struct buf *form)
{
	return oauth_form_add(form, "client_id", span_of(i->client_id)) && (!secret.len || oauth_form_add(form, "client_secret", secret)) &&
	       (!scope || !i->scope || oauth_form_add(form, "scope", span_of(i->scope)));
}

bool issuer_refresh(const struct issuer *i, struct span secret, struct span refresh, struct buf *form)
{
	if (i->flow == OAUTH_CLIENT_CREDENTIALS)
		return begin(form, "client_credentials") && add_client(i, secret, true, form);
	return begin(form, "refresh_token") && oauth_form_add(form, "refresh_token", refresh) && add_client(i, secret, true, form);
}

bool issuer_device(const struct issuer *i, struct span secret, struct buf *form)
{
	return begin(form, NULL) && add_client(i, secret, true, form);
}

bool issuer_poll(const struct issuer *i, struct span secret, struct span device_code, struct buf *form)
{
	return begin(form, "urn:ietf:params:oauth:grant-type:device_code") && oauth_form_add(form, "device_code", device_code) && add_client(i, secret, false, form);
}

static unsigned hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'A') + 10;
}

/* As oauth_form_add encoded it. */
static void decode(struct span value, struct buf *out)
{
	for (size_t n = 0; n < value.len; n++) {
		bool coded = value.at[n] == '%' && n + 2 < value.len;

		out->at[out->len++] = coded ? (char)(hex_digit(value.at[n + 1]) << 4 | hex_digit(value.at[n + 2])) : value.at[n];
		n += coded ? 2 : 0;
	}
}

static void hide(struct span value, char *text)
{
	struct buf plain;

	buf_start(&plain, ISSUER_FORM_MAX);
	if (!value.len)
		return;
	if (!buf_room(&plain, value.len)) {
		*text = '\0';		/* nothing rather than all of it */
		return;
	}
	decode(value, &plain);
	blot_out(text, buf_span(&plain));
	blot_out(text, value);
	buf_wipe(&plain);
}

void issuer_hide(struct span form, char *text)
{
	static const struct span secret[] = { SPAN("client_secret="), SPAN("refresh_token="), SPAN("device_code=") };

	while (form.len) {
		struct span pair = { form.at, span_find(form, '&') };

		form = span_from(form, pair.len + 1);
		for (size_t n = 0; n < COUNT(secret); n++)
			if (span_starts(pair, secret[n]))
				hide(span_from(pair, secret[n].len), text);
	}
}
