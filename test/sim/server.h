/* SPDX-License-Identifier: Apache-2.0
 *
 * A model server's side of one connection, and the mailbox behind it.
 *
 * Octets in by session_input, octets out in `out`, which the network takes away
 * piece by piece.  What a session does to the origin's messages happens at once
 * and is the truth: nobody but the client forgets.  session_gone tells that the peer
 * is gone; `closing` asks the network to end the connection behind `out`, `cut` to
 * break it now. */
#pragma once

#include "sim.h"

enum { LINE_MAX_OCTETS = 4096, SESSION_MAILS = MAILS_MAX };

struct session {
	char *out;
	size_t out_at, out_len, out_cap;	/* the network took what is in front of out_at */
	char line[LINE_MAX_OCTETS];
	size_t line_len;
	bool closing, gone;
	enum cut cut;
	/* what it sees */
	bool logged_in, selected;
	bool folder;			/* IMAP: the other folder is selected */
	bool shown[SESSION_MAILS];	/* by index of the mail: its copy there was handed out */
	uint32_t mails[SESSION_MAILS];	/* by number - 1: the snapshot (POP3), the view (IMAP) */
	bool marked[SESSION_MAILS];
	size_t count;
	const char *lost_word;		/* faults: at which command (NULL: any), */
	uint32_t lost_count;		/* the how-many-th; 0 = never, */
	bool lost_after;		/* when it was done, or before it is */
	char tag[32];			/* IMAP */
	bool idling, deaf;		/* IDLE is unanswered; it tells nothing in it */
	uint64_t heard_us;		/* when the last line came */
};

struct session *session_new(void);
void session_input(struct session *s, struct span octets);
void session_gone(struct session *s);

void session_say(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void session_put(struct session *s, struct span octets);
/* pop3d.c, imapd.c */
void pop3d_start(struct session *s);
void pop3d_line(struct session *s, struct span line);
void pop3d_gone(struct session *s);
void imapd_start(struct session *s);
void imapd_line(struct session *s, struct span line);
void imapd_news(struct session *s);	/* something happened to the mailbox: who is idle is told */

/* origin.c */
void origin_found(void);		/* the first messages of a run */
void origin_between(void);		/* what happens while nobody visits */
void origin_others(void);		/* other clients, at any time (IMAP) */
void origin_arrives(void);
void origin_moves(void);		/* to another machine: other ids (IMAP) */
size_t origin_present(void);
void origin_remove(struct mail *m, bool ours);
