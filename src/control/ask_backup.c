/* SPDX-License-Identifier: Apache-2.0
 * A backup's copy, by whoever has the store. */
#include <sodium.h>

#include "control/ask_inside.h"
#include "control/json.h"
#include "store/backup.h"

bool ask_backup(struct ask *a, int fd, struct backup_written *w, struct err *e)
{
	const char *digits;
	json_t *reply;
	size_t len = 0;
	bool good;

	if (!ask_call_with(a, "store.backup", NULL, fd, &reply, e))
		return false;
	digits = json_member_text(reply, "sha256");
	*w = (struct backup_written){ .began = json_moment_read(json_member_text(reply, "made")), .octets = json_member_number(reply, "octets"),
		.packed = json_member_flag(reply, "packed") };
	good = w->began && sodium_hex2bin(w->digest, sizeof w->digest, digits, strlen(digits), NULL, &len, NULL) == 0 && len == sizeof w->digest;
	json_decref(reply);
	return good ? true : err_set(e, ERR_PEER, "%s: it does not say what it copied", a->path);
}

void ask_break(struct ask *a)
{
	if (a->socket)
		local_break(a->socket);
}
