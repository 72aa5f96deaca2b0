/* SPDX-License-Identifier: Apache-2.0 */
#include "main/trust_change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "config/host.h"
#include "control/json.h"
#include "main/trust_view.h"
#include "net/certificate.h"
#include "store/trusted.h"

enum { FILE_MAX = 4 << 20, ANSWER_MAX = 16 };

static const struct span begins = SPAN("-----BEGIN CERTIFICATE-----"), ends = SPAN("-----END CERTIFICATE-----");

/* ---- accept */

struct accepting {
	struct cli *cli;
	const char *host;
	json_t *row;			/* the offer; NULL: none */
	size_t others;			/* at other ports */
	char names[4 * (TRUST_NAME_MAX + 3)];
	char name[TRUST_NAME_MAX + 1];
	const json_t *certificate;	/* that is chosen, */
	size_t number;			/* and which it is: from 1 */
	bool authority;
};

static bool take_row(void *user, json_t *row)
{
	struct accepting *a = user;
	size_t used = strlen(a->names);

	if (used + TRUST_NAME_MAX + 3 < sizeof a->names)
		(void)snprintf(a->names + used, sizeof a->names - used, "%s%s", used ? ", " : "", trust_name_of(row, a->name));
	if (a->row)
		a->others++;
	else
		a->row = json_incref(row);
	return true;
}

/* Which certificate of the chain is meant? */
static int choose(struct accepting *a)
{
	const char *asked = cli_option(a->cli, "authority");
	const json_t *chain = json_object_get(a->row, "certificates");
	uint64_t n = 1;

	(void)trust_name_of(a->row, a->name);
	a->authority = asked != NULL;
	if (asked && cli_option(a->cli, "leaf"))
		return cli_usage(a->cli, "--leaf and --authority exclude each other");
	if (!json_array_size(chain))
		return cli_usage(a->cli, "what %s offered cannot be read", a->name);
	if (asked && (!span_number(span_of(asked), UINT16_MAX, &n) || !n || n > json_array_size(chain)))
		return cli_usage(a->cli, "--authority is the number of a certificate of the chain, 1 to %zu: postrider trust show %s", json_array_size(chain), a->name);
	a->number = (size_t)n;
	a->certificate = json_array_get(chain, a->number - 1);
	if (asked && !json_member_flag(a->certificate, "authority"))
		return cli_usage(a->cli, "certificate %zu (%s) is no authority: it may not sign others", a->number, json_member_text(a->certificate, "subject"));
	return EXIT_GOOD;
}

/* Hex digits, colons between them allowed, are the same as these. */
static bool same_digest(const char *given, const char *digest)
{
	for (; *given; given++) {
		if (*given == ':')
			continue;
		if (!*digest || (*given >= 'A' && *given <= 'F' ? *given | 0x20 : *given) != *digest++)
			return false;
	}
	return !*digest;
}

static bool says_yes(void)
{
	char answer[ANSWER_MAX] = "";

	(void)fprintf(stderr, "Accept it? Type yes: ");
	return fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0;
}

/* What is accepted is what somebody saw: by its digest, or here. */
static int confirm(struct accepting *a)
{
	const char *key = cli_option(a->cli, "key"), *its = json_member_text(a->certificate, "key_sha256");
	char which[40] = "";

	if (a->authority)
		(void)snprintf(which, sizeof which, " --authority %zu", a->number);
	if (key && !same_digest(key, its) && !same_digest(key, json_member_text(a->certificate, "sha256"))) {
		(void)cli_usage(a->cli, "the key of certificate %zu that %s offered is another one: its SHA-256 is %s; nothing is accepted", a->number, a->name, its);
		return EXIT_FAILED;
	}
	if (key || cli_option(a->cli, "yes"))
		return EXIT_GOOD;
	if (!isatty(STDIN_FILENO))
		return cli_usage(a->cli, "there is no terminal to ask; compare the key's SHA-256 with what the server's owner says, then: "
			"postrider trust accept %s%s --key %s", a->name, which, its);
	(void)printf("%s: not trusted: %s\n\ncertificate %zu of %zu\n", a->name, json_member_text(a->row, "reason"), a->number,
		json_array_size(json_object_get(a->row, "certificates")));
	trust_certificate(a->certificate);
	(void)printf("\nNothing proves that this is the server's own.  Compare the key's sha256 with what its owner says.\n"
		"%s will be accepted at %s alone.\n", a->authority ? "What this authority signed, where names and dates are right," :
		"This key, whatever names and dates its certificate has,", a->name);
	(void)fflush(stdout);
	if (says_yes())
		return EXIT_GOOD;
	(void)cli_usage(a->cli, "nothing is accepted");
	return EXIT_FAILED;
}

static int accept_row(struct accepting *a)
{
	int status = choose(a);

	if (status == EXIT_GOOD)
		status = confirm(a);
	if (status != EXIT_GOOD)
		return status;
	return over_do(a->cli, "trust.accept", json_pack("{s:s, s:I, s:s, s:b, s:b}", "host", json_member_text(a->row, "host"),
		"port", (json_int_t)json_member_number(a->row, "port"), "sha256", json_member_text(a->certificate, "sha256"), "authority", a->authority,
		"beside", cli_option(a->cli, "beside") != NULL), a->authority ? "%s: what the authority with the key %s signed is accepted" :
		"%s: the key %s is accepted", a->name, json_member_text(a->certificate, "key_sha256"));
}

int trust_accept(struct cli *cli)
{
	struct accepting a = { .cli = cli };
	uint16_t port;
	int status;
	struct err e;

	if (!host_read(&cli->settings.arena, cli->args[1], &a.host, &port, &e))
		return cli_failed(cli, &e);
	if (!ask_rows(cli->ask, "trust.show", json_pack("{s:s, s:i}", "host", a.host, "port", (int)port), take_row, &a, &e))
		status = cli_failed(cli, &e);
	else if (!a.row)
		status = trust_unknown(cli, a.host, host_text(&cli->settings.arena, a.host, port));
	else if (a.others)
		status = cli_usage(cli, "say which: %s", a.names);
	else
		status = accept_row(&a);
	json_decref(a.row);
	return status;
}

/* ---- revoke */

struct revoking {
	const char *asked, *host;	/* host NULL: it is none */
	uint16_t port;
	size_t servers, imports;	/* entries of that name */
};

static bool count_row(void *user, json_t *row)
{
	struct revoking *r = user;
	const char *host = json_member_text(row, "host");

	if (!*host)
		r->imports += strcmp(json_member_text(row, "name"), r->asked) == 0;
	else if (r->host && strcmp(host, r->host) == 0 && (!r->port || r->port == json_member_number(row, "port")))
		r->servers++;
	return true;
}

static int ask_count(struct cli *cli, const char *op, json_t *args)
{
	json_t *reply;
	struct err e;
	size_t count;

	if (!args)
		return cli_usage(cli, "%s is not UTF-8", cli->args[1]);
	if (!ask_call(cli->ask, op, args, &reply, &e))
		return cli_failed(cli, &e);
	count = json_member_number(reply, "count");
	json_decref(reply);
	if (!count) {
		(void)cli_usage(cli, "nothing of %s is trusted; what is: postrider trust list", cli->args[1]);
		return EXIT_FAILED;
	}
	if (!cli->quiet)
		(void)printf("%s: %zu certificate%s no more trusted\n", cli->args[1], count, count == 1 ? " is" : "s are");
	return EXIT_GOOD;
}

static bool is_digest(const char *text)
{
	return strlen(text) == TRUSTED_SHA256 && strspn(text, "0123456789abcdefABCDEF") == TRUSTED_SHA256;
}

int trust_revoke(struct cli *cli)
{
	struct revoking r = { .asked = cli->args[1] };
	char digest[TRUSTED_SHA256 + 1];
	struct err e, no;

	if (is_digest(r.asked)) {
		for (size_t n = 0; n <= TRUSTED_SHA256; n++)
			digest[n] = r.asked[n] >= 'A' && r.asked[n] <= 'F' ? (char)(r.asked[n] | 0x20) : r.asked[n];
		return ask_count(cli, "trust.forget", json_pack("{s:s}", "sha256", digest));
	}
	if (!host_read(&cli->settings.arena, r.asked, &r.host, &r.port, &no))
		r.host = NULL;
	if (!ask_rows(cli->ask, "trust.trusted", NULL, count_row, &r, &e))
		return cli_failed(cli, &e);
	if (r.imports && r.servers)
		return cli_usage(cli, "%s is a server and the name of an import; say HOST:PORT, or the SHA-256 of the certificate", r.asked);
	if (r.imports)
		return ask_count(cli, "trust.forget", json_pack("{s:s}", "name", r.asked));
	if (!r.host)
		return cli_failed(cli, &no);
	return ask_count(cli, "trust.revoke", json_pack("{s:s, s:i}", "host", r.host, "port", (int)r.port));
}

/* ---- import */

static bool read_file(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char piece[4096];
	ssize_t n;

	if (fd < 0)
		return err_errno(e, ERR_CONFIG, "%s cannot be opened", path);
	while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0 && !buf_add(out, (struct span){ piece, (size_t)n })) {
			(void)close(fd);
			return err_set(e, ERR_CONFIG, "%s is too large", path);
		}
	}
	if (n < 0)
		(void)err_errno(e, ERR_CONFIG, "%s cannot be read", path);
	(void)close(fd);
	return n == 0;
}

static size_t find(struct span in, struct span what)
{
	const char *at = in.len ? memmem(in.at, in.len, what.at, what.len) : NULL;

	return at ? (size_t)(at - in.at) : in.len;
}

/* The next certificate of a PEM text; false: there is none. */
static bool next_block(struct span *rest, struct span *block)
{
	*rest = span_from(*rest, find(*rest, begins));
	*block = *rest;
	block->len = find(*rest, ends) + ends.len;
	if (!rest->len)
		return false;
	if (block->len > rest->len)
		block->len = rest->len;		/* without an end: it cannot be read */
	*rest = span_from(*rest, block->len);
	return true;
}

/* All of them can be read, and are authorities'. */
static bool check_all(struct span rest, const char *path, size_t *count, struct err *e)
{
	struct certificates one;
	struct span block;
	bool good = true;

	*count = 0;
	while (good && next_block(&rest, &block)) {
		struct arena a = { 0 };

		*count += 1;
		good = certificates_read(&a, block, &one, e) || err_in(e, "%s: certificate %zu", path, *count);
		if (good && !one.list[0].authority)
			good = err_set(e, ERR_CONFIG, "%s: certificate %zu (%.100s) is no authority: it may not sign others; a server's own is for trust accept",
				path, *count, one.list[0].subject);
		arena_end(&a);
	}
	if (good && !*count)
		return err_set(e, ERR_CONFIG, "%s has no certificate in PEM; another form is changed by: openssl x509 -inform DER", path);
	return good && (*count <= TRUSTED_MAX || err_set(e, ERR_CONFIG, "%s has more than %d certificates", path, TRUSTED_MAX));
}

/* As the file is called, without its folder and end. */
static const char *name_for(struct cli *cli, char name[TRUSTED_IMPORT_NAME_MAX + 1])
{
	const char *given = cli_option(cli, "name"), *base = strrchr(cli->args[1], '/'), *dot;
	size_t len;

	if (given)
		return given;
	base = base ? base + 1 : cli->args[1];
	dot = strrchr(base, '.');
	len = dot && dot > base ? (size_t)(dot - base) : strlen(base);
	len = len < TRUSTED_IMPORT_NAME_MAX ? len : TRUSTED_IMPORT_NAME_MAX;
	for (size_t n = 0; n < len; n++)
		name[n] = (base[n] >= '0' && base[n] <= '9') || ((base[n] | 0x20) >= 'a' && (base[n] | 0x20) <= 'z') || strchr(".-_", base[n]) ? base[n] : '-';
	name[len] = '\0';
	return name;
}

static bool send_all(struct cli *cli, struct span rest, const char *name, struct err *e)
{
	struct span block;
	json_t *reply;

	while (next_block(&rest, &block)) {
		if (!ask_call(cli->ask, "trust.import", json_pack("{s:s, s:s%}", "name", name, "pem", block.at, block.len), &reply, e))
			return false;
		json_decref(reply);
	}
	return true;
}

int trust_import(struct cli *cli)
{
	char made[TRUSTED_IMPORT_NAME_MAX + 1];
	const char *name = name_for(cli, made);
	struct buf file;
	struct err e;
	size_t count;
	bool good;

	buf_start(&file, FILE_MAX);
	good = read_file(cli->args[1], &file, &e) && check_all(buf_span(&file), cli->args[1], &count, &e) && send_all(cli, buf_span(&file), name, &e);
	buf_end(&file);
	if (!good)
		return cli_failed(cli, &e);
	if (!cli->quiet)
		(void)printf("%s: %zu authorit%s imported, for all connections without tls.ca_certificates of their own\n", name, count, count == 1 ? "y" : "ies");
	return EXIT_GOOD;
}
