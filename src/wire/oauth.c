/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/oauth.h"

#include <stdio.h>

#include "base/text.h"
#include "wire/jsonin.h"

enum { CODE_SHOWN = 60, DESCRIPTION_MAX = 1024 };

/* What an error's code means; the rest is NONSENSE. */
static const struct code {
	struct span name;
	enum oauth_said said;
} codes[] = {
	{ SPAN("authorization_pending"),     OAUTH_PENDING },	/* RFC 8628 section 3.5 */
	{ SPAN("slow_down"),                 OAUTH_SLOW_DOWN },
	{ SPAN("expired_token"),             OAUTH_EXPIRED },
	{ SPAN("code_expired"),              OAUTH_EXPIRED },	/* Microsoft, older */
	{ SPAN("access_denied"),             OAUTH_DENIED },
	{ SPAN("authorization_declined"),    OAUTH_DENIED },	/* Microsoft */
	{ SPAN("invalid_grant"),             OAUTH_GRANT },	/* RFC 6749 section 5.2 */
	{ SPAN("interaction_required"),      OAUTH_GRANT },	/* Microsoft: a second factor is wanted, say */
	{ SPAN("consent_required"),          OAUTH_GRANT },
	{ SPAN("login_required"),            OAUTH_GRANT },
	{ SPAN("bad_verification_code"),     OAUTH_GRANT },
	{ SPAN("invalid_client"),            OAUTH_CLIENT },
	{ SPAN("unauthorized_client"),       OAUTH_CLIENT },
	{ SPAN("unsupported_grant_type"),    OAUTH_CLIENT },
	{ SPAN("invalid_scope"),             OAUTH_CLIENT },
	{ SPAN("invalid_request"),           OAUTH_CLIENT },
	{ SPAN("temporarily_unavailable"),   OAUTH_LATER },
	{ SPAN("server_error"),              OAUTH_LATER },
	{ SPAN("rate_limit_exceeded"),       OAUTH_LATER },
};

bool oauth_form_add(struct buf *form, const char *name, struct span value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", hex[] = "0123456789ABCDEF";
	size_t before = form->len;
	bool good = (!form->len || buf_add_byte(form, '&')) && buf_add(form, span_of(name)) && buf_add_byte(form, '=');

	for (size_t n = 0; good && n < value.len; n++) {
		unsigned char c = (unsigned char)value.at[n];
		const char coded[3] = { '%', hex[c >> 4], hex[c & 15] };

		good = buf_add(form, memchr(plain, (int)c, sizeof plain - 1) ? (struct span){ value.at + n, 1 } : (struct span){ coded, sizeof coded });
	}
	if (!good)
		form->len = before;
	return good;
}

static bool printable(struct span text)
{
	for (size_t n = 0; n < text.len; n++)
		if (text.at[n] <= ' ' || text.at[n] > '~')
			return false;
	return text.len;
}

bool oauth_token_good(struct span token)
{
	return token.len <= OAUTH_TOKEN_MAX && printable(token);
}

/* A member that is a text of printable ASCII, at most `max` octets: *text lies in `memory`.  False: there is none such. */
static bool take(struct span body, const char *name, size_t max, struct buf *memory, struct span *text)
{
	size_t from = memory->len;
	struct span value;

	if (!jsonin_member(body, name, &value) || !jsonin_text(value, memory))
		return false;
	*text = (struct span){ memory->at + from, memory->len - from };
	if (text->len <= max && printable(*text))
		return true;
	*text = (struct span){ 0 };
	return false;
}

static uint32_t seconds(struct span body, const char *name, uint32_t most, uint32_t otherwise)
{
	struct span value;
	uint64_t n;

	return jsonin_member(body, name, &value) && jsonin_number(value, most, &n) ? (uint32_t)n : otherwise;
}

static enum oauth_said code_means(struct span code)
{
	for (size_t n = 0; n < COUNT(codes); n++)
		if (span_equal(code, codes[n].name))
			return codes[n].said;
	return OAUTH_NONSENSE;
}

/* "invalid_grant: The token was revoked."; people may have written anything there. */
static void tell_code(struct span body, struct span code, char why[OAUTH_WHY])
{
	char memory[DESCRIPTION_MAX];
	struct span value;
	struct buf text;
	size_t used = (size_t)snprintf(why, OAUTH_WHY, "%.*s", code.len < CODE_SHOWN ? (int)code.len : CODE_SHOWN, code.at);

	buf_lend(&text, memory, sizeof memory);
	if (jsonin_member(body, "error_description", &value) && jsonin_text(value, &text) && text.len)
		used += (size_t)snprintf(why + used, OAUTH_WHY - used, ": %.*s", (int)text.len, text.at);
	if (used >= OAUTH_WHY)
		used = OAUTH_WHY - 1;
	text_clean(why, used);
}

/* Every answer but a good one. */
static enum oauth_said refusal(unsigned status, struct span body, bool object, char why[OAUTH_WHY])
{
	char memory[2 * CODE_SHOWN];
	bool busy = status == 429 || status == 408 || status >= 500;
	enum oauth_said said = OAUTH_NONSENSE;
	struct span code, value;
	struct buf b;

	buf_lend(&b, memory, sizeof memory);
	if (object && jsonin_member(body, "error", &value) && jsonin_text(value, &b) && printable(buf_span(&b))) {
		code = buf_span(&b);
		said = code_means(code);
		tell_code(body, code, why);
	} else {
		(void)snprintf(why, OAUTH_WHY, "status %u without an answer of OAuth's", status);
	}
	if (said == OAUTH_NONSENSE && status == 401)
		said = OAUTH_CLIENT;
	if (busy && (said == OAUTH_NONSENSE || said == OAUTH_CLIENT))
		said = OAUTH_LATER;
	return said;
}

static bool bearer(struct span body)
{
	char memory[16];
	struct span value;
	struct buf b;

	buf_lend(&b, memory, sizeof memory);
	if (!jsonin_member(body, "token_type", &value))
		return true;		/* it is required, and some forget it */
	return jsonin_text(value, &b) && span_equal_nocase(buf_span(&b), SPAN("bearer"));
}

static enum oauth_said nonsense(char why[OAUTH_WHY], const char *what)
{
	(void)snprintf(why, OAUTH_WHY, "%s", what);
	return OAUTH_NONSENSE;
}

void oauth_token(unsigned status, struct span body, struct buf *memory, struct oauth_answer *a)
{
	bool object = jsonin_object(body);
	struct span value;

	*a = (struct oauth_answer){ .said = OAUTH_GOOD };
	/* GitHub's manner is an error with status 200. */
	if (status != 200 || !object || jsonin_member(body, "error", &value))
		a->said = refusal(status, body, object, a->why);
	else if (!bearer(body))
		a->said = nonsense(a->why, "the token is no bearer token");
	else if (!take(body, "access_token", OAUTH_TOKEN_MAX, memory, &a->access))
		a->said = nonsense(a->why, "the answer has no access_token that could be used");
	else if (jsonin_member(body, "refresh_token", &value) && !span_equal(value, SPAN("null")) && !span_equal(value, SPAN("\"\"")) &&
		 !take(body, "refresh_token", OAUTH_TOKEN_MAX, memory, &a->refresh))
		a->said = nonsense(a->why, "the answer's refresh_token could not be used");
	if (a->said != OAUTH_GOOD)
		a->access = (struct span){ 0 };
	else
		a->lasts_s = seconds(body, "expires_in", OAUTH_LASTS_MAX_S, 0);
}

/* Shown to people, who will open it: a page of the web. */
static bool take_uri(struct span body, const char *name, struct buf *memory, struct span *uri)
{
	if (!take(body, name, OAUTH_URI_MAX, memory, uri))
		return false;
	if (span_starts_nocase(*uri, SPAN("https://")) || span_starts_nocase(*uri, SPAN("http://")))
		return true;
	*uri = (struct span){ 0 };
	return false;
}

void oauth_device(unsigned status, struct span body, struct buf *memory, struct oauth_device *a)
{
	bool object = jsonin_object(body);
	struct span value;

	*a = (struct oauth_device){ .said = OAUTH_GOOD };
	if (status != 200 || !object || jsonin_member(body, "error", &value)) {
		a->said = refusal(status, body, object, a->why);
		if (a->said != OAUTH_CLIENT && a->said != OAUTH_LATER)
			a->said = status == 200 || a->said == OAUTH_NONSENSE ? OAUTH_NONSENSE : OAUTH_CLIENT;
		return;
	}
	if (!take(body, "device_code", OAUTH_DEVICE_CODE_MAX, memory, &a->device_code) || !take(body, "user_code", OAUTH_CODE_MAX, memory, &a->user_code) ||
	    (!take_uri(body, "verification_uri", memory, &a->uri) && !take_uri(body, "verification_url", memory, &a->uri))) {	/* Google's name for it */
		a->said = nonsense(a->why, "the answer has not all of device_code, user_code and verification_uri");
		return;
	}
	(void)take_uri(body, "verification_uri_complete", memory, &a->uri_complete);
	a->lasts_s = seconds(body, "expires_in", OAUTH_DEVICE_MAX_S, 900);
	a->interval_s = seconds(body, "interval", OAUTH_INTERVAL_MAX_S, OAUTH_INTERVAL_S);
	if (!a->interval_s)
		a->interval_s = 1;
}
