/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings_pop3.h"

#include <arpa/inet.h>
#include <assert.h>

#include "config/build.h"
#include "config/path.h"

enum { CLEAR_PORT = 110, TLS_PORT = 995, AUTOLOGOUT_MS = 10 * 60 * 1000 };

/* --- certificate, keys, versions --- */

static bool served(const struct section *section, const char *key, uint32_t version, struct report *r)
{
	if (version != VERSION_TLS_1_0 && version != VERSION_TLS_1_1)
		return true;
	section_error(section, r, key, "TLSv1 and TLSv1.1 are not served; write TLSv1.2 or TLSv1.3");
	return false;
}

/* A path that was written and is wrong has had its error: nothing follows from there being none. */
static void forgive(const struct section *section, const char *key, const char **path)
{
	if (!*path && section_given(section, key))
		*path = "";
}

static void check_tls(struct pop3_settings *p, const struct section *section, struct report *r)
{
	static const char *const idle[] = { "ca_certificates", "tls" };

	forgive(section, "certificate", &p->certificate);
	forgive(section, "ca_certificates", &p->ca_certificates);
	if (p->key && !p->certificate)
		section_error(section, r, "key", "a key needs its certificate; write certificate as well");
	for (size_t n = 0; n < COUNT(idle); n++)
		if (!p->certificate && section_given(section, idle[n]))
			section_warning(section, r, idle[n], "there is no TLS without a certificate; it has no effect");
	if (served(section, "tls.min", p->tls.min, r) && served(section, "tls.max", p->tls.max, r) && p->tls.max && p->tls.min > p->tls.max)
		section_error(section, r, "tls.max", "min and max together leave no version of TLS; write for instance min = TLSv1.2 alone");
}

/* --- listeners --- */

static struct in6_addr canonical(const char *address)
{
	struct in6_addr octets = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (inet_pton(AF_INET, address, &octets.s6_addr[12]) != 1)
		(void)inet_pton(AF_INET6, address, &octets);
	return octets;
}

static bool same_place(const struct pop3_listener *a, const struct pop3_listener *b)
{
	struct in6_addr x = canonical(a->address), y = canonical(b->address);

	return a->port && a->port == b->port && memcmp(&x, &y, sizeof x) == 0;
}

static void check_proxy(const struct pop3_listener *l, const struct section *section, struct report *r)
{
	const struct given *trusted = section_given(section, "trusted");

	if (l->proxy == POP3_PROXY_OFF && l->trusted.count)
		section_warning(section, r, "trusted", "it is about proxies, and proxy_protocol is off; it has no effect");
	if (l->proxy != POP3_PROXY_OFF && (!trusted || !trusted->values.count))
		section_error(section, r, trusted ? "trusted" : "proxy_protocol",
			"nobody is trusted to say where a client comes from; write trusted = {\"192.0.2.1\"}, the proxies' addresses");
}

/* What TLS means beside the certificate; `section` is the listener's, or that of
 * pop3 when nobody wrote a listener. */
static void check_listener_tls(const struct pop3_settings *p, struct pop3_listener *l, const struct section *section, struct report *r)
{
	if (l->tls == POP3_TLS_IMPLICIT && !p->certificate)
		section_error(section, r, "tls", "implicit needs a certificate; write certificate = … into pop3, or tls = none");
	if (l->tls == POP3_TLS_IMPLICIT && l->allow_cleartext)
		section_warning(section, r, "allow_cleartext", "by implicit TLS every line is protected; it has no effect");
	if (l->tls != POP3_TLS_STARTTLS || p->certificate)
		return;
	l->tls = POP3_TLS_NONE;
	section_warning(section, r, section->title ? "tls" : NULL, "there is no certificate, so STLS is not offered%s",
		l->allow_cleartext ? "" : ", and clear-text passwords are refused");
}

/* Where it listens; port 0 when that was wrong, and so has had its error. */
static void place_listener(struct pop3_listener *l, const struct section *section)
{
	const struct given *address = section_given(section, "address"), *port = section_given(section, "port");

	if (address && strcmp(address->values.at[0], l->address) != 0)
		l->port = 0;
	else if (!port)
		l->port = l->tls == POP3_TLS_IMPLICIT ? TLS_PORT : CLEAR_PORT;
}

static void check_place(const struct pop3_listener *all, const struct pop3_listener *l, const struct section *section, struct report *r)
{
	const char *key = section_given(section, "port") ? "port" : section_given(section, "address") ? "address" : NULL;

	for (const struct pop3_listener *other = all; other < l; other++) {
		if (!same_place(l, other))
			continue;
		section_error(section, r, key, "listen %s at %s:%u has port %u of %s already; write another port or address", other->name,
			other->where.file, other->where.line, other->port, other->address);
		return;
	}
}

static void build_written(struct pop3_settings *p, struct pop3_listener *all, const struct section *section, struct report *r)
{
	struct pop3_listener *l = &all[p->listener_count++];
	struct err e;

	section_apply(section, listen_rows, l, r);
	l->name = section->title;
	l->where = section->where;
	if (!name_good(l->name, &e))
		section_error(section, r, NULL, "%s", e.text);
	place_listener(l, section);
	check_place(all, l, section, r);
	check_proxy(l, section, r);
	check_listener_tls(p, l, section, r);
}

static void build_listeners(struct settings *s, struct pop3_settings *p, const struct section *pop3, const struct section *written, size_t count, struct report *r)
{
	struct pop3_listener *all = arena_take(&s->arena, (count + 1) * sizeof *all);

	p->listeners = all;
	for (size_t n = 0; n < count; n++)
		build_written(p, all, &written[n], r);
	if (count)
		return;
	option_defaults(listen_rows, all, &s->arena);
	all->name = "default";
	all->where = p->where;
	all->port = CLEAR_PORT;
	check_listener_tls(p, all, pop3, r);
	p->listener_count = 1;
}

/* --- users --- */

static struct pop3_users users_of(struct arena *a, const char *file, const char *text)
{
	const char *rest = strchr(text, ':');

	if (!rest)
		return (struct pop3_users){ POP3_USERS_INTERNAL, NULL };
	if (span_starts(span_of(text), SPAN("passwd-file:")))
		return (struct pop3_users){ POP3_USERS_PASSWD_FILE, path_absolute(a, file, rest + 1) };
	return (struct pop3_users){ POP3_USERS_PAM, rest + 1 };
}

static bool has_users(const struct pop3_settings *p, enum pop3_users_kind kind)
{
	for (size_t n = 0; n < p->user_count; n++)
		if (p->users[n].kind == kind)
			return true;
	return false;
}

static bool same_users(const struct pop3_users *a, const struct pop3_users *b)
{
	return a->kind == b->kind && (a->kind == POP3_USERS_INTERNAL || strcmp(a->text, b->text) == 0);
}

static void build_users(struct settings *s, struct pop3_settings *p, const struct section *section, struct report *r)
{
	const struct texts *texts = &p->users_as_written;
	struct pop3_users *all = arena_take(&s->arena, texts->count * sizeof *all);

	p->users = all;
	for (size_t n = 0; n < texts->count; n++) {
		all[n] = users_of(&s->arena, section_where(section, "users").file, texts->at[n]);
		for (size_t before = 0; before < n; before++)
			if (same_users(&all[n], &all[before]))
				section_error(section, r, "users", "%s stands there twice; leave one of them out", texts->at[n]);
		if (n && all[n - 1].kind == POP3_USERS_PAM)
			section_error(section, r, "users", "%s is never asked: %s knows every name; write it last", texts->at[n], texts->at[n - 1]);
		if (all[n].kind == POP3_USERS_PAM && !POSTRIDER_PAM)
			section_warning(section, r, "users", "%s: this build has no PAM and does not run with it; leave it out, or build with -Dpam=enabled", texts->at[n]);
		p->user_count++;
	}
}

/* --- tokens --- */

static void check_oauth(const struct pop3_oauth *o, const struct section *section, struct report *r)
{
	if (!section_given(section, "oauth"))
		return;
	if (!section_given(section, "oauth.introspection_url"))
		section_error(section, r, "oauth", "nobody is there who could be asked about tokens; write introspection_url = \"https://HOST/PATH\" into it");
	if (o->client_secret.kind == SECRET_COMMAND)
		section_error(section, r, "oauth.client_secret", "it is read at the start and by a reload; write vault:NAME, file:PATH or credential:NAME");
	if (o->client_secret.kind != SECRET_NONE && !section_given(section, "oauth.client_id"))
		section_error(section, r, "oauth.client_secret", "it belongs to a client_id; write that as well");
}

/* --- mechanisms --- */

/* Why this one cannot work here; NULL when it can. */
static const char *hindrance(const struct pop3_settings *p, enum mechanism mechanism)
{
	switch (mechanism) {
	case MECHANISM_EXTERNAL:
		return p->certificate && p->ca_certificates ? NULL : "is about clients' certificates; write certificate and ca_certificates as well";
	case MECHANISM_SCRAM_SHA_256_PLUS:
	case MECHANISM_SCRAM_SHA_1_PLUS:
		if (!p->certificate)
			return "is bound to TLS; write certificate as well";
		[[fallthrough]];
	case MECHANISM_SCRAM_SHA_256:
	case MECHANISM_SCRAM_SHA_1:
		if (has_users(p, POP3_USERS_INTERNAL) || has_users(p, POP3_USERS_PASSWD_FILE))
			return NULL;
		return "needs the keys of its users; leave it out, or write internal or passwd-file:PATH into users";
	case MECHANISM_APOP:
		if (!p->apop)
			return "stands against apop = false; leave one of them out";
		[[fallthrough]];
	case MECHANISM_CRAM_MD5:
		if (has_users(p, POP3_USERS_INTERNAL) || has_users(p, POP3_USERS_PASSWD_FILE))
			return NULL;
		return "needs recoverable passwords; leave it out, or write internal or passwd-file:PATH into users";
	case MECHANISM_OAUTHBEARER:
	case MECHANISM_XOAUTH2:
		if (!p->oauth.introspection_url)
			return "needs somebody to be asked about tokens; write oauth { introspection_url = … } as well";
		if (has_users(p, POP3_USERS_INTERNAL) || has_users(p, POP3_USERS_PASSWD_FILE))
			return NULL;
		return "needs users that are known without a password; leave it out, or write internal or passwd-file:PATH into users";
	case MECHANISM_PLAIN:
	case MECHANISM_LOGIN:
	case MECHANISM_USER:
		return NULL;
	case MECHANISM_GSSAPI:
	case MECHANISM_DIGEST_MD5:
	case MECHANISM_NTLM:
	case MECHANISMS:
		break;
	}
	return "is not served; leave it out";
}

static void add_mechanism(struct pop3_settings *p, const char *text, uint32_t *seen, const struct section *section, struct report *r)
{
	const char *why;
	uint8_t m;
	struct err e;

	if (!value_mechanism(text, &m, &e)) {
		section_error(section, r, "mechanisms", "%s; write auto, or a list such as {\"scram-sha-256\", \"plain\"}", e.text);
		return;
	}
	why = hindrance(p, m);
	if (*seen & 1u << m)
		section_error(section, r, "mechanisms", "%s stands there twice; leave one of them out", value_mechanism_name(m));
	else if (why)
		section_error(section, r, "mechanisms", "%s %s", value_mechanism_name(m), why);
	else
		p->mechanisms |= 1u << m;
	*seen |= 1u << m;
}

static void build_mechanisms(struct pop3_settings *p, const struct section *section, struct report *r)
{
	const struct texts *texts = &p->mechanisms_as_written;
	bool automatic = !texts->count || (texts->count == 1 && strcmp(texts->at[0], "auto") == 0);
	uint32_t seen = 0;

	static_assert(MECHANISMS <= 32, "a bit for each mechanism");
	if (automatic)
		p->mechanisms_as_written.count = 0;
	for (uint8_t m = 0; automatic && m < MECHANISMS; m++)
		if (!hindrance(p, m))
			p->mechanisms |= 1u << m;
	for (size_t n = 0; n < texts->count; n++)
		add_mechanism(p, texts->at[n], &seen, section, r);
	if (section_given(section, "apop") && p->apop && !automatic && !(seen & 1u << MECHANISM_APOP))
		section_warning(section, r, "apop", "mechanisms is without it; it has no effect");
	if (p->oauth.introspection_url && !(p->mechanisms & (1u << MECHANISM_OAUTHBEARER | 1u << MECHANISM_XOAUTH2)))
		section_warning(section, r, "oauth", "%s; it has no effect", automatic ? "pam alone knows no user without a password" :
			"mechanisms is without oauthbearer and xoauth2");
}

/* --- the rest --- */

static void check_greeting(struct pop3_settings *p, const struct section *section, struct report *r)
{
	struct err e;

	if (!p->greeting)
		return;
	if (!value_text(p->greeting, POP3_GREETING_CHARACTERS, &e)) {
		section_warning(section, r, "greeting", "%s; the default greeting is used", e.text);
		p->greeting = NULL;
		return;
	}
	for (const char *c = p->greeting; *c; c++) {
		if (!(*c & 0x80))
			continue;
		section_warning(section, r, "greeting", "POP3 greets in ASCII; each octet of another character is shown as ?");
		break;
	}
}

static void check_sessions(const struct pop3_settings *p, const struct section *section, struct report *r)
{
	if (p->idle_timeout_ms < AUTOLOGOUT_MS)
		section_warning(section, r, "idle_timeout",
			"RFC 1939 says that such a timer MUST be of at least 10 minutes' duration; clients may rely on that");
	if (p->access == POP3_DENY && !p->except.count)
		section_warning(section, r, "access", "deny without except refuses everybody");
}

static void build_submission(struct settings *s, struct pop3_settings *p, const struct section *section, struct report *r)
{
	struct target *t;
	struct err e;

	if (!p->submission_as_written)
		return;
	if (!target_of(s, section_where(section, "submission").file, p->submission_as_written, &t, &e)) {
		section_error(section, r, "submission", "%s", e.text);
		return;
	}
	p->submission = t;
	if (!p->submission_limit)
		section_warning(section, r, "submission_limit", "0 is no message at all: nobody can submit");
}

void build_pop3(struct settings *s, const struct section *section, const struct section *listeners, size_t count, struct report *r)
{
	struct pop3_settings *p = arena_take(&s->arena, sizeof *p);

	s->pop3 = p;
	p->where = section->where;
	section_apply(section, pop3_rows, p, r);
	check_tls(p, section, r);
	build_listeners(s, p, section, listeners, count, r);
	build_users(s, p, section, r);
	p->oauth.where = section_where(section, "oauth");
	forgive(section, "oauth.introspection_url", &p->oauth.introspection_url);
	check_oauth(&p->oauth, section, r);
	build_mechanisms(p, section, r);
	check_greeting(p, section, r);
	check_sessions(p, section, r);
	build_submission(s, p, section, r);
	assert(p->listener_count && p->user_count && p->route_header);
}
