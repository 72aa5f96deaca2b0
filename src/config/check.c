/* SPDX-License-Identifier: Apache-2.0
 *
 * What one key of a connection means beside another. */

#include <stdio.h>

#include "config/build.h"
#include "config/host.h"
#include "config/versions.h"

enum { POP3_PORT = 110, POP3S_PORT = 995, IMAP_PORT = 143, IMAPS_PORT = 993 };

bool name_good(const char *name, struct err *e)
{
	struct err why;

	if (!name[0])
		return err_set(e, ERR_CONFIG, "the name is empty; write 1 to %d characters", SETTINGS_NAME_MAX);
	if (!value_text(name, SETTINGS_NAME_MAX, &why))
		return err_set(e, ERR_CONFIG, "the name: %s; write at most %d", why.text, SETTINGS_NAME_MAX);
	if (strpbrk(name, " '\"|"))
		return err_set(e, ERR_CONFIG, "the name has a blank, a quote or a |; write one without, such as support-inbox");
	return true;
}

static void check_host(struct settings *s, struct connection *c, const struct section *section, struct report *r)
{
	uint16_t port = 0;
	struct err e;

	if (!c->host)
		return;
	if (!host_read(&s->arena, c->host, &c->host, &port, &e))
		section_error(section, r, "host", "%s; write a name or an address, perhaps with :PORT", e.text);
	c->port_set = section_given(section, "port") || port;
	if (!section_given(section, "port"))
		c->port = port;
	if (c->port)
		return;
	if (c->protocol == PROTOCOL_IMAP)
		c->port = c->tls.mode == MODE_IMPLICIT ? IMAPS_PORT : IMAP_PORT;
	else
		c->port = c->tls.mode == MODE_IMPLICIT ? POP3S_PORT : POP3_PORT;
}

static bool is_old(uint32_t version)
{
	return version == VERSION_TLS_1_0 || version == VERSION_TLS_1_1;
}

static void check_versions(struct tls_keys *tls, const struct section *section, struct report *r)
{
	static const char *const bounds[] = { "tls.protocols", "tls.min", "tls.max" };
	const char *last = "tls";
	unsigned bits;
	struct err e;

	if (!versions_words(&tls->protocols, tls->legacy, &bits, &e)) {
		section_error(section, r, "tls.protocols", "%s; write TLSv1.2, TLSv1.3 or All, with + or - before them", e.text);
		return;
	}
	if (!tls->legacy && (is_old(tls->min) || is_old(tls->max))) {
		section_error(section, r, is_old(tls->max) ? "tls.max" : "tls.min",
			"TLSv1 and TLSv1.1 need tls.legacy = true; write TLSv1.2 or TLSv1.3");
		return;
	}
	tls->versions = versions_bounded(bits, tls->min, tls->max);
	for (size_t n = 0; n < COUNT(bounds); n++)
		if (section_given(section, bounds[n]))
			last = bounds[n];
	if (!tls->versions)
		section_error(section, r, last, "protocols, min and max together leave no version of TLS; write for instance min = TLSv1.2 alone");
}

void build_tls(struct tls_keys *tls, const struct section *section, struct report *r)
{
	tls->mode_set = section_given(section, "tls.mode");
	check_versions(tls, section, r);
	if (tls->key && !tls->certificate)
		section_error(section, r, "tls.key", "a key needs its certificate; write tls.certificate as well");
}

static bool holds(const struct connection *c, enum mechanism mechanism)
{
	return c->auth_count && memchr(c->auth, (int)mechanism, c->auth_count);
}

/* A ticket takes the place of a password where there is none, nor a certificate or a token. */
static bool has_means(const struct connection *c, uint8_t m, bool password)
{
	if (m == MECHANISM_EXTERNAL)
		return c->tls.certificate;
	if (m == MECHANISM_GSSAPI)
		return c->password.kind == SECRET_NONE && !c->tls.certificate && !c->has_oauth;
	return password && value_mechanism_token(m) == c->has_oauth;
}

/* auto: what is built and could work here, strongest first. */
static void list_auto(struct settings *s, struct connection *c, bool password)
{
	bool protected = c->tls.mode != MODE_NONE && c->tls.required;
	uint8_t *list = arena_take(&s->arena, MECHANISMS);

	for (uint8_t m = 0; m < MECHANISMS; m++) {
		if (!value_mechanism_built(m) || !has_means(c, m, password))
			continue;
		if (m == MECHANISM_APOP && !protected)	/* CVE-2007-1558: only who asks for it */
			continue;
		list[c->auth_count++] = m;
	}
	c->auth = list;
}

/* Every mechanism of the list does without. */
static bool all_keyless(const struct connection *c)
{
	for (size_t n = 0; n < c->auth_count; n++)
		if (!value_mechanism_keyless(c->auth[n]))
			return false;
	return c->auth_count > 0;
}

static void check_login(struct settings *s, struct connection *c, const struct section *section, struct report *r)
{
	bool external = holds(c, MECHANISM_EXTERNAL), no_password;

	for (size_t n = 0; n < c->auth_count; n++)
		if (!value_mechanism_built(c->auth[n]))
			section_warning(section, r, "auth", "%s is not built yet; it has no effect", value_mechanism_name(c->auth[n]));
	if (external && !c->tls.certificate)
		section_error(section, r, "auth", "external needs a client certificate; write tls.certificate as well");
	build_oauth(s, c, section, r);
	no_password = !c->has_oauth && c->password.kind == SECRET_NONE && (c->auth_auto ? c->tls.certificate != NULL : all_keyless(c));
	if (c->auth_auto)
		list_auto(s, c, !no_password);
	if (c->has_oauth)
		return;
	if (c->password.kind == SECRET_NONE && !section_given(section, "password") && !no_password)
		c->password.kind = SECRET_ASK;
}

static void check_after(struct connection *c, const struct section *section, struct report *r)
{
	bool pop3 = c->protocol == PROTOCOL_POP3;

	if (!section_given(section, "after"))
		c->after = pop3 && section->where.file ? AFTER_DELETE : AFTER_KEEP;
	if (pop3 && c->protocol_set && c->after == AFTER_MOVE)
		section_error(section, r, "after", "POP3 has no folders to move to; write delete or keep (move needs protocol = imap)");
	if (pop3 && c->after == AFTER_SEEN)
		c->after = AFTER_KEEP;
	if (c->delete_after_s && c->after != AFTER_KEEP)
		section_error(section, r, "delete_after", "it goes with mail that is kept; write after = keep as well");
}

/* Whom a bounce tells; every server takes mail for postmaster without a domain (RFC 5321 4.5.1). */
static void settle_postmaster(struct settings *s, struct connection *c)
{
	const char *domain = c->envelope.target_domain ? c->envelope.target_domain : s->main_domain;
	size_t size = domain ? strlen(domain) + sizeof "postmaster@" : 0;
	char *text = domain ? arena_take(&s->arena, size) : NULL;

	if (text)
		(void)snprintf(text, size, "postmaster@%s", domain);
	c->postmaster = text ? text : "postmaster";
}

/* A command that ends in a literal goes on: the server would wait for the rest (RFC 3501 section 4.3). */
static bool ends_in_literal(const char *text)
{
	const char *open = strrchr(text, '{');

	return open && open[1 + strspn(open + 1, "0123456789+-")] == '}' && !open[2 + strspn(open + 1, "0123456789+-")];
}

/* Out of a mailbox into itself; patterns leave the folder out. */
static void check_move(struct connection *c, const struct section *section, struct report *r)
{
	for (size_t n = 0; c->after == AFTER_MOVE && n < c->mailboxes.count; n++)
		if (strcmp(c->mailboxes.at[n], c->move_folder) == 0)
			section_error(section, r, "after", "it moves mail out of %s into itself; write another folder", c->move_folder);
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static void check_protocol(struct connection *c, const struct section *section, struct report *r)
{
	const struct given *g = section_given(section, "protocol");

	if (!g)
		section_error(section, r, NULL, "protocol is missing; write protocol = pop3 or imap");
	c->protocol_set = g && strcmp(g->values.at[0], c->protocol == PROTOCOL_POP3 ? "pop3" : "imap") == 0;
	if (c->protocol == PROTOCOL_POP3 && section_given(section, "mailbox"))
		section_warning(section, r, "mailbox", "POP3 has one mailbox without a name; it has no effect");
	if (c->protocol == PROTOCOL_POP3 && c->search)
		section_warning(section, r, "search", "POP3 cannot search; it has no effect");
	if (c->protocol == PROTOCOL_POP3 && c->idle)
		section_warning(section, r, "idle", "POP3 cannot idle; it has no effect");
	if (c->protocol == PROTOCOL_IMAP && c->search && !is_ascii(c->search))
		section_error(section, r, "search", "it has characters outside ASCII; write it with ASCII alone");
	if (c->protocol == PROTOCOL_IMAP && c->search && ends_in_literal(c->search))
		section_error(section, r, "search", "it ends in a literal; write a quoted string instead, such as SUBJECT \"offer\"");
	if (c->protocol == PROTOCOL_IMAP && c->use_top)
		section_error(section, r, "use_top", "TOP is a command of POP3; leave use_top out of a connection by imap");
}

/* Paths have one spelling here; links are found when the folder is opened. */
static bool one_place(const struct target *a, const struct target *b)
{
	return a != b && a->path && b->path && strcmp(a->path, b->path) == 0;
}

static void check_twice(const struct connection *c, const struct target *t, const char *written, const struct section *section, struct report *r)
{
	for (size_t before = 0; before < c->deliver_count; before++) {
		const struct target *other = c->deliver[before];

		if (other == t)
			section_error(section, r, "deliver", "%s stands there twice; leave one of them out", written);
		else if (one_place(other, t))
			section_error(section, r, "deliver", "%s and %s are the same place, %s; leave one of them out", other->name, t->name, t->path);
	}
}

static void check_deliver(struct settings *s, struct connection *c, const struct section *section, struct report *r)
{
	const struct given *g = section_given(section, "deliver");
	struct err e;

	c->deliver = arena_take(&s->arena, (c->deliver_to.count + 1) * sizeof *c->deliver);
	for (size_t n = 0; n < c->deliver_to.count; n++) {
		struct target *t;

		if (!target_of(s, g->where.file, c->deliver_to.at[n], &t, &e)) {
			section_error(section, r, "deliver", "%s", e.text);
			continue;
		}
		check_twice(c, t, c->deliver_to.at[n], section, r);
		if ((!t->where.file || !section->where.file) && target_needs_envelope(t) && !t->has_envelope && !c->has_envelope)	/* else build_end */
			section_error(section, r, "deliver", "%s does not say who gets the mail; write %s", t->name,
				section->where.file ? "envelope { recipients = {\"…\"} } into the connection" : "--envelope.recipients ADDRESS");
		c->deliver[c->deliver_count++] = t;
	}
	if (c->deliver_count > SETTINGS_DELIVER_MAX)
		section_error(section, r, "deliver", "%zu targets are too many; write at most %d", c->deliver_count, SETTINGS_DELIVER_MAX);
	if (!g && section->where.file)
		section_error(section, r, NULL, "deliver is missing; write deliver = {\"TARGET\"}, for instance \"maildir:/var/mail/anna\"");
}

static bool has_server(const struct connection *c)
{
	for (size_t n = 0; n < c->deliver_count; n++)
		if (c->deliver[n]->type == TARGET_SMTP || c->deliver[n]->type == TARGET_LMTP)
			return true;
	return false;
}

static void check_refused(const struct settings *s, const struct connection *c, const struct section *section, struct report *r)
{
	if (c->on_refused != REFUSED_RETURN)
		return;
	if (!has_server(c))
		section_warning(section, r, "on_refused", "nothing can be returned without an smtp or lmtp target in deliver; what is refused is quarantined");
	else if (!c->envelope.target_domain && !s->main_domain)
		section_warning(section, r, "on_refused", "returns go to postmaster without a domain; write main_domain, or envelope { target_domain = \"…\" }");
}

static void check_retries(const struct connection *c, const struct section *section, struct report *r)
{
	if (c->max_retries && !c->retry_interval_ms)
		section_warning(section, r, "max_retries", "without retry_interval it has no effect; write for instance retry_interval = 10s");
	if (c->retry_interval_ms && !c->max_retries)
		section_warning(section, r, "retry_interval", "without max_retries it has no effect; write for instance max_retries = 3");
}

/* The array doubles whenever its count is a power of two. */
static void add(struct settings *s, struct connection *c)
{
	size_t count = s->connection_count;

	if ((count & (count - 1)) == 0) {
		struct connection **all = arena_take(&s->arena, (count ? 2 * count : 1) * sizeof *all);

		if (count)
			memcpy(all, s->connections, count * sizeof *all);
		s->connections = all;
	}
	s->connections[s->connection_count++] = c;
}

struct connection *build_connection(struct settings *s, const struct section *section, struct report *r)
{
	struct connection *c = arena_take(&s->arena, sizeof *c);
	struct err e;

	section_apply(section, connection_rows, c, r);
	c->name = section->title;
	c->where = section->where;
	c->has_envelope = envelope_given(section);
	if (!name_good(c->name, &e))
		section_error(section, r, NULL, "%s", e.text);
	if (!section_given(section, "host"))
		section_error(section, r, NULL, "host is missing; write host = \"mail.example.org\"");
	if (c->active.count > SETTINGS_ACTIVE_MAX)
		section_error(section, r, "active", "%zu windows are too many; write at most %d", c->active.count, SETTINGS_ACTIVE_MAX);
	if (!section_given(section, "user"))
		section_error(section, r, NULL, "user is missing; write user = \"anna@example.org\"");
	build_envelope(s, section, &c->envelope, r);
	check_protocol(c, section, r);
	build_tls(&c->tls, section, r);
	check_host(s, c, section, r);
	check_login(s, c, section, r);
	check_after(c, section, r);
	check_move(c, section, r);
	check_deliver(s, c, section, r);
	settle_postmaster(s, c);
	check_refused(s, c, section, r);
	check_retries(c, section, r);
	add(s, c);
	return c;
}
