/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/rules.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "pop3/server.h"
#include "sasl/client.h"
#include "serve/certificates.h"
#include "serve/networks.h"
#include "wire/proxy.h"

enum { HOST_MAX = 128 };		/* so that it fits into a stamp */
#define HOST_OCTETS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

/* What may be offered on a line: nothing that shows the password to whoever reads it,
 * unless that was allowed; what is bound to TLS, or to its certificates, under TLS. */
static uint32_t offered(uint32_t mechanisms, bool tls, bool cleartext)
{
	uint32_t out = 0;

	for (enum sasl_mech m = 0; m < SASL_MECHS; m++) {
		bool can = mechanisms & 1U << m;

		can = can && (tls || cleartext || !sasl_mech_clear(m));
		can = can && (tls || (!sasl_mech_plus(m) && m != SASL_EXTERNAL));
		out |= can ? 1U << m : 0;
	}
	return out;
}

static bool fill_door(struct rules *r, struct rules_door *d, const struct pop3_listener *l, const struct pop3_settings *p, struct err *e)
{
	struct networks trusted;
	struct span address = span_of(l->address);

	*d = (struct rules_door){ .rules = r, .port = l->port, .tls = l->tls };
	d->name = arena_text(&r->arena, span_of(l->name));
	d->address = arena_text(&r->arena, address);
	switch (l->proxy) {
	case POP3_PROXY_OFF:
		break;
	case POP3_PROXY_V1:
		d->proxy = PROXY_V1;
		break;
	case POP3_PROXY_V2:
		d->proxy = PROXY_V2;
		break;
	}
	d->mechs = offered(p->mechanisms, false, l->allow_cleartext);
	d->mechs_tls = offered(p->mechanisms, true, true);
	if (!networks_read(&r->arena, &l->trusted, &trusted, e))
		return false;
	d->trusted = trusted.at;
	d->trusted_count = trusted.count;
	return true;
}

static const char *host_name(struct arena *a)
{
	char name[HOST_MAX + 1] = "";

	if (gethostname(name, HOST_MAX) != 0 || !name[0])
		return "localhost";
	for (char *c = name + strspn(name, HOST_OCTETS); *c; c += strspn(c, HOST_OCTETS))
		*c = '-';
	return arena_text(a, span_of(name));
}

static bool copy(struct rules *r, const struct settings *settings, struct err *e)
{
	const struct pop3_settings *p = settings->pop3;
	struct rules_door *doors = arena_take(&r->arena, p->listener_count * sizeof *doors);
	const char *greeting = p->greeting ? p->greeting : p->hide_version ? "ready" : "Postrider " POSTRIDER_VERSION " ready";

	for (size_t n = 0; n < p->listener_count; n++)
		if (!fill_door(r, &doors[n], &p->listeners[n], p, e))
			return false;
	r->doors = doors;
	r->door_count = p->listener_count;
	r->host = host_name(&r->arena);
	r->implementation = p->hide_version ? NULL : arena_text(&r->arena, SPAN("Postrider-" POSTRIDER_VERSION));
	r->greeting = arena_text(&r->arena, (struct span){ greeting, strnlen(greeting, P3D_GREETING_MAX) });
	r->main_domain = settings->main_domain ? arena_text(&r->arena, span_of(settings->main_domain)) : NULL;
	r->submission_limit = p->submission_limit;
	r->submission_size = p->submission_size;
	if (p->submission) {
		r->submission = deliver_target_new(p->submission, e);
		if (!r->submission)
			return false;
	}
	r->idle_timeout_ms = p->idle_timeout_ms;
	r->login_timeout_ms = p->login_timeout_ms;
	r->login_delay_s = p->login_delay_s;
	r->exclusive = p->exclusive;
	r->after_retr_seen = p->after_retr_seen;
	r->uidl_dovecot = p->uidl == POP3_UIDL_DOVECOT;
	r->max_sessions = p->max_sessions;
	r->failed_limit = p->failed_limit;
	r->failed_block_ms = p->failed_block_ms;
	return true;
}

struct rules *rules_new(const struct settings *settings, struct tls_contexts *contexts, struct err *e)
{
	struct rules *r = calloc(1, sizeof *r);

	assert(settings->pop3);
	if (!r) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	atomic_init(&r->holders, 1);
	if (!certificates_get(contexts, settings->pop3, &r->tls, e) || !copy(r, settings, e))
		rules_put(&r);
	return r;
}

struct rules *rules_keep(struct rules *r)
{
	(void)atomic_fetch_add_explicit(&r->holders, 1, memory_order_relaxed);
	return r;
}

void rules_put(struct rules **rules)
{
	struct rules *r = *rules;

	*rules = NULL;
	if (!r || atomic_fetch_sub_explicit(&r->holders, 1, memory_order_acq_rel) != 1)
		return;
	deliver_target_put(&r->submission);
	if (r->tls)
		tls_server_put(&r->tls);
	arena_end(&r->arena);
	free(r);
}
