/* SPDX-License-Identifier: Apache-2.0
 *
 * For this room's tests: addresses out of texts and numbers, the limits that
 * hold when nothing is configured, a made-up clock, and random numbers that a
 * printed seed repeats. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "serve/admission.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

[[maybe_unused]] static struct err fixture_err;

/* What PRODUCT 2.4 says when nothing is written. */
static inline struct admission_limits fixture_limits(void)
{
	return (struct admission_limits){ .max_sessions = 10000, .failed_delay_ms = 2 * SECOND, .failed_limit = 10, .failed_block_ms = 15 * MINUTE,
		.overlong_denies = true };
}

static inline struct admission *fixture_new(const struct admission_limits *l)
{
	struct admission *a = admission_new(l, &fixture_err);

	if (!a)
		fail_msg("%s", fixture_err.text);
	return a;
}

static inline union address fixture_address(const char *text)
{
	union address a;

	if (!address_parse(text, 12345, &a))
		fail_msg("%s", text);
	return a;
}

static inline struct network fixture_network(const char *text)
{
	struct network n;

	if (!network_parse(text, &n))
		fail_msg("%s", text);
	return n;
}

/* The host of the n-th /64 there is. */
static inline union address fixture_six(uint64_t prefix, uint64_t host)
{
	union address a = { .v6 = { .sin6_family = AF_INET6 } };

	for (int i = 7; i >= 0; i--, prefix >>= 8, host >>= 8) {
		a.v6.sin6_addr.s6_addr[i] = (uint8_t)(prefix & 0xff);
		a.v6.sin6_addr.s6_addr[8 + i] = (uint8_t)(host & 0xff);
	}
	return a;
}

static inline uint32_t fixture_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

/* One attempt by `user`, looked at whenever its turn comes, that fails: moves the clock; how long it waited, and the refusal. */
static inline struct admission_delay fixture_fail(struct admission *a, const char *from, const char *user, uint64_t *now_ms, uint32_t *waited)
{
	union address address = fixture_address(from);
	struct admission_attempt t;
	struct admission_delay d;
	uint64_t began = *now_ms;

	admission_login_start(a, &address, span_of(user), *now_ms, &t);
	for (d = admission_login_wait(a, &t, *now_ms); d.delay_ms; d = admission_login_wait(a, &t, *now_ms))
		*now_ms += d.delay_ms;
	*waited = (uint32_t)(*now_ms - began);
	return d.blocked ? d : admission_login_failed(a, &t, *now_ms);
}
