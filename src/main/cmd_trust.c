/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/text.h"
#include "config/host.h"
#include "main/commands.h"
#include "main/say.h"
#include "store/trust.h"

enum { KNOWN_SHOWN = 5 };

static const char *when(const json_t *row, const char *member)
{
	const char *text = json_member_text(row, member);

	return *text ? text : "an unknown date";
}

static const char *text(const json_t *row, const char *member)
{
	return json_member_text(row, member);
}

static unsigned number(const json_t *row, const char *member)
{
	return (unsigned)json_member_number(row, member);
}

/* HOST:PORT, an IPv6 address in brackets. */
static const char *name_of(const json_t *row, char out[TRUST_NAME_MAX + 1])
{
	const char *host = text(row, "host");
	bool six = strchr(host, ':');

	(void)snprintf(out, TRUST_NAME_MAX + 1, "%s%s%s:%u", six ? "[" : "", host, six ? "]" : "", number(row, "port"));
	text_clean(out, strlen(out));
	return out;
}

static void list_line(const json_t *row)
{
	char name[TRUST_NAME_MAX + 1];

	(void)printf("%s  %s  %u time%s", when(row, "last_seen"), name_of(row, name), number(row, "times"), number(row, "times") == 1 ? "" : "s");
	if (json_object_get(row, "key_sha256"))
		(void)printf("  \"%s\"  issuer \"%s\"  key %s", text(row, "subject"), text(row, "issuer"), text(row, "key_sha256"));
	(void)printf("  %s: %s\n", text(row, "state"), text(row, "reason"));
}

static void show_names(const json_t *c)
{
	const json_t *names = json_object_get(c, "names"), *one;
	size_t i;

	(void)printf("  names       ");
	json_array_foreach(names, i, one)
		(void)printf("%s%s", i ? ", " : "", json_string_value(one));
	if (number(c, "names_left"))
		(void)printf(" and %u more", number(c, "names_left"));
	(void)printf("%s\n", json_member_flag(c, "names_broken") ? "they cannot be read" : json_array_size(names) ? "" : "none");
}

static void show_certificate(const json_t *c)
{
	(void)printf("  subject     %s\n", *text(c, "subject") ? text(c, "subject") : "none");
	(void)printf("  issuer      %s%s\n", text(c, "issuer"), json_member_flag(c, "self_issued") ? " (itself)" : "");
	show_names(c);
	(void)printf("  serial      %s\n", text(c, "serial"));
	(void)printf("  valid       from %s to %s%s%s\n", when(c, "not_before"), when(c, "not_after"),
		json_member_flag(c, "early") ? "  NOT YET VALID" : "", json_member_flag(c, "expired") ? "  EXPIRED" : "");
	(void)printf("  key         %s", text(c, "key_type"));
	if (number(c, "key_bits"))
		(void)printf(", %u bits", number(c, "key_bits"));
	(void)printf("%s%s\n", *text(c, "key_group") ? ", " : "", text(c, "key_group"));
	(void)printf("  signed by   %s%s\n", text(c, "signature"), json_member_flag(c, "authority") ? "; may sign others" : "");
	(void)printf("  sha256      %s\n", text(c, "sha256"));
	(void)printf("  key sha256  %s\n", text(c, "key_sha256"));
	(void)printf("%s", text(c, "pem"));
}

static void show_advice(const json_t *first)
{
	(void)printf("\nNothing proves that this is the server's own: somebody on the way could have offered it.  Compare the key's\n"
		"sha256 with what the server's owner says, by another way.  Then, in the connection:\n"
		"  tls { pin = \"%s\" }\n"
		"      accepts this key alone, whatever names and dates its certificate has; or\n"
		"  tls { ca_certificates = \"FILE\" }\n"
		"      accepts what the authorities in FILE signed (PEM); names and dates must still be right.\n", text(first, "key_sha256"));
}

static void show_text(const json_t *row)
{
	const json_t *chain = json_object_get(row, "certificates"), *c;
	bool accepted = strcmp(text(row, "state"), "accepted") == 0;
	char name[TRUST_NAME_MAX + 1];
	size_t i;

	(void)printf("%s: %s\n  %s\n  first seen %s, last seen %s, %u time%s\n", name_of(row, name), accepted ? "accepted" : "not trusted",
		text(row, "reason"), when(row, "first_seen"), when(row, "last_seen"), number(row, "times"), number(row, "times") == 1 ? "" : "s");
	if (!json_array_size(chain))
		(void)printf("\nwhat it offered cannot be read\n");
	json_array_foreach(chain, i, c) {
		(void)printf("\ncertificate %zu of %zu%s\n", i + 1, json_array_size(chain), i ? "" : ": the server's");
		show_certificate(c);
	}
	if (json_array_size(chain) && !accepted)
		show_advice(json_array_get(chain, 0));
}

static int list(struct cli *cli)
{
	return over_list(cli, "trust.list", NULL, list_line);
}

struct known {
	const char *host;
	size_t ours, shown, left;	/* of this host; named in out, and not */
	struct buf out;
};

static bool count_ours(void *user, json_t *row)
{
	struct known *k = user;

	k->ours += strcmp(text(row, "host"), k->host) == 0;
	return true;
}

static bool name_one(void *user, json_t *row)
{
	struct known *k = user;
	char name[TRUST_NAME_MAX + 1];

	if (k->ours && strcmp(text(row, "host"), k->host) != 0)
		return true;
	if (k->shown < KNOWN_SHOWN && buf_printf(&k->out, "%s%s", k->shown ? ", " : "", name_of(row, name)))
		k->shown++;
	else
		k->left++;
	return true;
}

/* "a.example:995, b.example:995 and 3 more": of this host if there are any, else of all. */
static int unknown(struct cli *cli, const char *host, const char *asked)
{
	char names[(KNOWN_SHOWN + 1) * (TRUST_NAME_MAX + 4)] = "";
	struct known k = { .host = host };
	struct err e;

	buf_lend(&k.out, names, sizeof names);
	if (!ask_rows(cli->ask, "trust.list", NULL, count_ours, &k, &e) || !ask_rows(cli->ask, "trust.list", NULL, name_one, &k, &e))
		return cli_failed(cli, &e);
	if (k.left)
		(void)!buf_printf(&k.out, " and %zu more", k.left);
	(void)cli_usage(cli, "nothing that %s offered was refused; %s%s", asked, k.shown ? "known are " : "nothing is known of any server", names);
	return EXIT_FAILED;
}

struct showing {
	const struct cli *cli;
	size_t shown;
};

static bool show_row(void *user, json_t *row)
{
	struct showing *s = user;

	if (s->shown++ && !s->cli->json)
		(void)putchar('\n');
	if (s->cli->json)
		json_print(json_incref(row));
	else
		show_text(row);
	return true;
}

static int show(struct cli *cli)
{
	struct showing s = { .cli = cli };
	const char *host;
	uint16_t port;
	struct err e;
	json_t *args;

	if (!host_read(&cli->settings.arena, cli->args[1], &host, &port, &e))
		return cli_failed(cli, &e);
	args = json_pack("{s:s, s:i, s:b}", "host", host, "port", (int)port, "pem", cli_option(cli, "pem") != NULL);
	if (!args)
		return cli_usage(cli, "%s is not UTF-8", cli->args[1]);
	if (!ask_rows(cli->ask, "trust.show", args, show_row, &s, &e))
		return cli_failed(cli, &e);
	return s.shown ? EXIT_GOOD : unknown(cli, host, host_text(&cli->settings.arena, host, port));
}

static const struct verb verbs[] = {
	{ "list", 0, 0, "no name", list }, { "show", 1, 1, "one HOST or HOST:PORT", show }, { .name = NULL },
};

static int run(struct cli *cli)
{
	static const char *const later[] = { "accept", "revoke", "import" };

	for (size_t i = 0; i < COUNT(later) && cli->arg_count; i++)
		if (strcmp(cli->args[0], later[i]) == 0)
			return cli_usage(cli, "%s is not built yet", cli->args[0]);
	return over_verbs(cli, verbs, "list or show HOST[:PORT]");
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
