/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/networks.h"

#include "config/value.h"

bool networks_read(struct arena *a, const struct texts *texts, struct networks *out, struct err *e)
{
	struct network *all = texts->count ? arena_take(a, texts->count * sizeof *all) : NULL;

	*out = (struct networks){ NULL, 0 };
	for (size_t i = 0; i < texts->count; i++)
		if (!network_parse(texts->at[i], &all[i]))
			return err_set(e, ERR_CONFIG, "%.*s is no network", VALUE_SHOWN, texts->at[i]);
	*out = (struct networks){ all, texts->count };
	return true;
}
