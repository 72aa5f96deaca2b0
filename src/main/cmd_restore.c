/* SPDX-License-Identifier: Apache-2.0
 * postrider restore: the store from a backup */
#include <stdio.h>

#include "base/clock.h"
#include "main/background.h"
#include "main/commands.h"
#include "main/say.h"
#include "store/restore.h"

struct restoring {
	struct cli *cli;
	const char *directory;
	bool verify_only;
	struct backup_progress progress;
	struct restored result;
};

static bool restore_all(void *user, struct err *e)
{
	struct restoring *r = user;
	const struct settings *s = &r->cli->settings;

	if (r->verify_only)
		return restore_verify(r->directory, &r->progress, &r->result, e);
	return restore_into(r->directory, s->state, s->store_map, cli_option(r->cli, "replace"), "postrider restore", &r->progress, &r->result, e);
}

static void say_json(const struct restoring *r)
{
	const struct restored *d = &r->result;
	char made[MOMENT_TEXT];

	json_print(json_pack("{s:o, s:s, s:o, s:b, s:I, s:I, s:I, s:b, s:o}", "directory", json_text(r->directory),
		"made", moment_text(d->manifest.made, made), "version", json_text(d->manifest.version), "restored", !r->verify_only,
		"mailboxes", (json_int_t)d->audit.boxes, "messages", (json_int_t)d->audit.messages, "octets", (json_int_t)d->audit.octets,
		"secret_key", d->key, "replaced", *d->aside ? json_text(d->aside) : json_null()));
}

static void say(const struct restoring *r)
{
	const struct restored *d = &r->result;
	char made[MOMENT_TEXT];

	(void)printf("%s: %s, made at %s by postrider %s: %llu mailboxes, %llu messages, %llu octets\n", r->directory,
		r->verify_only ? "a whole backup" : "restored", moment_text(d->manifest.made, made), d->manifest.version,
		(unsigned long long)d->audit.boxes, (unsigned long long)d->audit.messages, (unsigned long long)d->audit.octets);
	if (*d->earlier)
		(void)printf("an earlier restore had been cut off when it was done; what it replaced is kept as %s/%s\n", r->cli->settings.state, d->earlier);
	if (*d->aside)
		(void)printf("what was replaced is kept as %s/%s; remove it when nothing in it is missed\n", r->cli->settings.state, d->aside);
}

/* What does not come back by itself: people must know it. */
static void warn(const struct restoring *r)
{
	const struct restored *d = &r->result;
	char made[MOMENT_TEXT];

	(void)moment_text(d->manifest.made, made);
	if (!d->manifest.key.there)
		(void)fprintf(stderr, "postrider restore: the backup has no %s; %s\n", MANIFEST_KEY,
			d->key && !r->verify_only ? "the one that is there stays: if it is another, set the passwords that can be recovered again"
			                          : "passwords that can be recovered have to be set again, unless it is put there from elsewhere");
	if (r->verify_only)
		return;
	if (d->manifest.made > clock_now_s())
		(void)fprintf(stderr, "postrider restore: the backup was made at %s, which is still to come: check this machine's date\n", made);
	(void)fprintf(stderr, "postrider restore: what was collected after %s is not in the store: what stayed at its server is fetched again "
		"by the next visit, also into Maildirs that have it; what was deleted there is lost%s%s; passwords and accounts are those of then\n",
		made, *d->aside ? " but for " : "", d->aside);
}

static int run(struct cli *cli)
{
	struct restoring r = { .cli = cli, .verify_only = cli_option(cli, "verify-only") };
	struct err e;
	int status;

	if (cli->arg_count != 1)
		return cli_usage(cli, "name the backup's directory");
	if (r.verify_only && cli_option(cli, "replace"))
		return cli_usage(cli, "--verify-only replaces nothing: say one of them");
	status = cli_settings(cli, false);
	if (status != EXIT_GOOD)
		return status;
	if (strcmp(cli->settings.store, "lmdb") != 0)
		return cli_usage(cli, "store = %s is not built yet; only lmdb is", cli->settings.store);
	r.directory = cli->args[0];
	if (!background_run(cli, &(struct background_job){ .progress = &r.progress, .work = restore_all, .user = &r, .fd = -1 }, &e))
		return cli_failed(cli, &e);
	if (cli->json)
		say_json(&r);
	else if (!cli->quiet)
		say(&r);
	if (!cli->quiet)
		warn(&r);
	return EXIT_GOOD;
}

const struct command cmd_restore = {
	.name = "restore", .usage = "DIR", .run = run, .does = "the store from a backup",
	.options = { { "replace", false }, { "verify-only", false }, { NULL, false } },
	.help = "DIR is what postrider backup made. Nothing may be running on the state directory. Every octet of the backup\n"
		"is checked first; then its store takes the place of the one in the state directory in one step.\n"
		"Mail that was collected after the backup was made: what stayed at its server is fetched again by the next\n"
		"visit (into Maildirs a second time); what was deleted there is only in the store that was replaced.\n"
		"  --replace      there is a store: keep it aside, as store.before-restore-TIME beside the new one\n"
		"  --verify-only  look whether DIR is a whole backup, and change nothing\n",
};
