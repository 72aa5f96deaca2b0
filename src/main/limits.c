/* SPDX-License-Identifier: Apache-2.0 */
#include "main/limits.h"

#include <stdio.h>

#include "config/value.h"
#include "control/json.h"
#include "store/account.h"

bool limits_key(const char *word, const char *key)
{
	size_t len = strlen(key);

	return strncmp(word, key, len) == 0 && word[len] == '=';
}

static bool take(json_t *args, const char *value, bool is_size, struct err *e)
{
	uint64_t n = 0;

	if (strcmp(value, "default") == 0) {
		(void)json_object_set_new(args, is_size ? "quota" : "max_sessions", json_null());
		return true;
	}
	if (strcmp(value, "none") != 0 && !(is_size ? value_size(value, &n, e) : value_uint(value, 0, ACCOUNT_SESSIONS_DEFAULT - 1, &n, e)))
		return false;
	(void)json_object_set_new(args, is_size ? "quota" : "max_sessions", json_number(n));
	return true;
}

enum limits_word limits_word(const char *word, json_t *args, const char **value, struct err *e)
{
	const char *equals = strchr(word, '=');

	if (!equals) {
		(void)err_set(e, ERR_CONFIG, "%.100s is not KEY=VALUE, such as quota=1GB", word);
		return LIMITS_WRONG;
	}
	*value = equals + 1;
	if (limits_key(word, "maildir")) {
		if (json_object_set_new(args, "maildir", json_string(*value)) == 0)
			return LIMITS_SET;
		(void)err_set(e, ERR_CONFIG, "maildir: it is not UTF-8");
		return LIMITS_WRONG;
	}
	if (!limits_key(word, "quota") && !limits_key(word, "max_sessions"))
		return LIMITS_OTHER;
	if (take(args, *value, word[0] == 'q', e))
		return LIMITS_SET;
	(void)err_in(e, "%.*s", (int)(equals - word), word);
	e->kind = ERR_CONFIG;
	return LIMITS_WRONG;
}

static void print(const char *name, const json_t *value, const char *unit)
{
	if (!json_is_integer(value))
		(void)printf("%-12s  default\n", name);
	else if (!json_integer_value(value))
		(void)printf("%-12s  none\n", name);
	else
		(void)printf("%-12s  %llu%s\n", name, (unsigned long long)json_integer_value(value), unit);
}

void limits_print(const json_t *row)
{
	print("quota", json_object_get(row, "quota"), " octets");
	print("max_sessions", json_object_get(row, "max_sessions"), "");
	(void)printf("maildir       %s\n", *json_member_text(row, "maildir") ? json_member_text(row, "maildir") : "default");
}
