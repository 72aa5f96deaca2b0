/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/visit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/child.h"
#include "net/jobs.h"

enum { COMMAND_TIMEOUT_MS = 60000 };

/* Line ends at the end belong to the file, not to the password. */
static void trim(struct buf *b)
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
	return good;
}

/* A credential that systemd passed: LoadCredential=NAME:… in the unit. */
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

struct password_job {
	struct visit *visit;
	struct err e;
	bool good;
};

static void run_command(void *user)
{
	struct password_job *j = user;

	j->good = child_output(j->visit->with->password.text, COMMAND_TIMEOUT_MS, &j->visit->stop_command, &j->visit->password, &j->e);
}

static void command_done(void *user)
{
	struct password_job *j = user;
	struct visit *v = j->visit;

	v->waiting--;
	trim(&v->password);
	if (!j->good)
		(void)err_in(&j->e, "password command");
	visit_password_known(v, j->good ? NULL : &j->e);
	free(j);
}

static bool from_command(struct visit *v, struct err *e)
{
	struct password_job *j = calloc(1, sizeof *j);

	if (!j)
		return err_set(e, ERR_LOCAL, "out of memory");
	j->visit = v;
	if (!job_start(collector_loop(v->collector), run_command, command_done, j, e)) {
		free(j);
		return false;
	}
	v->waiting++;
	return true;
}

void password_get(struct visit *v)
{
	const struct secret *s = &v->with->password;
	bool good = true;
	struct err e;

	if (!buf_room(&v->password, v->password.max)) {	/* at once: growing would leave copies behind */
		(void)err_set(&e, ERR_LOCAL, "out of memory");
		visit_password_known(v, &e);
		return;
	}
	switch (s->kind) {
	case SECRET_NONE:
		break;
	case SECRET_LITERAL:
		good = buf_add(&v->password, span_of(s->text)) || err_set(&e, ERR_CONFIG, "the password is too long");
		break;
	case SECRET_FILE:
		good = from_file(s->text, &v->password, &e);
		break;
	case SECRET_CREDENTIAL:
		good = from_credential(s->text, &v->password, &e);
		break;
	case SECRET_COMMAND:
		if (from_command(v, &e))
			return;		/* command_done goes on */
		good = false;
		break;
	case SECRET_VAULT:
		good = err_set(&e, ERR_CONFIG, "password vault:%s: the vault is not built yet; use file: or command:", s->text);
		break;
	case SECRET_ASK:
		good = err_set(&e, ERR_CONFIG, "no password is set; write password = 'file:PATH' or 'command:CMD'");
		break;
	}
	if (s->kind != SECRET_LITERAL)
		trim(&v->password);
	visit_password_known(v, good ? NULL : &e);
}
