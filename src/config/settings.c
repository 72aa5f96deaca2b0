/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <unistd.h>

#include "base/buf.h"
#include "config/build.h"
#include "config/path.h"
#include "config/read.h"
#include "config/settings_pop3.h"

static uint32_t cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 && n <= UINT16_MAX ? (uint32_t)n : 1;
}

void settings_none(struct settings *s)
{
	*s = (struct settings){ 0 };
	option_defaults(settings_rows, s, &s->arena);
	s->state = path_state(&s->arena);
	s->workers = cores();
}

void build_top(struct settings *s, const struct section *section, struct report *r)
{
	const struct given *to = section_given(section, "log.to");
	const char *state = s->state;
	uint32_t workers = s->workers;

	section_apply(section, settings_rows, s, r);
	if (!s->state)		/* one that does not change when root has become that user, and reads this again */
		s->state = s->run_as ? "/var/lib/postrider" : state;
	if (!s->workers)
		s->workers = workers;
	if (s->log_to && strcmp(s->log_to, "stderr") != 0)
		s->log_to = path_absolute(&s->arena, to->where.file, s->log_to);
	if (s->main_domain && strpbrk(s->main_domain, "@/ #~%"))
		section_error(section, r, "main_domain", "%.*s is no domain; write what stands behind the @", VALUE_SHOWN, s->main_domain);
	if (strcmp(s->store, "rados") == 0)
		section_warning(section, r, "store", "rados is not built yet; it has no effect");
}

static bool delivers_to(const struct connection *c, const struct target *t)
{
	for (size_t n = 0; n < c->deliver_count; n++)
		if (c->deliver[n] == t)
			return true;
	return false;
}

/* The first that delivers there and does not say who gets the mail; *users: how many deliver there. */
static const struct connection *without_envelope(const struct settings *s, const struct target *t, size_t *users)
{
	const struct connection *first = NULL;

	*users = 0;
	for (size_t n = 0; n < s->connection_count; n++) {
		if (!delivers_to(s->connections[n], t))
			continue;
		++*users;
		if (!first && !s->connections[n]->has_envelope)
			first = s->connections[n];
	}
	return first;
}

static void check_recipients(const struct settings *s, const struct target *t, struct report *r)
{
	bool submission = s->pop3 && s->pop3->submission == t;		/* that mail names its recipients */
	const struct connection *without;
	size_t users;

	if (!t->where.file || !target_needs_envelope(t) || t->has_envelope)
		return;
	without = without_envelope(s, t, &users);
	if (without)
		report_error(r, t->where, "target %s: it does not say who gets the mail of connection %s; write envelope { recipients = {\"…\"} } here or there", t->name, without->name);
	else if (!users && !submission)
		report_error(r, t->where, "target %s: it does not say who gets the mail; write envelope { recipients = {\"…\"} }", t->name);
}

void build_end(struct settings *s, struct report *r)
{
	for (size_t n = 0; n < s->target_count; n++)
		check_recipients(s, s->targets[n], r);
}

const struct connection *settings_connection(const struct settings *s, const char *name)
{
	for (size_t n = 0; n < s->connection_count; n++)
		if (strcmp(s->connections[n]->name, name) == 0)
			return s->connections[n];
	return NULL;
}

const struct target *settings_target(const struct settings *s, const char *name)
{
	for (size_t n = 0; n < s->target_count; n++)
		if (strcmp(s->targets[n]->name, name) == 0)
			return s->targets[n];
	return NULL;
}

static void wipe_secret(const struct secret *secret)
{
	if (secret->kind == SECRET_LITERAL && secret->text)
		wipe((char *)secret->text, strlen(secret->text));
}

void settings_end(struct settings *s)
{
	for (size_t n = 0; n < s->connection_count; n++) {
		wipe_secret(&s->connections[n]->password);
		wipe_secret(&s->connections[n]->oauth.client_secret);
	}
	if (s->pop3)
		wipe_secret(&s->pop3->oauth.client_secret);
	arena_end(&s->arena);
	*s = (struct settings){ 0 };
}
