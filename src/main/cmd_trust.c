/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/host.h"
#include "main/commands.h"
#include "main/json.h"
#include "net/certificate.h"
#include "store/trust.h"

enum { KNOWN_SHOWN = 5 };

struct offer {			/* an entry, and its chain as texts */
	struct trust_entry entry;
	struct arena arena;
	struct certificates chain;	/* count 0: it cannot be read */
};

static void offer_load(struct cli *cli, struct offer *o)
{
	struct buf pem;
	struct err e;

	text_clean(o->entry.name, strlen(o->entry.name));
	text_clean(o->entry.reason, strlen(o->entry.reason));
	buf_start(&pem, TRUST_CHAIN_MAX);
	if (!trust_chain(cli->store, o->entry.name, &pem, &e) || !certificates_read(&o->arena, buf_span(&pem), &o->chain, &e))
		o->chain.count = 0;
	buf_end(&pem);
}

static const char *when(int64_t moment, char out[MOMENT_TEXT])
{
	return moment == CERTIFICATE_NO_TIME ? "an unknown date" : moment_text(moment, out);
}

static json_t *when_json(int64_t moment)
{
	char text[MOMENT_TEXT];

	return moment == CERTIFICATE_NO_TIME ? json_null() : json_string(moment_text(moment, text));
}

static const char *state_name(enum trust_state state)
{
	switch (state) {
	case TRUST_OFFERED:
		return "offered";
	case TRUST_ACCEPTED:
		return "accepted";
	}
	return "?";
}

/* What list and show have in common. */
static json_t *entry_json(const struct trust_entry *entry)
{
	return json_pack("{s:o, s:I, s:s, s:o, s:o, s:I, s:o}", "host", json_text(entry->host), "port", (json_int_t)entry->port,
		"state", state_name(entry->state), "first_seen", when_json(entry->first_seen), "last_seen", when_json(entry->last_seen),
		"times", (json_int_t)entry->times, "reason", json_text(entry->reason));
}

static void list_json(const struct offer *o)
{
	const struct certificate *c = o->chain.list;
	json_t *row = entry_json(&o->entry);

	if (o->chain.count) {
		(void)json_object_set_new(row, "subject", json_text(c->subject));
		(void)json_object_set_new(row, "issuer", json_text(c->issuer));
		(void)json_object_set_new(row, "key_sha256", json_string(c->key_sha256));
	}
	json_print(row);
}

static void list_line(const struct offer *o)
{
	const struct trust_entry *entry = &o->entry;
	const struct certificate *c = o->chain.list;
	char last[MOMENT_TEXT];

	(void)printf("%s  %s  %u time%s", when(entry->last_seen, last), entry->name, entry->times, entry->times == 1 ? "" : "s");
	if (o->chain.count)
		(void)printf("  \"%s\"  issuer \"%s\"  key %s", c->subject, c->issuer, c->key_sha256);
	(void)printf("  %s: %s\n", state_name(entry->state), entry->reason);
}

static int list(struct cli *cli)
{
	struct trust_entry entry = { .name = "" };

	while (trust_each(cli->store, &entry)) {
		struct offer o = { .entry = entry };

		offer_load(cli, &o);
		if (cli->json)
			list_json(&o);
		else
			list_line(&o);
		arena_end(&o.arena);
	}
	return EXIT_GOOD;
}

static json_t *certificate_json(const struct certificate *c, bool pem, int64_t now)
{
	json_t *names = json_array();
	json_t *one;

	for (size_t i = 0; i < c->name_count; i++)
		(void)json_array_append_new(names, json_text(c->names[i]));
	one = json_pack("{s:o, s:o, s:o, s:I, s:b, s:o, s:o, s:o, s:b, s:o, s:I, s:o, s:o, s:b, s:b, s:s, s:s}",
		"subject", json_text(c->subject), "issuer", json_text(c->issuer), "names", names, "names_left", (json_int_t)c->names_left,
		"names_broken", c->names_broken, "serial", json_text(c->serial), "not_before", when_json(c->not_before),
		"not_after", when_json(c->not_after), "expired", certificate_expired(c, now), "key_type", json_text(c->key_type),
		"key_bits", (json_int_t)c->key_bits, "key_group", json_text(c->key_group), "signature", json_text(c->signature),
		"authority", c->authority, "self_issued", c->self_issued, "sha256", c->sha256, "key_sha256", c->key_sha256);
	if (pem && one)
		(void)json_object_set_new(one, "pem", json_string(c->pem));
	return one;
}

static void show_json(const struct offer *o, bool pem, int64_t now)
{
	json_t *row = entry_json(&o->entry), *chain = json_array();

	for (size_t i = 0; i < o->chain.count; i++)
		(void)json_array_append_new(chain, certificate_json(&o->chain.list[i], pem, now));
	(void)json_object_set_new(row, "certificates", chain);
	json_print(row);
}

static void show_names(const struct certificate *c)
{
	(void)printf("  names       ");
	for (size_t i = 0; i < c->name_count; i++)
		(void)printf("%s%s", i ? ", " : "", c->names[i]);
	if (c->names_left)
		(void)printf(" and %zu more", c->names_left);
	(void)printf("%s\n", c->names_broken ? "they cannot be read" : c->name_count ? "" : "none");
}

static void show_certificate(const struct certificate *c, bool pem, int64_t now)
{
	char from[MOMENT_TEXT], to[MOMENT_TEXT];

	(void)printf("  subject     %s\n", c->subject[0] ? c->subject : "none");
	(void)printf("  issuer      %s%s\n", c->issuer[0] ? c->issuer : "none", c->self_issued ? " (itself)" : "");
	show_names(c);
	(void)printf("  serial      %s\n", c->serial);
	(void)printf("  valid       from %s to %s%s%s\n", when(c->not_before, from), when(c->not_after, to),
		certificate_early(c, now) ? "  NOT YET VALID" : "", certificate_expired(c, now) ? "  EXPIRED" : "");
	(void)printf("  key         %s", c->key_type);
	if (c->key_bits)
		(void)printf(", %u bits", c->key_bits);
	(void)printf("%s%s\n", c->key_group[0] ? ", " : "", c->key_group);
	(void)printf("  signed by   %s%s\n", c->signature, c->authority ? "; may sign others" : "");
	(void)printf("  sha256      %s\n", c->sha256);
	(void)printf("  key sha256  %s\n", c->key_sha256);
	if (pem)
		(void)printf("%s", c->pem);
}

static void show_advice(const struct offer *o)
{
	(void)printf("\nNothing proves that this is the server's own: somebody on the way could have offered it.  Compare the key's\n"
		"sha256 with what the server's owner says, by another way.  Then, in the connection:\n"
		"  tls { pin = \"%s\" }\n"
		"      accepts this key alone, whatever names and dates its certificate has; or\n"
		"  tls { ca_certificates = \"FILE\" }\n"
		"      accepts what the authorities in FILE signed (PEM); names and dates must still be right.\n", o->chain.list[0].key_sha256);
}

static void show_text(const struct offer *o, bool pem, int64_t now)
{
	const struct trust_entry *entry = &o->entry;
	char first[MOMENT_TEXT], last[MOMENT_TEXT];

	(void)printf("%s: %s\n  %s\n  first seen %s, last seen %s, %u time%s\n", entry->name,
		entry->state == TRUST_ACCEPTED ? "accepted" : "not trusted", entry->reason, when(entry->first_seen, first),
		when(entry->last_seen, last), entry->times, entry->times == 1 ? "" : "s");
	if (!o->chain.count)
		(void)printf("\nwhat it offered cannot be read\n");
	for (size_t i = 0; i < o->chain.count; i++) {
		(void)printf("\ncertificate %zu of %zu%s\n", i + 1, o->chain.count, i ? "" : ": the server's");
		show_certificate(&o->chain.list[i], pem, now);
	}
	if (o->chain.count && entry->state == TRUST_OFFERED)
		show_advice(o);
}

/* "a.example:995, b.example:995 and 3 more": of this host if there are any, else of all. */
static int unknown(struct cli *cli, const char *host, const char *asked)
{
	char known[(KNOWN_SHOWN + 1) * (TRUST_NAME_MAX + 4)] = "";
	struct trust_entry entry = { .name = "" };
	size_t shown = 0, left = 0, ours = 0;
	struct buf out;

	while (trust_each(cli->store, &entry))
		ours += strcmp(entry.host, host) == 0;
	buf_lend(&out, known, sizeof known);
	for (entry.name[0] = '\0'; trust_each(cli->store, &entry);) {
		if (ours && strcmp(entry.host, host) != 0)
			continue;
		if (shown < KNOWN_SHOWN && buf_printf(&out, "%s%s", shown ? ", " : "", entry.name))
			shown++;
		else
			left++;
	}
	if (left)
		(void)!buf_printf(&out, " and %zu more", left);
	text_clean(known, strlen(known));
	(void)cli_usage(cli, "nothing that %s offered was refused; %s%s", asked, shown ? "known are " : "nothing is known of any server", known);
	return EXIT_FAILED;
}

static int show(struct cli *cli, const char *asked)
{
	struct trust_entry entry = { .name = "" };
	int64_t now = clock_now_s();
	const char *host;
	uint16_t port;
	size_t shown = 0;
	struct err e;

	if (!host_read(&cli->settings.arena, asked, &host, &port, &e))
		return cli_failed(cli, &e);
	while (trust_each(cli->store, &entry)) {
		struct offer o = { .entry = entry };

		if (strcmp(entry.host, host) != 0 || (port && entry.port != port))
			continue;
		offer_load(cli, &o);
		if (shown++ && !cli->json)
			(void)putchar('\n');
		if (cli->json)
			show_json(&o, cli_option(cli, "pem"), now);
		else
			show_text(&o, cli_option(cli, "pem"), now);
		arena_end(&o.arena);
	}
	return shown ? EXIT_GOOD : unknown(cli, host, host_text(&cli->settings.arena, host, port));
}

static int run(struct cli *cli)
{
	static const char *const later[] = { "accept", "revoke", "import" };
	const char *verb = cli->arg_count ? cli->args[0] : "";
	bool lists = strcmp(verb, "list") == 0;
	int status;

	for (size_t i = 0; i < COUNT(later); i++)
		if (strcmp(verb, later[i]) == 0)
			return cli_usage(cli, "%s is not built yet", verb);
	if (!lists && strcmp(verb, "show") != 0)
		return cli_usage(cli, "say list or show HOST[:PORT]");
	if (cli->arg_count != (lists ? 1u : 2u))
		return cli_usage(cli, "%s", lists ? "list takes no name" : "show takes one HOST or HOST:PORT");
	status = cli_settings(cli, false);
	if (status == EXIT_GOOD)
		status = cli_store(cli);
	if (status != EXIT_GOOD)
		return status;
	return lists ? list(cli) : show(cli, cli->args[1]);
}

const struct command cmd_trust = {
	.name = "trust", .usage = "list | show HOST[:PORT] [--pem]", .run = run, .does = "certificates that servers offered and that were not trusted",
	.options = { { "pem", false }, { NULL, false } },
	.help = "A visit that ends because of the server's certificate keeps what was offered: the last chain of each host\n"
		"and port, 1,000 of them at most.\n"
		"list: when it was seen last, where, how often, subject, issuer, the SHA-256 of the key (what tls.pin takes), why.\n"
		"show: every certificate of the chain, and what one can do.\n"
		"  --pem    the certificates themselves, too\n"
		"accept, revoke and import are not built yet.\n",
};
