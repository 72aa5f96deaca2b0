/* SPDX-License-Identifier: Apache-2.0 */
#include "main/which.h"

#include <stdio.h>

#include "collect/password.h"

enum { PASSWORD_MAX = 4096, REPORT_MAX = 1 << 16 };

bool which_is_url(const char *word)
{
	return strstr(word, "://");
}

/* The password of the command line or the terminal takes the place of what the settings say. */
static int give_password(struct cli *cli, struct connection *with)
{
	char prompt[512];
	struct buf password;
	struct err e;
	bool given;

	if (with->password.kind != SECRET_ASK)
		return EXIT_GOOD;
	buf_start(&password, PASSWORD_MAX);
	(void)snprintf(prompt, sizeof prompt, "Password of %s at %s: ", with->user, with->host);
	if (!ask_password(cli, prompt, false, &password, &given, &e)) {
		buf_wipe(&password);
		return cli_failed(cli, &e);
	}
	if (!given && !with->auth_auto && password_needless(with)) {	/* a ticket, then */
		buf_wipe(&password);
		return EXIT_GOOD;
	}
	if (!given) {
		buf_wipe(&password);
		return cli_usage(cli, "no password for %s: use --password-file FILE or --password-command CMD", with->name);
	}
	with->password = (struct secret){ SECRET_LITERAL, arena_text(&cli->settings.arena, buf_span(&password)) };
	buf_wipe(&password);
	return EXIT_GOOD;
}

int which_url(struct cli *cli, const char *url, const char *to, const struct connection **which)
{
	struct key_value *keys;
	size_t count = 0, warned;
	struct buf report;
	struct connection *with;
	int status;
	bool good;

	status = cli_settings(cli, false);
	if (status != EXIT_GOOD)
		return status;
	warned = cli->settings.warning_count;
	keys = arena_take(&cli->settings.arena, (cli->given_count + 1) * sizeof *keys);
	for (size_t n = 0; n < cli->given_count; n++)
		if (settings_is_key(cli->given[n].key))
			keys[count++] = cli->given[n];
	buf_start(&report, REPORT_MAX);
	good = settings_url(&cli->settings, url, to, keys, count, &report);
	if (report.len)
		(void)fwrite(report.at, 1, report.len, stderr);
	buf_end(&report);
	if (!good)
		return EXIT_USAGE;
	cli_warnings(cli, warned);
	with = cli->settings.connections[cli->settings.connection_count - 1];
	*which = with;
	return give_password(cli, with);
}

static bool named_before(const struct connection **which, size_t count, const struct connection *with)
{
	while (count)
		if (which[--count] == with)
			return true;
	return false;
}

int which_named(struct cli *cli, bool disabled_too, const struct connection ***which, size_t *count)
{
	const struct connection **all;
	int status = cli_settings(cli, true);

	if (status != EXIT_GOOD)
		return status;
	*count = 0;
	*which = all = arena_take(&cli->settings.arena, (cli->settings.connection_count + cli->arg_count + 1) * sizeof *all);
	for (size_t n = 0; n < cli->arg_count; n++) {
		const struct connection *with = settings_connection(&cli->settings, cli->args[n]);

		if (!with)
			return cli_usage(cli, "there is no connection %s in %s", cli->args[n], cli->settings.file);
		if (!with->enabled && !disabled_too)
			return cli_usage(cli, "connection %s is disabled; set enabled = true to visit it", cli->args[n]);
		if (!named_before(all, *count, with))
			all[(*count)++] = with;
	}
	for (size_t n = 0; !cli->arg_count && n < cli->settings.connection_count; n++)
		if (cli->settings.connections[n]->enabled)
			all[(*count)++] = cli->settings.connections[n];
	return *count ? EXIT_GOOD : cli_usage(cli, "%s has no enabled connection", cli->settings.file);
}
