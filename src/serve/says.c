/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/says.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/text.h"

static_assert(SAYS_MAX > SAYS_USER_MAX + SAYS_REASON_MAX + ADDRESS_TEXT + 300, "the longest of them fits");
static_assert(SAYS_MAX < LOG_LINE_MAX / 2 + 100, "and into a line of the log, behind its tags");

enum { SECOND_MS = 1000, MECHANISM_MAX = 40, TLS_MAX = 20, BITS_MAX_4 = 32, BITS_MAX_6 = 128 };

const struct tag says_pop = { NULL, "service", "POP" };

static const char *const ends[] = {
	[SAYS_QUIT] = "quit", [SAYS_QUIT_FAILED] = "quit-failed", [SAYS_CLOSED] = "closed", [SAYS_BROKEN] = "broken",
	[SAYS_IDLE] = "idle", [SAYS_LOGIN_TIMEOUT] = "login-timeout", [SAYS_SEND_TIMEOUT] = "send-timeout",
	[SAYS_OVERLONG] = "overlong", [SAYS_NONSENSE] = "nonsense", [SAYS_TLS_HELLO] = "tls-hello", [SAYS_TLS_FAILED] = "tls-failed",
	[SAYS_TLS_INJECTED] = "tls-injected", [SAYS_PROXY_FAILED] = "proxy-failed", [SAYS_LOGIN_BLOCKED] = "login-blocked",
	[SAYS_STORE_FAILED] = "store-failed", [SAYS_STOPPED] = "stopped",
	[SAYS_EVICTED] = "evicted", [SAYS_MEMORY] = "memory",
};
static_assert(COUNT(ends) == SAYS_ENDS, "a word for each end");

static const char *const outcomes[] = {
	[SAYS_DELIVERED] = "delivered", [SAYS_HELD] = "held", [SAYS_OVER_LIMIT] = "over-limit", [SAYS_TOO_LARGE] = "too-large",
	[SAYS_BAD] = "bad", [SAYS_REFUSED] = "refused", [SAYS_FAILED] = "failed",
};
static_assert(COUNT(outcomes) == SAYS_OUTCOMES, "a word for each outcome");

static const char *const held_outcomes[] = {
	[SAYS_HELD_DELIVERED] = "delivered", [SAYS_HELD_DEFERRED] = "deferred", [SAYS_HELD_FAILED] = "failed", [SAYS_HELD_RETURNED] = "returned",
};
static_assert(COUNT(held_outcomes) == SAYS_HELD_OUTCOMES, "a word for each outcome");

static const char *const doors[] = {
	[SAYS_ACCESS] = "access", [SAYS_DENIED] = "denied", [SAYS_BLOCKED] = "blocked", [SAYS_ADDRESS_FULL] = "address-full", [SAYS_FULL] = "full",
};
static_assert(COUNT(doors) == SAYS_DOORS, "a word for each door");

/* A line is added to piece by piece; that it fits was asserted. */
static void add(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct buf *b, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(b->at + b->len, b->max - b->len, format, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < b->max - b->len);
	b->len += (size_t)n;
}

/* name="text", made safe; what is cut ends in "...". */
static void add_quoted(struct buf *b, const char *name, struct span text, size_t max)
{
	size_t len = text.len <= max ? text.len : max - 3;
	char *at;

	while (len < text.len && len && ((unsigned char)text.at[len] & 0xc0) == 0x80)
		len--;			/* not within a character */
	add(b, " %s=\"", name);
	at = b->at + b->len;
	assert(len + 4 < b->max - b->len);
	if (len)
		memcpy(at, text.at, len);
	for (size_t i = 0; i < len; i++) {
		if (at[i] == '"')
			at[i] = '\'';
		else if (at[i] == '\\')
			at[i] = '?';
	}
	text_clean(at, len);
	b->len += len;
	add(b, len < text.len ? "...\"" : "\"");
}

static void begin(struct buf *b, char out[SAYS_MAX], const char *words, const union address *address)
{
	union address bare = *address;
	char text[ADDRESS_TEXT];

	(void)address_unmap(&bare);
	buf_lend(b, out, SAYS_MAX);
	add(b, "%s address=%s", words, address_text(&bare, false, text));
}

static void add_way(struct buf *b, const char *mechanism, const char *tls)
{
	add(b, " mechanism=%.*s tls=%.*s", MECHANISM_MAX, mechanism ? mechanism : "none", TLS_MAX, tls ? tls : "no");
}

const char *says_login_failed(const struct says_login *s, char out[SAYS_MAX])
{
	struct buf b;

	begin(&b, out, "login failed", s->address);
	add_way(&b, s->mechanism, s->tls);
	add_quoted(&b, "user", s->user, SAYS_USER_MAX);
	add_quoted(&b, "reason", span_of(s->reason), SAYS_REASON_MAX);
	return out;
}

const char *says_session_over(const struct says_session *s, char out[SAYS_MAX])
{
	struct buf b;

	assert(s->end < SAYS_ENDS);
	begin(&b, out, "session over", s->address);
	add_way(&b, s->mechanism, s->tls);
	add_quoted(&b, "user", s->user, SAYS_USER_MAX);
	add(&b, " messages=%" PRIu64 " octets=%" PRIu64 " deleted=%" PRIu64 " left=%" PRIu64, s->messages, s->octets, s->deleted, s->left);
	add(&b, " seconds=%" PRIu64 ".%03u reason=%s", s->lasted_ms / SECOND_MS, (unsigned)(s->lasted_ms % SECOND_MS), ends[s->end]);
	return out;
}

const char *says_submitted(const struct says_submitted *s, char out[SAYS_MAX])
{
	struct buf b;

	assert(s->outcome < SAYS_OUTCOMES);
	begin(&b, out, "submitted", s->address);
	add_quoted(&b, "user", s->user, SAYS_USER_MAX);
	add(&b, " octets=%" PRIu64 " recipients=%" PRIu64 " outcome=%s", s->octets, s->recipients, outcomes[s->outcome]);
	add_quoted(&b, "reason", span_of(s->reason), SAYS_REASON_MAX);
	return out;
}

const char *says_held(const struct says_held *s, char out[SAYS_MAX])
{
	struct buf b;

	assert(s->what < SAYS_HELD_OUTCOMES);
	buf_lend(&b, out, SAYS_MAX);
	add(&b, "held message id=%.16s outcome=%s attempts=%" PRIu64, s->id, held_outcomes[s->what], s->attempts);
	add_quoted(&b, "account", span_of(s->account), SAYS_USER_MAX);
	add_quoted(&b, "target", span_of(s->target), SAYS_USER_MAX);
	add_quoted(&b, "reason", span_of(s->reason), SAYS_REASON_MAX);
	return out;
}

const char *says_refused(const union address *address, enum says_door why, char out[SAYS_MAX])
{
	struct buf b;

	assert(why < SAYS_DOORS);
	begin(&b, out, "refused", address);
	add(&b, " reason=%s", doors[why]);
	return out;
}

/* An address alone has no prefix, so that whoever reads addresses can read it. */
static void add_bits(struct buf *b, const struct network *from)
{
	if (from->bits < (from->base.any.sa_family == AF_INET6 ? BITS_MAX_6 : BITS_MAX_4))
		add(b, "/%u", from->bits);
}

const char *says_blocked(const struct network *from, uint64_t failures, uint64_t for_ms, char out[SAYS_MAX])
{
	struct buf b;

	begin(&b, out, "blocked", &from->base);
	add_bits(&b, from);
	add(&b, " failures=%" PRIu64 " seconds=%" PRIu64, failures, (for_ms + SECOND_MS - 1) / SECOND_MS);
	return out;
}

const char *says_denied(const struct network *from, char out[SAYS_MAX])
{
	struct buf b;

	begin(&b, out, "denied", &from->base);
	add_bits(&b, from);
	add(&b, " until=restart reason=overlong");
	return out;
}
