/* SPDX-License-Identifier: Apache-2.0
 *
 * What the service and its helper for PAM say to each other: pam.h is the one side, main/pam_helper.h the other.
 *
 * A socket pair (SOCK_SEQPACKET), one record a packet, between two processes of the same binary: so records are
 * structs, all of them of full size, texts ended by a NUL and cleared behind it.  The helper begins with a reply of
 * the id 0: it is there.  Then each request has one reply, in any order.
 * The helper takes PAM_TAKES requests at once, of which PAM_AT_ONCE are judged; more are answered BUSY.  Each is
 * answered within twice PAM_TIMEOUT_MS: so long it waits at most, and so long a conversation may last. */
#pragma once

#include "net/address.h"
#include "serve/elsewhere.h"
#include "store/account.h"

#define PAM_HELPER_OPTION "--pam-helper"	/* how our binary is told to be the helper; its descriptor 0 is the socket */

enum { PAM_AT_ONCE = 8, PAM_QUEUE = 64, PAM_TAKES = PAM_AT_ONCE + PAM_QUEUE, PAM_TIMEOUT_MS = 30 * 1000 };
enum { PAM_SERVICE_MAX = 64, PAM_WHY_MAX = 200 };

struct pam_request {
	uint64_t id;				/* never 0 */
	char service[PAM_SERVICE_MAX + 1];	/* a file's name: letters, digits, '.', '_', '-' */
	char user[ACCOUNT_NAME_MAX + 1];	/* as PAM is to be told */
	char rhost[ADDRESS_TEXT];
	char secret[ACCOUNT_PASSWORD_MAX + 1];
};

/* Of `main_domain` (NULL: there is none) PAM is told the local part, of others the whole name.  *r is wiped by the caller.
 * False: something does not fit, or has a NUL in it. */
[[nodiscard]] bool pam_request_fill(struct pam_request *r, uint64_t id, const struct elsewhere_ask *ask, const char *main_domain);
/* Has it the form of one?  Whatever the octets are. */
bool pam_request_good(const struct pam_request *r);

struct pam_reply {
	uint64_t id;
	uint32_t said;				/* enum elsewhere_said */
	char why[PAM_WHY_MAX + 1];		/* for the log; "" for RIGHT */
};
