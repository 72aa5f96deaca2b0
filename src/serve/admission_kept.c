/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks by hand that last: in the store and in the tables. */
#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "serve/admission.h"
#include "store/block.h"

enum { MS = 1000 };

static_assert((int)ADMISSION_BLOCKS == (int)BLOCKS_MAX && (int)ADMISSION_WHY_MAX == (int)BLOCK_WHY_MAX, "what is kept can hold");

/* Longer than any clock runs is for ever. */
#define FOR_S_MAX ((uint64_t)1 << 40)

static bool read(const char *given, struct network *n, char text[NETWORK_TEXT], struct err *e)
{
	if (!network_parse(given, n))
		return err_set(e, ERR_CONFIG, "%.60s is no network: write an address, or like 192.0.2.0/24 with zeros behind the prefix", given);
	(void)network_text(n, text);
	return true;
}

bool admission_kept_load(struct admission *a, struct store *s, uint64_t now_ms, int64_t now_s, struct err *e)
{
	struct block_info info = { .network = "" };

	if (!block_sweep(s, now_s, e))
		return false;
	while (block_each(s, now_s, &info)) {
		struct admission_block b = { .age_ms = info.since < now_s ? (uint64_t)(now_s - info.since) * MS : 0,
			.left_ms = info.until ? (uint64_t)(info.until - now_s) * MS : 0 };

		if (!network_parse(info.network, &b.network)) {
			log_error(NULL, "block of %s in the store is no network: it does not hold", info.network);
			continue;
		}
		(void)snprintf(b.why, sizeof b.why, "%s", info.why);
		if (!admission_block_add(a, &b, now_ms, e))
			return err_in(e, "block of %s", info.network);
	}
	return true;
}

bool admission_kept_add(struct admission *a, struct store *s, const char *given, uint64_t for_s, const char *why, uint64_t now_ms, int64_t now_s,
	struct err *e)
{
	uint64_t left_s = for_s < FOR_S_MAX ? for_s : 0;
	struct admission_block b = { .left_ms = left_s * MS };
	char text[NETWORK_TEXT];

	if (!read(given, &b.network, text, e) || !block_add(s, text, left_s ? now_s + (int64_t)left_s : 0, why, now_s, e))
		return false;
	(void)snprintf(b.why, sizeof b.why, "%s", why);
	return admission_block_add(a, &b, now_ms, e) || err_in(e, "block of %s is kept, but holds after a restart only", text);
}

bool admission_kept_remove(struct admission *a, struct store *s, const char *given, uint64_t now_ms, int64_t now_s, struct err *e)
{
	char text[NETWORK_TEXT];
	struct network n;
	struct err why;
	bool kept;

	if (!read(given, &n, text, e))
		return false;
	kept = block_remove(s, text, now_s, &why);
	if (!kept && why.kind != ERR_CONFIG) {
		*e = why;
		return false;
	}
	return admission_block_remove(a, &n, now_ms) > 0 || kept || err_set(e, ERR_CONFIG, "nothing of %s is blocked: postrider block list", text);
}
