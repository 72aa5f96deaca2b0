/* SPDX-License-Identifier: Apache-2.0 */
#include "main/say.h"

#include <stdio.h>

void json_print(json_t *object)
{
	if (!object) {
		(void)puts("{}");
		return;
	}
	(void)json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	(void)putchar('\n');
	json_decref(object);
}

const char *say_size(uint64_t octets, char *out, size_t size)
{
	static const char units[] = "kMGTPE";
	double shown = (double)octets;
	int unit = -1;

	while (shown >= 1000 && units[unit + 1]) {
		shown /= 1000;
		unit++;
	}
	if (unit < 0)
		(void)snprintf(out, size, "%llu B", (unsigned long long)octets);
	else
		(void)snprintf(out, size, "%.1f %cB", shown, units[unit]);
	return out;
}
