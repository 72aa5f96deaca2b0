/* SPDX-License-Identifier: Apache-2.0
 *
 * What is configured (PRODUCT 2.4) as admission's limits. */
#include <stdlib.h>

#include "config/settings_pop3.h"
#include "serve/admission.h"

enum { MS = 1000 };

/* Adds networks out of their texts at *at, and moves it on. */
static bool read(const struct texts *t, struct network **at, struct err *e)
{
	for (size_t i = 0; i < t->count; i++)
		if (!network_parse(t->at[i], (*at)++))
			return err_set(e, ERR_CONFIG, "pop3: %.60s is no network", t->at[i]);
	return true;
}

/* The networks are one piece of memory, which begins with `except`. */
static bool limits_of(const struct pop3_settings *p, struct admission_limits *l, struct err *e)
{
	size_t count = p->except.count;
	struct network *all, *at;
	bool good;

	*l = (struct admission_limits){
		.max_sessions = p->max_sessions, .max_per_address = p->max_per_address, .max_per_user = p->max_per_user,
		.failed_delay_ms = p->failed_delay_ms, .failed_limit = p->failed_limit, .failed_block_ms = p->failed_block_ms,
		.login_delay_ms = p->login_delay_s < UINT32_MAX / MS ? p->login_delay_s * MS : UINT32_MAX,
		.deny_all_but = p->access == POP3_DENY, .overlong_denies = p->overlong == POP3_BLOCK,
	};
	for (size_t i = 0; i < p->listener_count; i++)
		count += p->listeners[i].trusted.count;
	all = at = calloc(count + 1, sizeof *all);
	if (!all)
		return err_set(e, ERR_LOCAL, "out of memory for the networks of pop3");
	good = read(&p->except, &at, e);
	l->except = all;
	l->except_count = p->except.count;
	l->never = at;
	l->never_count = count - p->except.count;
	for (size_t i = 0; good && i < p->listener_count; i++)
		good = read(&p->listeners[i].trusted, &at, e);
	if (!good)
		free(all);
	return good;
}

static void limits_end(struct admission_limits *l)
{
	free((void *)(uintptr_t)l->except);
}

struct admission *admission_new_configured(const struct pop3_settings *p, struct err *e)
{
	struct admission_limits l;
	struct admission *a;

	if (!limits_of(p, &l, e))
		return NULL;
	a = admission_new(&l, e);
	limits_end(&l);
	return a;
}

bool admission_reload_configured(struct admission *a, const struct pop3_settings *p, struct err *e)
{
	struct admission_limits l;
	bool good;

	if (!limits_of(p, &l, e))
		return false;
	good = admission_reload(a, &l, e);
	limits_end(&l);
	return good;
}
