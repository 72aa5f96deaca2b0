/* SPDX-License-Identifier: Apache-2.0 */
#include "main/limits.h"

#include <stdio.h>

#include "config/value.h"

bool limits_key(const char *word, const char *key)
{
	size_t len = strlen(key);

	return strncmp(word, key, len) == 0 && word[len] == '=';
}

static bool quota(const char *value, struct account_limits *limits, struct err *e)
{
	if (strcmp(value, "default") == 0)
		limits->quota = ACCOUNT_QUOTA_DEFAULT;
	else if (strcmp(value, "none") == 0)
		limits->quota = 0;
	else if (!value_size(value, &limits->quota, e))
		return false;
	return true;
}

static bool max_sessions(const char *value, struct account_limits *limits, struct err *e)
{
	uint64_t n = 0;

	if (strcmp(value, "default") == 0)
		n = ACCOUNT_SESSIONS_DEFAULT;
	else if (strcmp(value, "none") != 0 && !value_uint(value, 0, ACCOUNT_SESSIONS_DEFAULT - 1, &n, e))
		return false;
	limits->max_sessions = (uint32_t)n;
	return true;
}

enum limits_word limits_word(const char *word, struct account_limits *limits, const char **value, struct err *e)
{
	const char *equals = strchr(word, '=');

	if (!equals) {
		(void)err_set(e, ERR_CONFIG, "%.100s is not KEY=VALUE, such as quota=1GB", word);
		return LIMITS_WRONG;
	}
	*value = equals + 1;
	if (!limits_key(word, "quota") && !limits_key(word, "max_sessions"))
		return LIMITS_OTHER;
	if (word[0] == 'q' ? quota(*value, limits, e) : max_sessions(*value, limits, e))
		return LIMITS_SET;
	(void)err_in(e, "%.*s", (int)(equals - word), word);
	e->kind = ERR_CONFIG;
	return LIMITS_WRONG;
}

void limits_json(json_t *row, const struct account_limits *limits)
{
	(void)json_object_set_new(row, "quota", limits->quota == ACCOUNT_QUOTA_DEFAULT ? json_null() : json_integer((json_int_t)limits->quota));
	(void)json_object_set_new(row, "max_sessions",
		limits->max_sessions == ACCOUNT_SESSIONS_DEFAULT ? json_null() : json_integer((json_int_t)limits->max_sessions));
}

void limits_print(const struct account_limits *limits)
{
	if (limits->quota == ACCOUNT_QUOTA_DEFAULT)
		(void)printf("quota         default\n");
	else if (!limits->quota)
		(void)printf("quota         none\n");
	else
		(void)printf("quota         %llu octets\n", (unsigned long long)limits->quota);
	if (limits->max_sessions == ACCOUNT_SESSIONS_DEFAULT)
		(void)printf("max_sessions  default\n");
	else if (!limits->max_sessions)
		(void)printf("max_sessions  none\n");
	else
		(void)printf("max_sessions  %u\n", (unsigned)limits->max_sessions);
}
