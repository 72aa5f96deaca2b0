/* SPDX-License-Identifier: Apache-2.0
 * postrider secret: the vault for passwords */
#include <stdio.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/say.h"
#include "main/secrets.h"
#include "store/recovery.h"
#include "wire/base64.h"

/* ---- set, remove */

static bool add_coded(json_t *args, const char *name, struct span octets)
{
	struct buf b;
	bool good;

	buf_start(&b, 4 * (octets.len + 2) / 3 + 8);
	good = buf_room(&b, b.max) && base64_encode(octets, &b) && json_object_set_new(args, name, json_stringn(b.at, b.len)) == 0;
	buf_wipe(&b);
	return good;
}

static bool add_value(json_t *args, struct span secret)
{
	json_t *text = json_octets(secret);

	return text ? json_object_set_new(args, "value", text) == 0 : add_coded(args, "value_base64", secret);
}

/* From file, command or terminal; the room for it was taken at once. */
static bool read_secret(struct cli *cli, const char *prompt, bool twice, size_t max, struct buf *secret, struct err *e)
{
	bool given;

	buf_start(secret, max);
	if (!buf_room(secret, max))
		return err_set(e, ERR_LOCAL, "out of memory");
	if (!ask_password(cli, prompt, twice, secret, &given, e))
		return false;
	return given || err_set(e, ERR_CONFIG, "there is no terminal to ask: use --password-file FILE or --password-command CMD");
}

static int set(struct cli *cli)
{
	json_t *args = over_args(cli, "secret", cli->args[1]);
	char prompt[VAULT_NAME_MAX + 32];
	struct buf secret;
	struct err e;
	bool good;

	if (!args)
		return EXIT_USAGE;
	(void)snprintf(prompt, sizeof prompt, "Secret for %.*s: ", VAULT_NAME_MAX, cli->args[1]);
	good = read_secret(cli, prompt, true, VAULT_SECRET_MAX, &secret, &e) &&
	       (secret.len || err_set(&e, ERR_CONFIG, "the secret is empty; postrider secret remove takes one away")) &&
	       (add_value(args, buf_span(&secret)) || err_set(&e, ERR_LOCAL, "out of memory"));
	buf_wipe(&secret);
	if (good)
		return over_do(cli, "secret.set", args, "secret %s set; use it as password = 'vault:%s'", cli->args[1], cli->args[1]);
	json_decref(args);
	return cli_failed(cli, &e);
}

static int remove_secret(struct cli *cli)
{
	return over_do(cli, "secret.remove", over_args(cli, "secret", cli->args[1]), "secret %s removed", cli->args[1]);
}

/* ---- list */

struct listing {
	struct cli *cli;
	json_t *seen;
	bool json;
};

static json_t *uses_of(const struct settings *s, const char *name)
{
	struct secret_use use;
	json_t *uses = json_array();
	char words[512];
	size_t n = 0;

	if (span_starts(span_of(name), SPAN(VAULT_TOKENS))) {
		(void)snprintf(words, sizeof words, "tokens of connection %.*s", VAULT_NAME_MAX, name + strlen(VAULT_TOKENS));
		(void)json_array_append_new(uses, json_text(words));
	}
	while (secret_use_next(s, &n, &use)) {
		if (strcmp(use.name, name) != 0)
			continue;
		(void)snprintf(words, sizeof words, "%s %s", use.kind, use.of);
		(void)json_array_append_new(uses, json_text(words));
	}
	return uses;
}

/* `set` is taken over; a null: it is only used. */
static void show(const struct listing *l, const char *name, json_t *when)
{
	json_t *uses = uses_of(&l->cli->settings, name), *one;
	size_t n;

	if (l->json) {
		json_print(json_pack("{s:o, s:o, s:o}", "secret", json_text(name), "set", when, "used_by", uses));
		return;
	}
	(void)printf("%s  %s%s", name, json_is_string(when) ? "set " : "not set", json_is_string(when) ? json_string_value(when) : "");
	json_array_foreach(uses, n, one)
		(void)printf("%s %s", n ? "," : "  used by", json_string_value(one));
	(void)puts(json_array_size(uses) ? "" : "  not used");
	json_decref(uses);
	json_decref(when);
}

static bool show_row(void *user, json_t *row)
{
	struct listing *l = user;
	const char *name = json_member_text(row, "secret");

	(void)json_object_set_new(l->seen, name, json_true());
	show(l, name, json_incref(json_object_get(row, "set")));
	return true;
}

static int list(struct cli *cli)
{
	struct listing l = { cli, json_object(), cli->json };
	struct secret_use use;
	struct err e;
	size_t n = 0;
	bool good = ask_rows(cli->ask, "secret.list", NULL, show_row, &l, &e);

	while (good && secret_use_next(&cli->settings, &n, &use)) {
		if (json_object_get(l.seen, use.name))
			continue;
		(void)json_object_set_new(l.seen, use.name, json_true());
		show(&l, use.name, json_null());
	}
	json_decref(l.seen);
	return good ? EXIT_GOOD : cli_failed(cli, &e);
}

/* ---- export, import */

static bool master(struct cli *cli, bool twice, const uint8_t salt[RECOVERY_SALT], uint8_t wrap[VAULT_WRAP], struct err *e)
{
	struct buf password;
	bool good = read_secret(cli, "Master password: ", twice, RECOVERY_PASSWORD_MAX, &password, e) && recovery_wrap(buf_span(&password), salt, wrap, e);

	buf_wipe(&password);
	return good;
}

static json_t *wrap_args(uint8_t wrap[VAULT_WRAP])
{
	json_t *args = json_object();
	bool good = add_coded(args, "wrap_base64", (struct span){ (const char *)wrap, VAULT_WRAP });

	wipe(wrap, VAULT_WRAP);
	if (good)
		return args;
	json_decref(args);
	return NULL;
}

static bool take_wrapped(const json_t *reply, uint8_t wrapped[VAULT_WRAPPED], struct err *e)
{
	struct buf b;

	buf_lend(&b, (char *)wrapped, VAULT_WRAPPED);
	return (base64_decode(span_of(json_member_text(reply, "wrapped_base64")), &b) && b.len == VAULT_WRAPPED) ||
	       err_set(e, ERR_PEER, "the running instance answered something else than a key");
}

static int export(struct cli *cli)
{
	uint8_t wrap[VAULT_WRAP];
	json_t *args, *reply;
	struct recovery r;
	struct err e;
	bool good;

	random_fill(r.salt, sizeof r.salt);
	if (!master(cli, true, r.salt, wrap, &e))
		return cli_failed(cli, &e);
	args = wrap_args(wrap);
	if (!args || !ask_call(cli->ask, "secret.export", args, &reply, &e))
		return args ? cli_failed(cli, &e) : EXIT_FAILED;
	good = take_wrapped(reply, r.wrapped, &e) && recovery_write(cli->args[1], &r, &e);
	json_decref(reply);
	if (!good)
		return cli_failed(cli, &e);
	if (!cli->quiet)
		(void)printf("%s opens this vault on any machine, with the master password; keep it apart from backups\n", cli->args[1]);
	return EXIT_GOOD;
}

static int import(struct cli *cli)
{
	uint8_t wrap[VAULT_WRAP];
	struct recovery r;
	struct err e;
	json_t *args;

	if (!recovery_read(cli->args[1], &r, &e) || !master(cli, false, r.salt, wrap, &e))
		return cli_failed(cli, &e);
	args = wrap_args(wrap);
	if (!args || !add_coded(args, "wrapped_base64", (struct span){ (const char *)r.wrapped, VAULT_WRAPPED })) {
		json_decref(args);
		return EXIT_FAILED;
	}
	return over_do(cli, "secret.import", args, "the vault's key is %s's now, for this machine", cli->args[1]);
}

static const struct verb verbs[] = {
	{ "export", 1, 1, "one file", export }, { "import", 1, 1, "one file", import }, { "list", 0, 0, "no name", list },
	{ "remove", 1, 1, "one name", remove_secret }, { "set", 1, 1, "one name", set }, { .name = NULL },
};

static int run(struct cli *cli)
{
	return over_verbs(cli, verbs, "set NAME, list, remove NAME, export FILE or import FILE");
}

const struct command cmd_secret = {
	.name = "secret", .usage = "set NAME | list | remove NAME | export FILE | import FILE", .run = run, .does = "the vault for passwords",
	.options = { { "password-file", true }, { "password-command", true }, { NULL, false } },
	.help = "A secret is used as password = 'vault:NAME'.  No command shows one; list tells names, when they were set, and\n"
		"what of the configuration uses them.  \"oauth:CONNECTION\" are the tokens of a connection.\n"
		"The key is state/vault.key, which opens on this machine alone, or with the credential postrider-vault of systemd\n"
		"(LoadCredential=) when there was one as it was made; it is in no backup.  For another machine: export writes it into a\n"
		"new file under a master password, import takes it from there, for the machine or credential that it finds.\n"
		"  --password-file FILE    the secret (export, import: the master password) is in FILE (- = standard input)\n"
		"  --password-command CMD  it is what CMD prints\n",
};
