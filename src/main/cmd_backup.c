/* SPDX-License-Identifier: Apache-2.0
 * postrider backup: the store in a directory, while it is in use */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/background.h"
#include "main/commands.h"
#include "main/say.h"

struct backing_up {
	struct cli *cli;
	struct backup *backup;
	struct backup_progress progress;
	struct backup_written written;
	bool key;
};

/* By whoever has the store: this process, or a running instance. */
static bool copy(struct backing_up *b, struct err *e)
{
	struct store *s = ask_store(b->cli->ask);
	int fd = backup_fd(b->backup);

	if (s)
		return backup_write(store_engine(s), fd, &b->progress, &b->written, e);
	return ask_backup(b->cli->ask, fd, &b->written, e);
}

/* In a job: all that may wait for a disk. */
static bool write_all(void *user, struct err *e)
{
	struct backing_up *b = user;
	const char *state = cli_option(b->cli, "without-key") ? NULL : b->cli->settings.state;

	if (copy(b, e))
		return backup_end(&b->backup, &b->written, state, &b->key, e);
	backup_abort(&b->backup);
	return atomic_load(&b->progress.stop) ? err_set(e, ERR_LOCAL, "the backup was stopped") : false;
}

static void stop(void *user)
{
	const struct backing_up *b = user;

	ask_break(b->cli->ask);
}

/* Its secrets are in the backup, and only that key opens them. */
static void say_vault(const struct settings *s)
{
	char path[4096];

	if (snprintf(path, sizeof path, "%s/vault.key", s->state) < (int)sizeof path && access(path, F_OK) == 0)
		(void)printf("the vault's secrets are in it, their key is not: %s stays; keep a recovery file (postrider secret export FILE)\n", path);
}

static void say(const struct backing_up *b, const char *directory)
{
	char made[MOMENT_TEXT];

	(void)moment_text(b->written.began, made);
	if (b->cli->json) {
		json_print(json_pack("{s:o, s:s, s:I, s:b, s:b}", "directory", json_text(directory), "made", made,
			"octets", (json_int_t)b->written.octets, "secret_key", b->key, "packed", b->written.packed));
		return;
	}
	if (b->cli->quiet)
		return;
	(void)printf("%s: the store as it was at %s, %llu octets\n", directory, made, (unsigned long long)b->written.octets);
	if (b->key)
		(void)printf("%s/%s opens the passwords that can be recovered: keep the backup where nobody else reads it\n", directory, MANIFEST_KEY);
	else if (cli_option(b->cli, "without-key"))
		(void)printf("without %s: keep a copy of %s/%s elsewhere, or set the passwords that can be recovered again after a restore\n",
			MANIFEST_KEY, b->cli->settings.state, MANIFEST_KEY);
	say_vault(&b->cli->settings);
}

static int run(struct cli *cli)
{
	struct backing_up b = { .cli = cli };
	struct err e;
	int status;

	if (cli->arg_count != 1)
		return cli_usage(cli, "name the directory that is to be made");
	status = over_open(cli);
	if (status != EXIT_GOOD)
		return status;
	if (!backup_begin(cli->args[0], &b.backup, &e))
		return cli_failed(cli, &e);
	if (!background_run(cli, &(struct background_job){ &b.progress, write_all, stop, &b, backup_fd(b.backup) }, &e)) {
		backup_abort(&b.backup);
		return cli_failed(cli, &e);
	}
	say(&b, cli->args[0]);
	return EXIT_GOOD;
}

const struct command cmd_backup = {
	.name = "backup", .usage = "DIR", .run = run, .does = "hot copy of the store",
	.options = { { "without-key", false }, { NULL, false } },
	.help = "DIR is made, or is there and empty. In it: all mailboxes, accounts and ledgers as they are at one\n"
		"moment; secret.key, which opens the passwords that can be recovered; a manifest with digests.\n"
		"Not in it: the configuration, Maildirs, the vault's key (postrider secret export). postrider restore --verify-only DIR looks whether it is whole.\n"
		"  --without-key  leave secret.key out: the backup alone then opens no password\n",
};
