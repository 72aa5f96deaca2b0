/* SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is handed over to servers or programs in this world. */
#include "deliver/folder_files.h"
#include "sim.h"

struct deliver_target *deliver_target_new(const struct target *t, struct err *e)
{
	(void)err_set(e, ERR_CONFIG, "target %s: there are no servers and programs here", t->name);
	return NULL;
}

struct deliver_target *deliver_target_keep(struct deliver_target *t)
{
	return t;
}

void deliver_target_put(struct deliver_target **t)
{
	*t = NULL;
}

const char *deliver_host(const struct deliveries *d)
{
	(void)d;
	return "sim";
}

void deliver(struct deliveries *d, const struct deliver_ask *ask)
{
	(void)d;
	(void)ask;
	violation("deliver: there is nothing to deliver to");
}

bool deliver_unless_begun(struct deliveries *d, const void *user, const char *why)
{
	(void)d;
	(void)user;
	(void)why;
	return true;
}

void deliver_release(struct deliveries *d, const void *user)
{
	(void)d;
	(void)user;
}

void deliveries_hurry(struct deliveries *d)
{
	(void)d;
}

bool folder_files_write(struct folder *f, const struct deliver_ask *ask, const char *state, const uint8_t tag[8],
	char name[MAILDIR_NAME_MAX], struct err *e)
{
	(void)f;
	(void)ask;
	(void)state;
	(void)tag;
	(void)name;
	return err_set(e, ERR_CONFIG, "there are no folders here");
}
