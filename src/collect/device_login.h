/* SPDX-License-Identifier: Apache-2.0
 *
 * The device flow (RFC 8628): a user of any browser allows this program to have tokens.
 *
 *     d = device_login_new(&with, &e)         asks for a code at once
 *     → show(user, &what)                     the address and the code, once
 *     → done(user, refresh, &why)             once, later; `refresh` lives during the call, empty: why
 *     device_login_free(&d)                   always, never within show or done; before done: it does not come
 * In between the issuer is polled at the interval that it names; slow_down adds DEVICE_SLOWER_S, for good, and so does an
 * issuer that cannot be reached for a moment.  It ends when the code does.
 * Errors: ERR_AUTH (somebody said no; nobody decided in time), ERR_CONFIG (the issuer refuses the client, its scope, its flow;
 * it gives no refresh token), ERR_PEER, ERR_NET, ERR_LOCAL.  Neither codes nor tokens are in them. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"
#include "net/loop.h"

enum { DEVICE_SLOWER_S = 5, DEVICE_TIMEOUT_MS = 30000 };

struct device_shown {		/* borrowed during show */
	const char *uri, *code;
	const char *complete;	/* the address with the code in it; NULL: none */
	uint32_t lasts_s;
};

struct device_login_with {	/* copied, but for what pointers point at */
	struct loop *loop;
	const struct oauth_keys *oauth;
	struct span secret;	/* the client's; empty: it has none */
	void (*show)(void *user, const struct device_shown *what);
	void (*done)(void *user, struct span refresh, const struct err *why);
	void *user;
	uint32_t second_ms;	/* 0: 1000 (for tests) */
};

struct device_login;

[[nodiscard]] struct device_login *device_login_new(const struct device_login_with *with, struct err *e);
void device_login_free(struct device_login **d);
