/* SPDX-License-Identifier: Apache-2.0
 *
 * Device flows (device_login.h) that a running instance makes for somebody who asks after them now and then, since the
 * client's secret is in its vault, which gives none out.
 *
 *     device_logins_start(l, connection, &id, &e)   asks the issuer for a code at once; the connection is copied
 *     device_logins_show(l, id, &shown)             as often as it suits: asking, the code, the end
 *     device_logins_stop(l, id)                     always; one that was told its end too
 * A new one for the same connection takes the place of the one before.  At most DEVICE_LOGINS_MAX at once; of one that nobody
 * asked after for DEVICE_LOGINS_LEFT_MS the place is free for another.  Only secrets that are there at once are read: what a
 * command prints is ERR_CONFIG.  All of it for the loop's thread; nothing of it is kept beyond the process. */
#pragma once

#include "collect/device_login.h"
#include "store/store.h"

enum { DEVICE_LOGINS_MAX = 8, DEVICE_LOGINS_LEFT_MS = 30 * 1000 };

enum device_logins_state { DEVICE_LOGINS_ASKING, DEVICE_LOGINS_WAITING, DEVICE_LOGINS_ENDED };

struct device_logins_shown {		/* borrowed until the next call, or turn of the loop */
	enum device_logins_state state;
	const char *connection;
	const char *uri, *code, *complete;	/* from WAITING on; complete NULL: there is none */
	uint32_t lasts_s;
	struct span refresh;		/* ENDED; empty: `why` */
	const struct err *why;
};

struct device_logins;

[[nodiscard]] struct device_logins *device_logins_new(struct loop *loop, struct store *store);	/* NULL: out of memory */
[[nodiscard]] bool device_logins_start(struct device_logins *l, const struct connection *with, uint64_t *id, struct err *e);
bool device_logins_show(struct device_logins *l, uint64_t id, struct device_logins_shown *shown);	/* false: there is none, or no more */
void device_logins_stop(struct device_logins *l, uint64_t id);
void device_logins_free(struct device_logins **l);
