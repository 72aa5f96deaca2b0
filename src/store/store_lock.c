/* SPDX-License-Identifier: Apache-2.0
 * The lock of one connection, so that two visits of it never overlap. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/disk.h"
#include "store/holder.h"
#include "store/room.h"

enum { LOCK_NAME_MAX = 200 };

struct store_lock {
	int fd;
};

/* A connection's name as a file's: octets that a path cannot hold as %XX, and
 * a name that grew too long by its hash. */
static void file_name(const char *connection, char out[LOCK_NAME_MAX + 1])
{
	unsigned char hash[crypto_generichash_BYTES];
	size_t n = 0;

	for (const char *p = connection; *p && n < LOCK_NAME_MAX - 3; p++) {
		unsigned char c = (unsigned char)*p;

		if (c <= ' ' || c == 127 || c == '/' || c == '%' || (c == '.' && p == connection))
			n += (size_t)snprintf(out + n, 4, "%%%02X", c);
		else
			out[n++] = *p;
	}
	out[n] = '\0';
	if (n < LOCK_NAME_MAX - 3)
		return;
	(void)crypto_generichash(hash, sizeof hash, (const unsigned char *)connection, strlen(connection), NULL, 0);
	out[0] = '%';		/* no escape looks like this: %h */
	out[1] = 'h';
	(void)sodium_bin2hex(out + 2, 2 * sizeof hash + 1, hash, sizeof hash);
}

bool store_lock_take(struct store *s, const char *connection, struct store_lock **lock, struct err *e)
{
	char name[LOCK_NAME_MAX + 1], *directory = NULL, *path = NULL, *subject = NULL;
	int fd = -1;
	bool good = false;

	file_name(connection, name);
	if (asprintf(&directory, "%s/lock", s->state) < 0 || asprintf(&path, "%s/%s", directory, name) < 0 ||
	    asprintf(&subject, "connection %s", connection) < 0)
		(void)err_set(e, ERR_LOCAL, "out of memory for a lock");
	else
		good = disk_directory(directory, e) && holder_take(path, subject, s->what, &fd, e);
	free(directory);
	free(path);
	free(subject);
	if (!good)
		return false;
	*lock = store_memory(sizeof **lock);
	(*lock)->fd = fd;
	return true;
}

void store_lock_drop(struct store_lock **lock)
{
	if (!*lock)
		return;
	holder_drop(&(*lock)->fd);
	free(*lock);
	*lock = NULL;
}
