/* SPDX-License-Identifier: Apache-2.0
 *
 * OAuth 2.0 as a client: what is posted to an issuer, and what it answers (RFC 6749 sections 4.4, 5.1, 5.2, 6; RFC 8628
 * sections 3.1, 3.2, 3.4, 3.5).  It reads and writes texts; who asks, when and how often is collect/tokens.h's.
 *
 *     oauth_form_add(&form, "grant_type", SPAN("refresh_token")) …        application/x-www-form-urlencoded
 *     oauth_token(status, body, &memory, &answer)                         of the token endpoint
 *     oauth_device(status, body, &memory, &answer)                        of the device authorization endpoint
 * `memory` is a buf that was lent, or has room: spans of an answer lie in it, the caller wipes it; OAUTH_MEMORY is
 * enough for any answer that is taken.  A token is 1 to OAUTH_TOKEN_MAX printable ASCII octets without a blank (RFC 6749
 * appendix A), so that it can stand in any protocol.  A token's type other than "bearer" is none that could be used.
 *
 * What an answer means (`said`):
 *     OAUTH_GOOD      tokens; access always, refresh when there is a new one
 *     OAUTH_PENDING   the user has not decided yet: ask again after the interval,
 *     OAUTH_SLOW_DOWN and after 5 s more from now on
 *     OAUTH_EXPIRED   the device code has, nobody decided in time
 *     OAUTH_DENIED    somebody said no: access_denied
 *     OAUTH_GRANT     the refresh token, or code, holds no more: somebody must log in (invalid_grant)
 *     OAUTH_CLIENT    the client, its scope or its flow is refused: the settings are wrong
 *     OAUTH_LATER     the issuer cannot now (status 429 or 5xx, temporarily_unavailable, server_error)
 *     OAUTH_NONSENSE  no answer by these rules
 * `why` is for people: the error code and its description, cut and clean; never a part of a token. */
#pragma once

#include "base/buf.h"

enum {
	OAUTH_TOKEN_MAX = 32 * 1024, OAUTH_MEMORY = 2 * OAUTH_TOKEN_MAX + 8192, OAUTH_WHY = 240,
	OAUTH_LASTS_MAX_S = 10 * 365 * 24 * 3600, OAUTH_INTERVAL_S = 5, OAUTH_INTERVAL_MAX_S = 300, OAUTH_DEVICE_MAX_S = 24 * 3600,
	OAUTH_URI_MAX = 1024, OAUTH_CODE_MAX = 128, OAUTH_DEVICE_CODE_MAX = 4096,
};

enum oauth_said {
	OAUTH_GOOD, OAUTH_PENDING, OAUTH_SLOW_DOWN, OAUTH_EXPIRED, OAUTH_DENIED, OAUTH_GRANT, OAUTH_CLIENT, OAUTH_LATER, OAUTH_NONSENSE, OAUTH_SAIDS
};

struct oauth_answer {
	enum oauth_said said;
	struct span access, refresh;	/* OAUTH_GOOD; refresh empty: none came */
	uint32_t lasts_s;		/* of the access token; 0: not told */
	char why[OAUTH_WHY];		/* else; "" for OAUTH_GOOD */
};

struct oauth_device {
	enum oauth_said said;		/* OAUTH_GOOD, CLIENT, LATER or NONSENSE */
	struct span device_code;	/* a secret, for the polls */
	struct span user_code, uri;	/* to show: printable ASCII */
	struct span uri_complete;	/* with the code in it; may be empty */
	uint32_t lasts_s, interval_s;
	char why[OAUTH_WHY];
};

/* "&name=value", without & at the beginning; the value is encoded.  False: no room. */
[[nodiscard]] bool oauth_form_add(struct buf *form, const char *name, struct span value);
bool oauth_token_good(struct span token);
void oauth_token(unsigned status, struct span body, struct buf *memory, struct oauth_answer *answer);
void oauth_device(unsigned status, struct span body, struct buf *memory, struct oauth_device *answer);
