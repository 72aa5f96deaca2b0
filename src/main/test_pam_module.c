/* SPDX-License-Identifier: Apache-2.0
 *
 * A PAM module for tests, the unit tests of the helper and test/e2e/test_serve_pam.py: what it does, the user's name says. */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD "geheim&Pam"

enum { PIPE = 3 };

static const unsigned delay_us = 20 * 1000 * 1000;

static int say(pam_handle_t *pam, int style, const char *text)
{
	const struct pam_message m = { .msg_style = style, .msg = text }, *all = &m;
	const struct pam_conv *conv;
	const void *item;
	struct pam_response *r = NULL;
	int status = pam_get_item(pam, PAM_CONV, &item);

	conv = item;
	if (status == PAM_SUCCESS)
		status = conv->conv(1, &all, &r, conv->appdata_ptr);
	if (r)
		free(r->resp);
	free(r);
	return status;
}

static void for_ever(void)
{
	for (;;)
		(void)pause();
}

static int as_the_name_says(pam_handle_t *pam, const char *user)
{
	const void *rhost = NULL;

	if (strcmp(user, "hangs") == 0)
		for_ever();
	if (strcmp(user, "crashes") == 0)
		(void)raise(SIGKILL);
	if (strcmp(user, "exits") == 0)
		_exit(0);
	if (strcmp(user, "closes") == 0 && close(PIPE) == 0)
		for_ever();
	if (strcmp(user, "leaves") == 0 && fork() == 0)
		for_ever();
	if (strcmp(user, "unavailable") == 0)
		return PAM_AUTHINFO_UNAVAIL;
	if (strcmp(user, "visible") == 0)
		return say(pam, PAM_PROMPT_ECHO_ON, "code: ");
	if (strcmp(user, "chatty") == 0)
		return say(pam, PAM_TEXT_INFO, "your password ends soon");
	if (strcmp(user, "becomes") == 0)
		return pam_set_item(pam, PAM_USER, "anna");
	if (strcmp(user, "louder") == 0)
		return pam_set_item(pam, PAM_USER, "LOUDER");
	if (strcmp(user, "local") == 0 && pam_get_item(pam, PAM_RHOST, &rhost) == PAM_SUCCESS)
		return rhost && strcmp(rhost, "127.0.0.1") == 0 ? PAM_SUCCESS : PAM_PERM_DENIED;
	return PAM_SUCCESS;
}

int pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	const char *user, *password;
	int status = pam_get_user(pam, &user, NULL);

	(void)argc;
	(void)argv;
	if (status == PAM_SUCCESS && !((unsigned)flags & PAM_SILENT))
		return PAM_SERVICE_ERR;
	if (status == PAM_SUCCESS)
		status = pam_get_authtok(pam, PAM_AUTHTOK, &password, NULL);
	if (status != PAM_SUCCESS)
		return status;
	if (strcmp(password, PASSWORD) != 0) {
		(void)pam_fail_delay(pam, delay_us);
		return PAM_AUTH_ERR;
	}
	return as_the_name_says(pam, user);
}

int pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}

int pam_sm_acct_mgmt(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	const char *user;
	int status = pam_get_user(pam, &user, NULL);

	(void)flags;
	(void)argc;
	(void)argv;
	return status == PAM_SUCCESS && strcmp(user, "expired") == 0 ? PAM_ACCT_EXPIRED : status;
}
