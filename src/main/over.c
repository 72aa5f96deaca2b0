/* SPDX-License-Identifier: Apache-2.0
 * Commands over the API, wherever the store is. */
#include <stdarg.h>
#include <stdio.h>

#include "main/cli.h"
#include "main/say.h"

int over_open(struct cli *cli)
{
	int status = cli_settings(cli, false);
	char what[64];
	struct err e;

	if (status != EXIT_GOOD)
		return status;
	if (strcmp(cli->settings.store, "lmdb") != 0)
		return cli_usage(cli, "store = %s is not built yet; only lmdb is", cli->settings.store);
	(void)snprintf(what, sizeof what, "postrider %s", cli->command->name);
	if (ask_open(&(struct ask_with){ .state = cli->settings.state, .store_map = cli->settings.store_map,
		.main_domain = cli->settings.main_domain, .maildirs = cli_maildirs(cli), .what = what }, &cli->ask, &e) &&
	    (!ask_store(cli->ask) || cli_route_header(&cli->settings, ask_store(cli->ask), &e)))
		return EXIT_GOOD;
	return cli_failed(cli, &e);
}

int over_verbs(struct cli *cli, const struct verb *verbs, const char *says)
{
	const char *given = cli->arg_count ? cli->args[0] : "";
	int status;

	while (verbs->name && strcmp(verbs->name, given) != 0)
		verbs++;
	if (!verbs->name)
		return cli_usage(cli, "say %s", says);
	if (cli->arg_count - 1 < verbs->least || cli->arg_count - 1 > verbs->most)
		return cli_usage(cli, "%s takes %s", verbs->name, verbs->takes);
	status = over_open(cli);
	return status == EXIT_GOOD ? verbs->run(cli) : status;
}

int over_do(struct cli *cli, const char *op, json_t *args, const char *format, ...)
{
	json_t *reply;
	struct err e;
	va_list words;

	if (!args)
		return EXIT_USAGE;
	if (!ask_call(cli->ask, op, args, &reply, &e))
		return cli_failed(cli, &e);
	json_decref(reply);
	if (cli->quiet)
		return EXIT_GOOD;
	va_start(words, format);
	(void)vprintf(format, words);
	va_end(words);
	(void)putchar('\n');
	return EXIT_GOOD;
}

struct printing {
	const struct cli *cli;
	void (*print)(const json_t *row);
};

static bool print_row(void *user, json_t *row)
{
	const struct printing *p = user;

	if (p->cli->json)
		json_print(json_incref(row));
	else
		p->print(row);
	return true;
}

int over_list(struct cli *cli, const char *op, json_t *args, void (*print)(const json_t *row))
{
	struct printing p = { cli, print };
	struct err e;

	return ask_rows(cli->ask, op, args, print_row, &p, &e) ? EXIT_GOOD : cli_failed(cli, &e);
}

json_t *over_args(const struct cli *cli, const char *name, const char *text)
{
	json_t *value = json_string(text), *args = value ? json_pack("{s:o}", name, value) : NULL;

	if (!args)
		(void)cli_usage(cli, "%s: its %s is not UTF-8", name, name);
	return args;
}
