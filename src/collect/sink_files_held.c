/* SPDX-License-Identifier: Apache-2.0
 *
 * Held messages into a directory: the name that a file is to get is in their record before the file has it. */
#include <stdio.h>

#include "base/clock.h"
#include "collect/retried.h"
#include "collect/sink_files.h"

/* NAME has its tag as 16 digits behind "_". */
static bool is_of(const char *name, const uint8_t tag[8])
{
	char digits[2 + 2 * 8 + 1] = "_";

	for (size_t n = 0; n < 8; n++)
		(void)snprintf(digits + 1 + 2 * n, 3, "%02x", tag[n]);
	return strstr(name, digits);
}

bool files_find_copy(const struct files_ops *ops, const uint8_t tag[8], void *dir, const struct held_info *info, bool *there, struct err *e)
{
	int64_t since = info->tried > info->since ? info->tried : info->since;

	*there = false;
	if (!info->place[0] || !is_of(info->place, tag))
		return true;
	if (!ops->place_again(dir, info->place, e))
		return false;
	*there = clock_now_s() - since <= FILES_INTENT_OLD_S || ops->has(dir, info->place);
	return !*there || ops->sync_placed(dir, e);
}

bool files_name_copy(const struct sink *k, const struct message *m, const char *name, struct err *e)
{
	return !m->copy || held_placing(collector_store(k->visit->collector), m->copy, name, e);
}

bool files_is_named(void *user, const char *name)
{
	const struct visit *v = user;
	struct held_info info = { .id = 0 };

	while (held_next_of(collector_store(v->collector), v->with->name, &info))
		if (strcmp(info.place, name) == 0)
			return true;
	return false;
}
