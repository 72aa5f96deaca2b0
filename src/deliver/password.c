/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/password.h"

#include "net/child.h"
#include "store/vault.h"

enum { COMMAND_TIMEOUT_MS = 60000 };

static bool from_command(const char *command, const atomic_bool *stop, struct buf *out, struct err *e)
{
	bool good = child_output(command, COMMAND_TIMEOUT_MS, stop, out, e);

	secret_trim(out);
	return good || err_in(e, "password command");
}

static bool from_vault(const char *name, struct store *s, struct buf *out, struct err *e)
{
	if (!s)
		return err_set(e, ERR_CONFIG, "password vault:%s: there is no store here to look into", name);
	return vault_get(s, name, out, e);
}

bool password_read(const struct secret *secret, struct store *s, const atomic_bool *stop, struct buf *out, struct err *e)
{
	if (!buf_room(out, out->max - out->len))	/* at once: growing would leave copies behind */
		return err_set(e, ERR_LOCAL, "out of memory");
	switch (secret->kind) {
	case SECRET_NONE:
	case SECRET_LITERAL:
	case SECRET_FILE:
	case SECRET_CREDENTIAL:
		return secret_read(secret, out, e);
	case SECRET_COMMAND:
		return from_command(secret->text, stop, out, e);
	case SECRET_VAULT:
		return from_vault(secret->text, s, out, e);
	case SECRET_ASK:
		break;
	}
	return err_set(e, ERR_CONFIG, "no password is set; write password = 'file:PATH' or 'command:CMD'");
}
