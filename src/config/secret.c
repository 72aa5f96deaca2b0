/* SPDX-License-Identifier: Apache-2.0 */
#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void secret_trim(struct buf *b)
{
	while (b->len && (b->at[b->len - 1] == '\n' || b->at[b->len - 1] == '\r'))
		b->len--;
}

static bool read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	for (;;) {
		size_t left = out->max - out->len;
		ssize_t n;

		if (!left)
			return err_set(e, ERR_CONFIG, "password file %s is longer than a password can be", path);
		n = read(fd, out->at + out->len, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, ERR_CONFIG, "password file %s cannot be read", path);
		if (n == 0)
			return true;
		out->len += (size_t)n;
	}
}

static bool from_file(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return err_errno(e, ERR_CONFIG, "password file %s cannot be opened", path);
	good = read_all(fd, path, out, e);
	(void)close(fd);
	secret_trim(out);
	return good;
}

static bool from_credential(const char *name, struct buf *out, struct err *e)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char path[4096];

	if (!directory)
		return err_set(e, ERR_CONFIG, "credential:%s needs systemd: no CREDENTIALS_DIRECTORY is set", name);
	if (strchr(name, '/') || snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
		return err_set(e, ERR_CONFIG, "credential:%s is not the name of a credential", name);
	return from_file(path, out, e);
}

bool secret_read(const struct secret *s, struct buf *out, struct err *e)
{
	if (!buf_room(out, out->max - out->len))
		return err_set(e, ERR_LOCAL, "out of memory");
	switch (s->kind) {
	case SECRET_NONE:
		return true;
	case SECRET_LITERAL:
		return buf_add(out, span_of(s->text)) || err_set(e, ERR_CONFIG, "the password is too long");
	case SECRET_FILE:
		return from_file(s->text, out, e);
	case SECRET_CREDENTIAL:
		return from_credential(s->text, out, e);
	case SECRET_VAULT:
	case SECRET_COMMAND:
	case SECRET_ASK:
		break;
	}
	return err_set(e, ERR_CONFIG, "this kind of password cannot be read here");
}
