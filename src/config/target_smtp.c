/* SPDX-License-Identifier: Apache-2.0
 *
 * Targets of the types smtp and lmtp: where the server is, TLS, and the login. */
#include "config/build.h"
#include "config/host.h"
#include "config/versions.h"

enum { SMTP_PORT = 25, SMTPS_PORT = 465 };

static const char *joined(struct arena *a, struct span prefix, const char *rest)
{
	size_t size = prefix.len + strlen(rest) + 1;
	char *text = arena_take(a, size);

	memcpy(text, prefix.at, prefix.len);
	memcpy(text + prefix.len, rest, size - prefix.len);
	return text;
}

static void default_port(struct target *t)
{
	if (!t->port)
		t->port = t->tls.mode == MODE_IMPLICIT ? SMTPS_PORT : SMTP_PORT;
}

/* Nobody has said how: clear text (lmtp://), TLS as it can be had (smtp://), or TLS (smtps://). */
bool target_smtp(struct arena *a, struct span prefix, const char *rest, struct target *t, struct err *e)
{
	enum target_type type = t->type;
	unsigned bits = 0;

	option_defaults(target_rows, t, a);
	t->type = type;
	t->tls.mode = type == TARGET_LMTP ? MODE_NONE : span_starts(prefix, SPAN("smtps://")) ? MODE_IMPLICIT : MODE_EXPLICIT;
	t->tls.required = t->tls.verify_server = t->tls.verify_host = t->tls.mode == MODE_IMPLICIT;
	t->host = NULL;
	if (!versions_words(&t->tls.protocols, false, &bits, e))
		return false;
	t->tls.versions = versions_bounded(bits, t->tls.min, t->tls.max);
	if (type == TARGET_LMTP && !span_starts(prefix, SPAN("lmtp://"))) {
		t->host = joined(a, SPAN("/"), rest);
		t->canonical = joined(a, prefix, rest);
		return true;
	}
	if (!host_read(a, rest, &t->host, &t->port, e))
		return false;
	if (type == TARGET_LMTP && !t->port)
		return err_set(e, ERR_CONFIG, "lmtp://%.*s has no port; write lmtp://HOST:PORT", VALUE_SHOWN, rest);
	t->canonical = joined(a, prefix, host_text(a, t->host, t->port));
	default_port(t);
	return true;
}

/* ---- sections */

/* A Unix socket is its path: nobody listens in, and nobody but this machine can be at its end. */
static void build_socket(struct settings *s, const struct section *section, struct target *t, struct report *r)
{
	if (t->port)
		section_error(section, r, "port", "a socket has none; leave it out");
	if (t->tls.mode != MODE_NONE)
		section_error(section, r, "tls.mode", "a socket of this machine has no TLS; leave it out");
	t->canonical = joined(&s->arena, SPAN("lmtp:"), t->host);
}

static void build_host(struct settings *s, const struct section *section, struct target *t, struct report *r)
{
	struct span prefix = t->type == TARGET_LMTP ? SPAN("lmtp://") : t->tls.mode == MODE_IMPLICIT ? SPAN("smtps://") : SPAN("smtp://");
	const char *written = t->host;
	uint16_t own;
	struct err e;

	if (!written)
		return;
	if (t->type == TARGET_LMTP && written[0] == '/') {
		build_socket(s, section, t, r);
		return;
	}
	t->host = NULL;
	if (!host_read(&s->arena, written, &t->host, &own, &e)) {
		section_error(section, r, "host", "%s; write a name or an address", e.text);
		return;
	}
	if (!t->port)
		t->port = own;
	if (t->type == TARGET_LMTP && !t->port)
		section_error(section, r, NULL, "port is missing; write port = … (LMTP has none of its own)");
	t->canonical = joined(&s->arena, prefix, host_text(&s->arena, t->host, t->port));
	default_port(t);
}

static void list_auto(struct settings *s, struct target *t)
{
	uint8_t *list = arena_take(&s->arena, MECHANISMS);

	for (uint8_t m = 0; m < MECHANISMS; m++)
		if (value_mechanism_built(m) && !value_mechanism_token(m) && !value_mechanism_keyless(m) && m != MECHANISM_APOP && m != MECHANISM_USER)
			list[t->auth.auth_count++] = m;
	t->auth.auth = list;
}

static void check_mechanisms(const struct section *section, const struct target *t, struct report *r)
{
	for (size_t n = 0; n < t->auth.auth_count; n++) {
		if (t->auth.auth[n] == MECHANISM_APOP || t->auth.auth[n] == MECHANISM_USER)
			section_error(section, r, "auth", "%s is a login of POP3; leave it out", value_mechanism_name(t->auth.auth[n]));
		else if (!value_mechanism_built(t->auth.auth[n]))
			section_warning(section, r, "auth", "%s is not built yet; it has no effect", value_mechanism_name(t->auth.auth[n]));
		else if (value_mechanism_token(t->auth.auth[n]))
			section_warning(section, r, "auth", "%s is not built yet for targets; it has no effect", value_mechanism_name(t->auth.auth[n]));
	}
}

/* No token is to be had for a target: its password must not be sent as one. */
static void drop_tokens(struct settings *s, struct target *t)
{
	uint8_t *list = arena_take(&s->arena, MECHANISMS);
	size_t count = 0;

	for (size_t n = 0; n < t->auth.auth_count; n++)
		if (!value_mechanism_token(t->auth.auth[n]) && count < MECHANISMS)
			list[count++] = t->auth.auth[n];
	t->auth.auth = list;
	t->auth.auth_count = count;
}

/* Every mechanism of the list does without a password. */
static bool all_keyless(const struct target *t)
{
	for (size_t n = 0; n < t->auth.auth_count; n++)
		if (!value_mechanism_keyless(t->auth.auth[n]))
			return false;
	return t->auth.auth_count > 0;
}

/* No user: no login, but for one by the certificate alone. */
static void build_login(struct settings *s, const struct section *section, struct target *t, struct report *r)
{
	bool external = t->auth.auth_count && memchr(t->auth.auth, MECHANISM_EXTERNAL, t->auth.auth_count);
	bool alone = external && t->auth.auth_count == 1;

	check_mechanisms(section, t, r);
	drop_tokens(s, t);
	if (external && !t->tls.certificate)
		section_error(section, r, "auth", "external needs a client certificate; write tls.certificate as well");
	if (t->user && t->password.kind == SECRET_NONE && !section_given(section, "password") && !all_keyless(t))
		section_error(section, r, "user", "it has no password; write password = 'file:PATH' or 'command:CMD'");
	if (!t->user && section_given(section, "password"))
		section_error(section, r, "password", "it is nobody's; write user = … as well");
	if (!t->user && !t->auth.auth_auto && !alone)
		section_error(section, r, "auth", "there is nobody to log in; write user = … as well");
	if (t->auth.auth_auto && t->user)
		list_auto(s, t);
}

void build_smtp(struct settings *s, const struct section *section, struct target *t, struct report *r)
{
	build_tls(&t->tls, section, r);
	if (!t->tls.mode_set)
		t->tls.mode = t->type == TARGET_LMTP ? MODE_NONE : MODE_EXPLICIT;
	build_host(s, section, t, r);
	build_login(s, section, t, r);
}
