/* SPDX-License-Identifier: Apache-2.0 */
#include "main/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

json_t *json_text(const char *text)
{
	char safe[1024];
	size_t n = 0;
	json_t *whole = json_string(text);

	if (whole)
		return whole;
	for (; *text && n < sizeof safe - 4; text++) {
		bool ascii = (unsigned char)*text < 0x80;

		memcpy(safe + n, ascii ? text : "\xef\xbf\xbd", ascii ? 1 : 3);
		n += ascii ? 1 : 3;
	}
	safe[n] = '\0';
	return json_string(safe);
}
