/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: what every subcommand is given (PRODUCT section 1).
 *
 * main.c finds the command in its table, cli_parse sorts the words into
 * options and arguments, then the command runs and returns its exit status:
 * EXIT_GOOD, EXIT_FAILED (the job), EXIT_USAGE (words or configuration).
 * Options common to all may stand before or after the command; `--option=value`
 * and `--option value` are the same; after "--" everything is an argument.
 * Errors go to standard error as "postrider COMMAND: what; what to do". */
#pragma once

#include "config/read.h"
#include "control/ask.h"
#include "serve/pam.h"
#include "store/store.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct cli;

struct cli_option {
	const char *name;	/* without dashes */
	bool takes_value;
};

struct command {
	const char *name;
	const char *usage;	/* after "postrider NAME" */
	const char *does;	/* one line */
	const char *help;	/* more, or NULL */
	int (*run)(struct cli *cli);	/* NULL: not built yet */
	struct cli_option options[8];	/* its own, ended by a NULL name */
	bool keys;		/* takes the keys of a connection as options */
	bool warns;		/* of what the settings have and this build has not: it concerns this command */
	bool serves;		/* its log tells what happens, not only what is wrong */
};

struct cli {
	const struct command *command;
	const char *config;	/* -c; NULL = the default path */
	const char *state;	/* --state */
	unsigned verbose;
	bool quiet, json, no_color, help, version;
	struct key_value *given;	/* the command's options, in order */
	size_t given_count;
	const char **args;
	size_t arg_count;
	struct settings settings;
	bool settings_there;
	struct store *store;
	uint32_t sessions_fit;	/* of `run`: for so many there are descriptors */
	struct pam_helper pam;	/* of `run`: was begun before root was given up, is the instance's; fd -1: none is needed */
	bool pam_again;		/* and another one would have the same rights */
	struct ask *ask;
};

extern const struct command *const commands[];

[[nodiscard]] bool cli_parse(struct cli *cli, int argc, char **argv);
void cli_end(struct cli *cli);
/* The last value of an option of the command's own; NULL when not given. */
const char *cli_option(const struct cli *cli, const char *name);
/* Says "postrider COMMAND: …" and returns EXIT_USAGE or EXIT_FAILED. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_failed(const struct cli *cli, const struct err *why);
/* Reads the configuration (with `must`, its absence is an error), starts the log; once.  EXIT_GOOD or what to return. */
[[nodiscard]] int cli_settings(struct cli *cli, bool must);
/* A reload: reads the configuration again, and changes nothing; then, once all who must have
 * agreed to it, makes it the settings.  *old is what they were, for the caller to end when nobody
 * has them any more; so it is for a *fresh that was not adopted. */
[[nodiscard]] bool cli_reread(struct cli *cli, struct settings *fresh, struct err *e);
void cli_adopt(struct cli *cli, const struct settings *fresh, struct settings *old);
/* Logs the warnings of the settings from number `from` on. */
void cli_warnings(const struct cli *cli, size_t from);
/* Where mail lies by the settings (the key pop3.maildir), for whoever opens a store: store_maildirs. */
const char *cli_maildirs(const struct cli *cli);
/* Says to a store what of the settings it must know of mail to come in, whoever opened it: store_route_header. */
[[nodiscard]] bool cli_route_header(const struct settings *settings, struct store *s, struct err *e);
/* Opens the store of the settings, and says that to it. */
[[nodiscard]] int cli_store(struct cli *cli);

/* ask.c: a password from --password-file, --password-command or the terminal,
 * in that order; `twice` asks the terminal to repeat it.  *given is false when
 * there is neither option nor terminal.  `out` is wiped by the caller. */
[[nodiscard]] bool ask_password(struct cli *cli, const char *prompt, bool twice, struct buf *out, bool *given, struct err *e);

/* over.c: commands over the API.  All of them: EXIT_GOOD, or said why and what to return. */
struct verb {
	const char *name;
	size_t least, most;		/* words behind it */
	const char *takes;		/* in words: "one name" */
	int (*run)(struct cli *cli);	/* args[0] is the verb */
};
/* Finds args[0] in `verbs` (ended by a NULL name), reads the settings, opens the API and runs it.  `says` names them all. */
int over_verbs(struct cli *cli, const struct verb *verbs, const char *says);
/* Settings and API, for a command without verbs. */
[[nodiscard]] int over_open(struct cli *cli);
/* Asks, and prints "WHAT" (unless -q) when it is good. */
int over_do(struct cli *cli, const char *op, json_t *args, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Prints all rows of a list, by --json as they are. */
int over_list(struct cli *cli, const char *op, json_t *args, void (*print)(const json_t *row));
/* {NAME: TEXT} as arguments; NULL, and said why, for a text that is not UTF-8. */
json_t *over_args(const struct cli *cli, const char *name, const char *text);
