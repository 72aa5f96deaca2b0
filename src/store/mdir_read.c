/* SPDX-License-Identifier: Apache-2.0
 * Reading is not built yet: every message is gone. */
#include "store/mdir_inside.h"

bool mdir_there(const struct maildrop *drop, uint32_t number)
{
	(void)drop;
	(void)number;
	return false;
}

void mdir_start(const struct maildrop *drop, uint32_t number, struct maildrop_reading *r)
{
	(void)drop;
	*r = (struct maildrop_reading){ .number = number };
}

enum maildrop_got mdir_piece(const struct maildrop *drop, struct maildrop_reading *r, bool wait,
	size_t (*use)(void *user, struct span octets), void *user)
{
	(void)drop;
	(void)r;
	(void)wait;
	(void)use;
	(void)user;
	return MAILDROP_GONE;
}

void mdir_touch(const struct maildrop *drop, const struct maildrop_reading *r, uint64_t octets)
{
	(void)drop;
	(void)r;
	(void)octets;
}

void mdir_close(struct maildrop *drop)
{
	(void)drop;
}
