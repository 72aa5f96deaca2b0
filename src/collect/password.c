/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/visit.h"

#include <assert.h>
#include <stdlib.h>

#include "config/secret.h"
#include "net/child.h"
#include "net/jobs.h"

enum { COMMAND_TIMEOUT_MS = 60000 };

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
	secret_trim(&v->password);
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
	case SECRET_LITERAL:
	case SECRET_FILE:
	case SECRET_CREDENTIAL:
		good = secret_read(s, &v->password, &e);
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
	visit_password_known(v, good ? NULL : &e);
}
