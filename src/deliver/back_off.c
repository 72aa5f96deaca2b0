/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/back_off.h"

#include <stdio.h>

bool back_off_may(struct back_off *b, uint64_t now_ms)
{
	if (!b->wait_ms)
		return true;
	if (now_ms < b->until_ms)
		return false;
	b->probing = true;
	b->until_ms = now_ms + b->wait_ms;
	return true;
}

void back_off_over(struct back_off *b)
{
	b->until_ms = 0;
}

void back_off_failed(struct back_off *b, uint64_t now_ms, const char *why)
{
	if (b->wait_ms && !b->probing)
		return;			/* it began before the last failure */
	b->probing = false;
	if (!b->wait_ms)
		b->wait_ms = BACK_OFF_FIRST_MS;
	else
		b->wait_ms = b->wait_ms < BACK_OFF_MOST_MS / 2 ? 2 * b->wait_ms : BACK_OFF_MOST_MS;
	b->until_ms = now_ms + b->wait_ms;
	(void)snprintf(b->why, sizeof b->why, "%s", why);
}

void back_off_good(struct back_off *b)
{
	*b = (struct back_off){ 0 };
}
