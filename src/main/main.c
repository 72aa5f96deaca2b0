/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>

#include "main/cli.h"
#include "main/pam_begin.h"
#include "main/restrict.h"
#include "main/version.h"
#include "serve/hashing.h"
#include "serve/pam_wire.h"

enum { HELP_COLUMN = 12 };

static void print_help(void)
{
	(void)printf("postrider %s: collects mail from POP3 and IMAP mailboxes and hands each message on exactly once\n\n"
		"usage: postrider [OPTION…] COMMAND [ARGUMENT…]\n\ncommands:\n", POSTRIDER_VERSION);
	for (const struct command *const *c = commands; *c; c++)
		(void)printf("  %-*s %s%s\n", HELP_COLUMN, (*c)->name, (*c)->does, (*c)->run ? "" : " (not built yet)");
	(void)printf("\noptions common to all:\n"
		"  -c, --config FILE   the configuration (default: ~/.config/postrider/postrider.conf,\n"
		"                      as root /etc/postrider/postrider.conf)\n"
		"      --state DIR     where the store lies, instead of the configuration's `state`\n"
		"  -v                  say more; twice for everything\n"
		"  -q                  errors only\n"
		"      --json          output as data: one object a line\n"
		"      --no-color      no colours on a terminal\n"
		"      --help          of a command: postrider COMMAND --help\n"
		"      --version       version and what this build can do\n");
}

static void print_command_help(const struct command *c)
{
	(void)printf("usage: postrider %s%s%s\n\n%s%s\n", c->name, c->usage[0] ? " " : "", c->usage, c->does,
		c->run ? "" : " (not built yet)");
	if (c->help)
		(void)printf("\n%s", c->help);
}

/* One small heap for all threads keeps memory bounded, and pieces of mail go
 * back to the system when freed. */
static void prepare_process(void)
{
	restrict_process();
	(void)sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);	/* a full disk is an error, not an end */
	(void)mallopt(M_ARENA_MAX, 2);
	(void)mallopt(M_MMAP_THRESHOLD, 48 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

static int run(struct cli *cli, int argc, char **argv)
{
	if (!cli_parse(cli, argc, argv))
		return EXIT_USAGE;
	if (cli->version) {
		version_print();
		return EXIT_GOOD;
	}
	if (!cli->command) {
		print_help();
		return EXIT_GOOD;
	}
	if (cli->help) {
		print_command_help(cli->command);
		return EXIT_GOOD;
	}
	if (!cli->command->run) {
		(void)fprintf(stderr, "postrider %s: not built yet\n", cli->command->name);
		return EXIT_FAILED;
	}
	return cli->command->run(cli);
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	int status;

	prepare_process();
	if (argc > 1 && strcmp(argv[1], PAM_HELPER_OPTION) == 0)
		return pam_begin_helper(argc, argv);
	status = run(&cli, argc, argv);
	cli_end(&cli);
	if (fflush(stdout) != 0 && status == EXIT_GOOD) {
		perror("postrider: standard output");
		status = EXIT_FAILED;
	}
	if (hashing_left())	/* its header says why */
		_exit(status);
	return status;
}
