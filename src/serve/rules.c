/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/rules.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "pop3/server.h"
#include "wire/proxy.h"

enum { HOST_MAX = 128 };		/* so that it fits into a stamp */
#define HOST_OCTETS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

static const struct network *networks(struct arena *a, const struct texts *texts)
{
	struct network *all = arena_take(a, (texts->count + 1) * sizeof *all);

	for (size_t n = 0; n < texts->count; n++)
		if (!network_parse(texts->at[n], &all[n]))
			assert(!"the settings' networks are well-formed");
	return all;
}

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

static void fill_door(struct rules *r, struct rules_door *d, const struct pop3_listener *l, const struct pop3_settings *p)
{
	struct span address = span_of(l->address);

	*d = (struct rules_door){ .rules = r, .port = l->port, .tls = l->tls, .trusted_count = l->trusted.count };
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
	d->trusted = networks(&r->arena, &l->trusted);
	d->mechs = offered(p->mechanisms, false, l->allow_cleartext);
	d->mechs_tls = offered(p->mechanisms, true, true);
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

static void copy(struct rules *r, const struct settings *settings)
{
	const struct pop3_settings *p = settings->pop3;
	struct rules_door *doors = arena_take(&r->arena, p->listener_count * sizeof *doors);
	const char *greeting = p->greeting ? p->greeting : p->hide_version ? "ready" : "Postrider " POSTRIDER_VERSION " ready";
	struct network *never;
	size_t trusted = 0;

	for (size_t n = 0; n < p->listener_count; n++) {
		fill_door(r, &doors[n], &p->listeners[n], p);
		trusted += doors[n].trusted_count;
	}
	never = arena_take(&r->arena, (trusted + 1) * sizeof *never);
	trusted = 0;
	for (size_t n = 0; n < p->listener_count; n++)
		for (size_t i = 0; i < doors[n].trusted_count; i++)
			never[trusted++] = doors[n].trusted[i];
	r->doors = doors;
	r->door_count = p->listener_count;
	r->host = host_name(&r->arena);
	r->implementation = p->hide_version ? NULL : arena_text(&r->arena, SPAN("Postrider-" POSTRIDER_VERSION));
	r->greeting = arena_text(&r->arena, (struct span){ greeting, strnlen(greeting, P3D_GREETING_MAX) });
	r->main_domain = settings->main_domain ? arena_text(&r->arena, span_of(settings->main_domain)) : NULL;
	r->idle_timeout_ms = p->idle_timeout_ms;
	r->login_timeout_ms = p->login_timeout_ms;
	r->login_delay_s = p->login_delay_s;
	r->exclusive = p->exclusive;
	r->after_retr_seen = p->after_retr_seen;
	r->limits = (struct admission_limits){
		.max_sessions = p->max_sessions, .max_per_address = p->max_per_address, .max_per_user = p->max_per_user,
		.failed_delay_ms = p->failed_delay_ms, .failed_limit = p->failed_limit, .failed_block_ms = p->failed_block_ms,
		.login_delay_ms = p->login_delay_s * 1000, .deny_all_but = p->access == POP3_DENY, .overlong_denies = p->overlong == POP3_BLOCK,
		.except = networks(&r->arena, &p->except), .except_count = p->except.count, .never = never, .never_count = trusted,
	};
}

static bool get_tls(struct rules *r, const struct pop3_settings *p, struct tls_contexts *contexts, struct err *e)
{
	const struct tls_server_settings s = {
		.min = (enum tls_version)p->tls.min, .max = (enum tls_version)p->tls.max, .ciphers = p->tls.ciphers,
		.ciphersuites = p->tls.ciphersuites, .certificate = p->certificate, .key = p->key,
		.ca_certificates = p->ca_certificates, .alpn = "pop3",
	};

	if (!p->certificate)
		return true;
	r->tls = tls_server_get(contexts, &s, e);
	return r->tls || err_in(e, "%s:%u", p->where.file ? p->where.file : "configuration", p->where.line);
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
	if (!get_tls(r, settings->pop3, contexts, e)) {
		rules_put(&r);
		return NULL;
	}
	copy(r, settings);
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
	if (r->tls)
		tls_server_put(&r->tls);
	arena_end(&r->arena);
	free(r);
}
