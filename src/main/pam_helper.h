/* SPDX-License-Identifier: Apache-2.0
 *
 * The helper for PAM: a process that judges passwords and does nothing else (serve/pam_wire.h says how it is asked).
 *
 * It has one descriptor of ours, the socket; no variables, no core files, no terminal; root if it was there when `run`
 * was started.  Only the other end of its socket can ask, and it ends with that: by the end of
 * the socket, or by the kernel's signal when who started it is dead.
 * Modules may block, leak, crash, start threads or exit: each conversation has a child, which has that one request, the
 * pipe of its answer, and a process group that is killed behind it.  What comes beyond PAM_AT_ONCE waits here in the order it came;
 * what comes beyond PAM_QUEUE, has the wrong form, or waited too long is answered BUSY. */
#pragma once

#include "serve/pam_wire.h"

struct pam_helper_with {
	const char *confdir;	/* of the services' files, for tests; NULL: the system's */
	uint32_t timeout_ms;	/* of waiting, and of a conversation */
};

/* Until the socket ends.  Returns an exit status. */
int pam_helper_run(int socket, const struct pam_helper_with *with);

/* pam_talk.c: one conversation, in a process of its own. */
void pam_talk(const struct pam_request *r, const char *confdir, struct pam_reply *reply);
