/* SPDX-License-Identifier: Apache-2.0
 *
 * One conversation with PAM, in a process that ends behind it. */
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "main/pam_helper.h"

enum { PROMPTS_MAX = 16 };	/* a module that asks for ever is not answered for ever */

struct talk {
	const char *secret;
	int prompts;
};

static void drop(struct pam_response *all, int count)
{
	for (int n = 0; n < count; n++) {
		if (all[n].resp)
			wipe(all[n].resp, strlen(all[n].resp));
		free(all[n].resp);
	}
	free(all);
}

/* False: what is asked for is no password, or there is no memory. */
static bool respond(struct talk *t, const struct pam_message *m, struct pam_response *r)
{
	if (m->msg_style == PAM_TEXT_INFO || m->msg_style == PAM_ERROR_MSG)
		return true;		/* nobody is there to read it */
	if (m->msg_style != PAM_PROMPT_ECHO_OFF || t->prompts++ == PROMPTS_MAX)
		return false;
	r->resp = strdup(t->secret);
	return r->resp;
}

static int on_messages(int count, const struct pam_message **messages, struct pam_response **out, void *user)
{
	struct pam_response *all;

	if (count <= 0 || count > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	all = calloc((size_t)count, sizeof *all);
	if (!all)
		return PAM_BUF_ERR;
	for (int n = 0; n < count; n++) {
		if (respond(user, messages[n], &all[n]))
			continue;
		drop(all, count);
		return PAM_CONV_ERR;
	}
	*out = all;
	return PAM_SUCCESS;
}

/* login.h delays what was wrong, after everybody's penalty; here it would only keep a place. */
static void no_delay(int status, unsigned us, void *user)
{
	(void)status;
	(void)us;
	(void)user;
}

/* Could it not be told?  All else fails closed, and counts as a failed login: PAM_SYSTEM_ERR, too, since it is what pam_exec
 * says of a program that refuses, and nobody may try passwords for nothing. */
static bool is_fault(int status)
{
	return status == PAM_OPEN_ERR || status == PAM_SYMBOL_ERR || status == PAM_MODULE_UNKNOWN || status == PAM_BUF_ERR || status == PAM_ABORT ||
	       status == PAM_AUTHINFO_UNAVAIL;
}

/* A stack may name another user than was asked for. */
static bool same_user(pam_handle_t *pam, const char *asked)
{
	const void *user = NULL;

	return pam_get_item(pam, PAM_USER, &user) == PAM_SUCCESS && user && strcasecmp(user, asked) == 0;
}

static int judge(pam_handle_t *pam, const struct pam_request *r)
{
	void (*delay)(int status, unsigned us, void *user) = no_delay;
	const void *item;
	int status;

	memcpy(&item, &delay, sizeof item);
	status = pam_set_item(pam, PAM_RHOST, r->rhost);
	if (status == PAM_SUCCESS)
		status = pam_set_item(pam, PAM_TTY, "postrider");
	if (status == PAM_SUCCESS)
		status = pam_set_item(pam, PAM_FAIL_DELAY, item);
	if (status == PAM_SUCCESS)
		status = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (status == PAM_SUCCESS)
		status = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	return status;
}

void pam_talk(const struct pam_request *r, const char *confdir, struct pam_reply *reply)
{
	struct talk t = { .secret = r->secret };
	const struct pam_conv conv = { on_messages, &t };
	pam_handle_t *pam = NULL;
	int status = confdir ? pam_start_confdir(r->service, r->user, &conv, confdir, &pam) : pam_start(r->service, r->user, &conv, &pam);

	if (status != PAM_SUCCESS) {
		reply->said = ELSEWHERE_BUSY;
		(void)snprintf(reply->why, sizeof reply->why, "PAM: the service %s cannot be begun", r->service);
		return;
	}
	status = judge(pam, r);
	if (status == PAM_SUCCESS && !same_user(pam, r->user)) {
		status = PAM_PERM_DENIED;
		reply->said = ELSEWHERE_WRONG;
		(void)snprintf(reply->why, sizeof reply->why, "PAM: the service %s made another user of it", r->service);
	} else {
		reply->said = status == PAM_SUCCESS ? ELSEWHERE_RIGHT : is_fault(status) ? ELSEWHERE_BUSY : ELSEWHERE_WRONG;
		if (status != PAM_SUCCESS)
			(void)snprintf(reply->why, sizeof reply->why, "PAM: %s", pam_strerror(pam, status));
	}
	(void)pam_end(pam, status);
}
