/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/visit.h"

#include <stdlib.h>

#include "deliver/password.h"
#include "net/jobs.h"

struct password_job {
	struct visit *visit;
	struct err e;
	bool good;
};

static void run_command(void *user)
{
	struct password_job *j = user;

	j->good = password_read(&j->visit->with->password, NULL, &j->visit->stop_command, &j->visit->password, &j->e);
}

static void command_done(void *user)
{
	struct password_job *j = user;
	struct visit *v = j->visit;

	v->waiting--;
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
	bool good;
	struct err e;

	if (s->kind == SECRET_COMMAND) {
		if (from_command(v, &e))
			return;		/* command_done goes on */
		good = false;
	} else {
		good = password_read(s, collector_vault(v->collector), NULL, &v->password, &e);
	}
	visit_password_known(v, good ? NULL : &e);
}
