/* SPDX-License-Identifier: Apache-2.0
 *
 * PAM's users (pam:SERVICE): the side of the service, a judge for login.h.
 *
 * PAM's modules block, leak, and want root: they run in a helper, a process that `run` starts before it gives up root
 * (main/pam_begin.h), and in children of it, one a conversation (main/pam_helper.h).  Here are the questions:
 *
 *     c = pam_client_new(&with, &e); judge = pam_client_judge(c) …                 judge lives as long as c
 *     a reload: pam_client_want(c, &e) when the new settings name PAM; once they count, pam_client_domain(c, main domain)
 *     … pam_client_free(&c)                        when no login is left (asserted); the helper ends with it
 * One thread of ours hears the answers; judge's functions are for any loop, the others for the main thread.
 *
 * PAM_TAKES questions at most are open at once, PAM_FROM_ONE from one address range (IPv4 /24, IPv6 /48), whether who
 * asked waits or has gone; more are refused (ERR_BUSY), so that nobody keeps PAM from others.  What the helper does not
 * answer in time is BUSY; so is all that it was asked when it ends.  It is then started again, once a second
 * at most, as long as `start` is there; where it is not, since root was given up, the log says: restart postrider.
 *
 * PAM is told the local part of an account in the main domain, and of others the whole name.
 * Secrets: copied into a packet that is wiped once it is sent; kept nowhere. */
#pragma once

#include <sys/types.h>

#include "serve/elsewhere.h"

enum { PAM_FROM_ONE = 18 };

struct pam_helper {
	int fd;			/* our end of the socket pair; -1: there is none */
	pid_t pid;		/* to be waited for by who has it */
};

struct pam_with {
	struct pam_helper first;	/* becomes ours, also when pam_client_new fails */
	bool (*start)(void *context, struct pam_helper *h, struct err *e);	/* another one, on a thread of ours; NULL: that cannot be */
	void *context;
	const char *main_domain;	/* copied; NULL: there is none */
	uint32_t patience_ms;		/* for tests; 0: what pam_wire.h promises, and a little */
};

struct pam_client;

/* ERR_LOCAL. */
[[nodiscard]] struct pam_client *pam_client_new(const struct pam_with *with, struct err *e);
/* Is there a helper, or was there one?  If not, it is started.  ERR_CONFIG: it can no longer be; ERR_LOCAL. */
[[nodiscard]] bool pam_client_want(struct pam_client *c, struct err *e);
void pam_client_domain(struct pam_client *c, const char *main_domain);
const struct elsewhere *pam_client_judge(struct pam_client *c);
void pam_client_free(struct pam_client **c);
