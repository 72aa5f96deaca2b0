/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sys/prctl.h>

#include "main/commands.h"
#include "main/instance.h"
#include "main/pam_begin.h"
#include "main/permitted.h"
#include "main/privileges.h"
#include "main/restrict.h"

enum { PATIENCE_MS = 5000, RETRY_MS = 50 };

/* Before the store, threads and listeners: privileges.h says why. */
static bool become(struct cli *cli, struct err *e)
{
	struct privileges p;
	int before;

	if (!privileges_find(cli->settings.run_as, &p, e) || !permitted_state(&p, cli->settings.state, e))
		return false;
	permitted_files(&p, &cli->settings);
	cli->sessions_fit = restrict_files(&cli->settings).sessions;
	before = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	if (!pam_begin(&cli->settings, &cli->pam, e) || !privileges_drop(&p, e))
		return false;
	cli->pam_again = p.how != PRIVILEGES_BECOME && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == before;
	return true;
}

/* A command that just has the store is waited for; another `run` is not. */
static int take_store(struct cli *cli)
{
	struct err e;

	if (strcmp(cli->settings.store, "lmdb") != 0)
		return cli_usage(cli, "store = %s is not built yet; only lmdb is", cli->settings.store);
	for (int ms = 0;; ms += RETRY_MS) {
		if (store_open(cli->settings.state, cli->settings.store_map, "postrider run", &cli->store, &e))
			return EXIT_GOOD;
		if (e.kind == ERR_BUSY && strstr(e.text, "(postrider run)"))
			return cli_usage(cli, "%s", e.text);
		if (e.kind != ERR_BUSY || ms >= PATIENCE_MS)
			return cli_failed(cli, &e);
		(void)poll(NULL, 0, RETRY_MS);
	}
}

static int run(struct cli *cli)
{
	struct instance *i = NULL;
	struct err e;
	int status;

	instance_begin();
	if (cli->arg_count)
		return cli_usage(cli, "takes no arguments");
	status = cli_settings(cli, true);
	if (status == EXIT_GOOD && !become(cli, &e))
		status = cli_failed(cli, &e);
	if (status == EXIT_GOOD)
		status = take_store(cli);
	if (status != EXIT_GOOD)
		return status;
	if (instance_new(cli, &i, &e))
		instance_run(i);
	else
		status = cli_failed(cli, &e);
	instance_free(&i);
	return status;
}

const struct command cmd_run = {
	.name = "run", .warns = true, .usage = "[-c FILE]", .does = "the service: visits the connections by their schedule, serves POP3", .run = run, .serves = true,
	.help = "Runs in the foreground until SIGTERM or SIGINT, which let sessions and visits end what they are at.\n"
		"SIGHUP reads the configuration again; no session and no visit is dropped by it.\n",
};
