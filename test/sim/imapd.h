/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the model IMAP server: what its two files share.  imapd.c speaks and
 * lists; imapd_mail.c hands messages out and disposes of them. */
#pragma once

#include "server.h"

#define IMAPD_FOLDER "Done"

enum { IMAPD_UIDPLUS = 1, IMAPD_MOVE = 2, IMAPD_ESEARCH = 4, IMAPD_CONDSTORE = 8, IMAPD_ALL = 15, IMAPD_IDLE = 16, IMAPD_FOLDER_VALIDITY = 77 };

bool imapd_in_set(struct span set, uint32_t uid);
struct mail *imapd_mail(const struct session *s, size_t at);	/* in the session's view, at + 1 to the client */
uint32_t imapd_uid(const struct session *s, size_t at);
void imapd_tell_changes(struct session *s);
void imapd_ok(struct session *s, const char *text);
void imapd_no(struct session *s, const char *text);

/* imapd_mail.c; `args` is what follows the command's name */
void imapd_fetch(struct session *s, struct span args);
void imapd_store(struct session *s, struct span args);
void imapd_expunge(struct session *s, struct span *set);	/* NULL: all that are marked */
void imapd_copy(struct session *s, struct span args, bool move);
