/* SPDX-License-Identifier: Apache-2.0 */
#include "main/collecting.h"

#include <stdio.h>

#include "main/say.h"

static void say_json(const char *name, const struct visit_result *r)
{
	json_print(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o}", "connection", name,
		"collected", (json_int_t)r->collected, "skipped", (json_int_t)r->skipped, "held", (json_int_t)r->held,
		"failed", (json_int_t)r->failed, "octets", (json_int_t)r->octets, "ms", (json_int_t)r->ms,
		"error_kind", err_kind_name(r->why.kind), "error", json_text(r->why.kind ? r->why.text : "")));
}

bool collecting_say(const struct cli *cli, const char *name, const struct visit_result *r)
{
	double seconds = r->ms ? (double)r->ms / 1000 : 0.001;

	if (cli->json)
		say_json(name, r);
	else if (!cli->quiet)
		(void)printf("%s: %llu collected, %llu skipped, %llu held, %llu failed in %.2f s (%.0f msg/s, %.1f MB/s)\n",
			name, (unsigned long long)r->collected, (unsigned long long)r->skipped,
			(unsigned long long)r->held, (unsigned long long)r->failed, (double)r->ms / 1000,
			(double)r->collected / seconds, (double)r->octets / 1e6 / seconds);
	return fflush(stdout) == 0;
}
