/* SPDX-License-Identifier: Apache-2.0 */
#include "main/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "config/settings_pop3.h"
#include "store/place.h"
#include "store/maildrop_routed.h"

enum { REPORT_MAX = 1 << 20 };

static const struct cli_option common[] = {
	{ "config", true }, { "state", true }, { "quiet", false }, { "verbose", false },
	{ "json", false }, { "no-color", false }, { "help", false }, { "version", false }, { NULL, false },
};

int cli_usage(const struct cli *cli, const char *format, ...)
{
	va_list args;

	(void)fprintf(stderr, "postrider%s%s: ", cli->command ? " " : "", cli->command ? cli->command->name : "");
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return EXIT_USAGE;
}

int cli_failed(const struct cli *cli, const struct err *why)
{
	(void)cli_usage(cli, "%s", why->text);
	return why->kind == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILED;
}

static const struct command *find_command(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

static const struct cli_option *find_option(const struct cli_option *list, struct span name)
{
	for (; list->name; list++)
		if (span_equal(span_of(list->name), name))
			return list;
	return NULL;
}

static void take_common(struct cli *cli, const char *name, const char *value)
{
	switch (name[0]) {
	case 'c':
		cli->config = value;
		break;
	case 's':
		cli->state = value;
		break;
	case 'q':
		cli->quiet = true;
		break;
	case 'v':
		if (strcmp(name, "version") == 0)
			cli->version = true;
		else
			cli->verbose++;
		break;
	case 'j':
		cli->json = true;
		break;
	case 'n':
		cli->no_color = true;
		break;
	case 'h':
		cli->help = true;
		break;
	}
}

/* -c FILE, -v, -vv, -q, -h; anything else is not an option of ours. */
static bool take_short(struct cli *cli, const char *word, char **argv, int argc, int *at)
{
	for (const char *p = word + 1; *p; p++) {
		if (*p == 'c') {
			const char *value = p[1] ? p + 1 : *at + 1 < argc ? argv[++*at] : NULL;

			if (!value)
				return !cli_usage(cli, "option -c needs a file");
			cli->config = value;
			return true;
		}
		if (!strchr("vqh", *p))
			return !cli_usage(cli, "unknown option -%c; see postrider --help", *p);
		take_common(cli, p, NULL);
	}
	return true;
}

static bool takes_key(const struct cli *cli, struct span name)
{
	char key[64];

	if (!cli->command || !cli->command->keys || name.len >= sizeof key)
		return false;
	memcpy(key, name.at, name.len);
	key[name.len] = '\0';
	return settings_is_key(key);
}

static bool take_long(struct cli *cli, char *word, char **argv, int argc, int *at)
{
	char *equals = strchr(word, '=');
	struct span name = { word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2) };
	const struct cli_option *ours = find_option(common, name);
	const struct cli_option *o = ours || !cli->command ? ours : find_option(cli->command->options, name);
	const char *value = equals ? equals + 1 : NULL;
	bool wants = o ? o->takes_value : takes_key(cli, name);

	if (!o && !wants)
		return !cli_usage(cli, "unknown option --%.*s; see postrider %s--help", (int)name.len, name.at,
			cli->command ? "COMMAND " : "");
	if (!wants && value)
		return !cli_usage(cli, "option --%.*s takes no value", (int)name.len, name.at);
	if (wants && !value && *at + 1 < argc)
		value = argv[++*at];
	if (wants && !value)
		return !cli_usage(cli, "option --%.*s needs a value", (int)name.len, name.at);
	if (ours) {
		take_common(cli, ours->name, value);
		return true;
	}
	if (equals)
		*equals = '\0';
	cli->given[cli->given_count++] = (struct key_value){ word + 2, value ? value : "" };
	return true;
}

bool cli_parse(struct cli *cli, int argc, char **argv)
{
	bool options = true;

	cli->given = calloc((size_t)argc + 1, sizeof *cli->given);
	cli->args = calloc((size_t)argc + 1, sizeof *cli->args);
	if (!cli->given || !cli->args)
		return !cli_usage(cli, "out of memory");
	for (int at = 1; at < argc; at++) {
		char *word = argv[at];

		if (options && strcmp(word, "--") == 0) {
			options = false;
		} else if (options && strncmp(word, "--", 2) == 0) {
			if (!take_long(cli, word, argv, argc, &at))
				return false;
		} else if (options && word[0] == '-' && word[1]) {
			if (!take_short(cli, word, argv, argc, &at))
				return false;
		} else if (!cli->command) {
			cli->command = find_command(word);
			if (!cli->command)
				return !cli_usage(cli, "unknown command %s; postrider --help lists them", word);
		} else {
			cli->args[cli->arg_count++] = word;
		}
	}
	return true;
}

const char *cli_option(const struct cli *cli, const char *name)
{
	const char *value = NULL;

	for (size_t n = 0; n < cli->given_count; n++)
		if (strcmp(cli->given[n].key, name) == 0)
			value = cli->given[n].value;
	return value;
}

static enum log_level level_of(const struct cli *cli)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	if (cli->quiet)
		return LOG_ERROR;
	if (cli->verbose)
		return cli->verbose > 1 ? LOG_DEBUG : LOG_INFO;
	for (size_t n = 0; cli->settings.log_level && n < COUNT(names); n++)
		if (strcmp(names[n], cli->settings.log_level) == 0)
			return (enum log_level)n;
	return cli->command && cli->command->serves ? LOG_INFO : LOG_WARN;
}

static enum log_format format_of(const struct cli *cli)
{
	const char *name = cli->settings.log_format;

	if (name && strcmp(name, "json") == 0)
		return LOG_JSON;
	return name && strcmp(name, "journal") == 0 ? LOG_JOURNAL : LOG_TEXT;
}

static bool file_there(const char *path)
{
	FILE *f = path[0] ? fopen(path, "re") : NULL;

	if (f)
		(void)fclose(f);
	return f;
}

/* A path that is not there counts only when it is the default one. */
static bool read_settings(const struct cli *cli, bool must, struct settings *s, struct buf *report)
{
	char path[4096];
	const char *file = cli->config ? cli->config : settings_default_path(path, sizeof path);

	if (cli->config || must || file_there(file))
		return settings_read(file, s, report);
	settings_none(s);
	return true;
}

void cli_warnings(const struct cli *cli, size_t from)
{
	for (size_t n = from; n < cli->settings.warning_count; n++)
		log_warn(NULL, "%s", cli->settings.warnings[n]);
}

int cli_settings(struct cli *cli, bool must)
{
	struct buf report;
	struct err e;
	bool good;

	if (cli->settings_there)
		return EXIT_GOOD;
	buf_start(&report, REPORT_MAX);
	good = read_settings(cli, must, &cli->settings, &report);
	if (report.len)
		(void)fwrite(report.at, 1, report.len, stderr);
	buf_end(&report);
	if (!good)
		return EXIT_USAGE;
	cli->settings_there = true;
	if (cli->state)
		cli->settings.state = cli->state;
	if (!log_start(level_of(cli), format_of(cli), cli->settings.log_to, &e))
		return cli_failed(cli, &e);
	if (cli->command->warns)
		cli_warnings(cli, 0);
	return EXIT_GOOD;
}

bool cli_reread(struct cli *cli, struct settings *fresh, struct err *e)
{
	struct buf report;
	bool good;

	buf_start(&report, REPORT_MAX);
	good = read_settings(cli, true, fresh, &report);
	if (!good)
		(void)err_set(e, ERR_CONFIG, "%.*s", (int)span_find(buf_span(&report), '\n'), report.len ? report.at : "");
	buf_end(&report);
	if (good && cli->state)
		fresh->state = cli->state;
	return good;
}

void cli_adopt(struct cli *cli, const struct settings *fresh, struct settings *old)
{
	struct err e;

	*old = cli->settings;
	cli->settings = *fresh;
	if (!log_start(level_of(cli), format_of(cli), cli->settings.log_to, &e))
		log_error(NULL, "the log goes on as it was: %s", e.text);
	cli_warnings(cli, 0);
}

const char *cli_maildirs(const struct cli *cli)
{
	return cli->settings.pop3 ? cli->settings.pop3->maildir : NULL;
}

bool cli_route_header(const struct settings *settings, struct store *s, struct err *e)
{
	/* Without a section pop3 there is a default all the same: it may be made later, about the mail of today. */
	return store_route_header(s, settings->pop3 ? settings->pop3->route_header : "X-Real-To", e);
}

int cli_store(struct cli *cli)
{
	char what[64];
	struct err e;

	(void)snprintf(what, sizeof what, "postrider %s", cli->command->name);
	if (strcmp(cli->settings.store, "lmdb") != 0)
		return cli_usage(cli, "store = %s is not built yet; only lmdb is", cli->settings.store);
	if (!store_open(cli->settings.state, cli->settings.store_map, what, &cli->store, &e) || !cli_route_header(&cli->settings, cli->store, &e))
		return cli_failed(cli, &e);
	store_maildirs(cli->store, cli_maildirs(cli));
	return EXIT_GOOD;
}

void cli_end(struct cli *cli)
{
	ask_close(&cli->ask);
	store_close(&cli->store);
	if (cli->settings_there)
		settings_end(&cli->settings);
	free(cli->given);
	free(cli->args);
}
