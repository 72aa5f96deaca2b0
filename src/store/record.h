/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: an account at rest, "a" NAME in the partition of accounts, where
 * "b" NETWORK (block.c), "c" MAILBOX (acl.c), "d" DOMAIN (domain.c), "n" ADDRESS → domain, "l" ADDRESS → account
 * (alias.c), "m" NAME or "m" @DOMAIN → where its mail lies (place.c), "r" ADDRESS → account (route.c), and alerts
 * (alert_rest.h) are too. */
#pragma once

#include "store/account.h"
#include "store/room.h"
#include "store/seal.h"
#include "store/verifier.h"

enum { RECORD_MAX = 64 + sizeof(struct verifier) + SEAL_MAX, RECORD_KEY = 1 + ACCOUNT_NAME_MAX };
enum { RECORD_CAN_LOGIN = 1, RECORD_RECOVERABLE = 2 };

struct record {
	uint8_t flags;
	int64_t made;
	struct account_limits limits;
	struct verifier verifier;
	char sealed[SEAL_MAX];
	size_t sealed_len;	/* of a recoverable account */
};

engine_part record_part(void);
struct span record_key(char key[RECORD_KEY], char kind, const char *name);
struct span record_pack(char value[RECORD_MAX], const struct record *r);
[[nodiscard]] bool record_unpack(struct span value, struct record *r);
/* The quotas of an account's and of a domain's value, as they stand there; ACCOUNT_QUOTA_DEFAULT also for a damaged one. */
uint64_t record_quota(struct span value);
uint64_t domain_quota(struct span value);
/* The account's; *r is wiped by the caller.  A damaged one (on-disk data is input) is logged, and is not there. */
bool record_find(struct store *s, const char *name, struct record *r);
/* The next name of a kind behind `name` ("" = the first), and its value, cut at `max`. */
bool record_next(struct store *s, char kind, char name[ACCOUNT_NAME_MAX + 1], char *value, size_t max, size_t *len);
/* The value of a name, cut at `max`. */
bool record_get(struct store *s, char kind, const char *name, char *value, size_t max, size_t *len);
/* Into *b, which is committed when it is full, and another one is begun: the key with this value, or, with an empty one, no longer. */
[[nodiscard]] bool record_add(struct store *s, struct batch **b, struct span key, struct span value, struct err *e);
