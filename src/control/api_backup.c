/* SPDX-License-Identifier: Apache-2.0
 * The store copied into a file that the caller opened: nobody here opens a path that it was told. */
#include <sodium.h>

#include "control/json.h"
#include "control/operation.h"
#include "store/backup.h"

/* One after another: each holds old pages of the store. */
static bool another(const struct api_call *c)
{
	for (const struct api_call *o = c->api->calls; o; o = o->next)
		if (o->op == c->op && o->mine && o->ticket)
			return true;
	return false;
}

static bool backup(struct api_call *c, struct err *e)
{
	struct backup_run *run = NULL;
	int fd = c->who.fd;

	if (another(c))
		return err_set(e, ERR_BUSY, "a backup is being made already; try again when it is done");
	c->who.fd = -1;		/* taken over, whatever comes of it */
	c->later = backup_run_start(c->api->store, fd, call_ticket(c), &run, e);
	c->mine = run;
	if (!run)
		c->ticket = 0;
	return run;
}

static bool did(struct api_call *c, struct err *e)
{
	const struct backup_written *w = backup_run_written(c->mine);
	char digits[2 * MANIFEST_DIGEST + 1];

	(void)sodium_bin2hex(digits, sizeof digits, w->digest, sizeof w->digest);
	return call_answer(c, json_pack("{s:o, s:o, s:s, s:b}", "made", json_moment(w->began), "octets", json_number(w->octets),
		"sha256", digits, "packed", w->packed), e);
}

/* Who asked may have gone: then it is stopped. */
static void end(struct api_call *c)
{
	struct backup_run *run = c->mine;

	backup_run_free(&run);
}

static const struct arg args_none[] = { ARGS_END };

const struct operation api_backups[] = {
	{ .name = "store.backup", .args = args_none, .run = backup, .did = did, .end = end, .takes_fd = true },
	{ .name = NULL },
};
