/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "config/host.h"
#include "main/commands.h"
#include "main/say.h"
#include "main/trust_change.h"
#include "main/trust_view.h"

enum { KNOWN_SHOWN = 5 };

static int list(struct cli *cli)
{
	int status = over_list(cli, "trust.trusted", NULL, trusted_line);

	return status == EXIT_GOOD ? over_list(cli, "trust.list", NULL, trust_line) : status;
}

struct known {
	const char *host;
	size_t ours, shown, left;	/* of this host; named in out, and not */
	struct buf out;
};

static bool count_ours(void *user, json_t *row)
{
	struct known *k = user;

	k->ours += strcmp(json_member_text(row, "host"), k->host) == 0;
	return true;
}

static bool name_one(void *user, json_t *row)
{
	struct known *k = user;
	char name[TRUST_NAME_MAX + 1];

	if (k->ours && strcmp(json_member_text(row, "host"), k->host) != 0)
		return true;
	if (k->shown < KNOWN_SHOWN && buf_printf(&k->out, "%s%s", k->shown ? ", " : "", trust_name_of(row, name)))
		k->shown++;
	else
		k->left++;
	return true;
}

/* "a.example:995, b.example:995 and 3 more": of this host if there are any, else of all. */
int trust_unknown(struct cli *cli, const char *host, const char *asked)
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
	const char *host, *asked;	/* host "": `asked` is no host, but may be what an import is called */
	uint16_t port;
	size_t shown;
};

static void show_one(struct showing *s, json_t *row, void (*print)(const json_t *row))
{
	if (s->shown++ && !s->cli->json)
		(void)putchar('\n');
	if (s->cli->json)
		json_print(json_incref(row));
	else
		print(row);
}

static bool show_offered(void *user, json_t *row)
{
	show_one(user, row, trust_text);
	return true;
}

static bool show_trusted(void *user, json_t *row)
{
	struct showing *s = user;
	const char *host = json_member_text(row, "host");
	bool its = *host ? strcmp(host, s->host) == 0 && (!s->port || s->port == json_member_number(row, "port")) : strcmp(json_member_text(row, "name"), s->asked) == 0;

	if (its)
		show_one(s, row, trusted_text);
	return true;
}

static int show(struct cli *cli)
{
	struct showing s = { .cli = cli, .asked = cli->args[1], .host = "" };
	bool pem = cli_option(cli, "pem") != NULL, is_host;
	json_t *args = json_pack("{s:b}", "pem", pem);
	struct err e, no;

	is_host = host_read(&cli->settings.arena, cli->args[1], &s.host, &s.port, &no);
	if (!is_host)
		s.host = "";
	if (!ask_rows(cli->ask, "trust.trusted", args, show_trusted, &s, &e))
		return cli_failed(cli, &e);
	if (!is_host)
		return s.shown ? EXIT_GOOD : cli_failed(cli, &no);
	args = json_pack("{s:s, s:i, s:b}", "host", s.host, "port", (int)s.port, "pem", pem);
	if (!args)
		return cli_usage(cli, "%s is not UTF-8", cli->args[1]);
	if (!ask_rows(cli->ask, "trust.show", args, show_offered, &s, &e))
		return cli_failed(cli, &e);
	return s.shown ? EXIT_GOOD : trust_unknown(cli, s.host, host_text(&cli->settings.arena, s.host, s.port));
}

static const struct verb verbs[] = {
	{ "accept", 1, 1, "one HOST or HOST:PORT", trust_accept }, { "import", 1, 1, "one file", trust_import }, { "list", 0, 0, "no name", list },
	{ "revoke", 1, 1, "one HOST or HOST:PORT, a name of an import, or a SHA-256", trust_revoke }, { "show", 1, 1, "one HOST or HOST:PORT", show },
	{ .name = NULL },
};

static int run(struct cli *cli)
{
	return over_verbs(cli, verbs, "list, show HOST[:PORT], accept HOST[:PORT], revoke HOST[:PORT], or import FILE");
}

const struct command cmd_trust = {
	.name = "trust", .usage = "list | show HOST[:PORT] | accept HOST[:PORT] | revoke HOST[:PORT]|NAME|SHA256 | import FILE", .run = run,
	.does = "certificates that servers offered and that were not trusted, and those that are",
	.options = { { "pem", false }, { "leaf", false }, { "authority", true }, { "key", true }, { "yes", false }, { "beside", false }, { "name", true }, { NULL, false } },
	.help = "A visit or test that ends because of the server's certificate keeps what was offered: the last chain of each host\n"
		"and port, 1,000 of them at most.\n"
		"list: what is trusted, and of what was offered when it was seen last, where, how often, subject, issuer, the SHA-256\n"
		"of the key (what tls.pin takes), why.\n"
		"show: every certificate of the chain, and what one can do.\n"
		"  --pem           the certificates themselves, too\n"
		"accept: the server's own certificate, at that host and port alone: its key, whatever names and dates it has.\n"
		"  --authority N   instead, what certificate N of the chain signs: names, dates and revocation must still be right\n"
		"  --leaf          the server's own (as without --authority)\n"
		"  --key SHA256    it is accepted only if its key (or itself) has this SHA-256; else the terminal is asked\n"
		"  --yes           it is accepted unseen\n"
		"  --beside        what was accepted there before stays accepted, too (servers with several certificates)\n"
		"import: the authorities in FILE (PEM) are known for all connections without tls.ca_certificates of their own.\n"
		"  --name NAME     what they are called (else: as the file is)\n"
		"revoke: takes that back; visits under way to that server end, and the next one is judged without it.\n"
		"With tls.pin in a connection nothing of this counts there.\n",
};
