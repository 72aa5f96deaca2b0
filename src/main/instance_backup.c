/* SPDX-License-Identifier: Apache-2.0
 *
 * The copy of the store that a command asked a running instance for: one at a time. */
#include "control/json.h"
#include "main/instance_inside.h"

bool instance_backup(void *user, int fd, uint64_t ticket, struct err *e)
{
	struct instance *i = user;

	if (i->backup)
		return err_set(e, ERR_BUSY, "a backup is being made already; try again when it is done");
	if (!backup_run_start(i->cli->store, fd, ticket, &i->backup, e))
		return false;
	i->backup_ticket = ticket;
	log_info(NULL, "backup begun");
	return true;
}

json_t *instance_backup_written(void *user, uint64_t ticket)
{
	const struct instance *i = user;
	const struct backup_written *w = i->backup_ticket == ticket ? backup_run_written(i->backup) : NULL;
	char hex[2 * MANIFEST_DIGEST + 1];

	if (!w)
		return NULL;
	for (size_t n = 0; n < sizeof hex - 1; n++)
		hex[n] = "0123456789abcdef"[w->digest[n / 2] >> (n % 2 ? 0 : 4) & 15];
	hex[sizeof hex - 1] = '\0';
	log_info(NULL, "backup written octets=%llu", (unsigned long long)w->octets);
	return json_pack("{s:o, s:o, s:s, s:b}", "began", json_number((uint64_t)w->began), "octets", json_number(w->octets), "sha256", hex,
		"packed", w->packed);
}

void instance_backup_end(void *user, uint64_t ticket)
{
	struct instance *i = user;

	if (i->backup_ticket == ticket && i->backup)
		backup_run_free(&i->backup);
}
