/* SPDX-License-Identifier: Apache-2.0
 *
 * One client's session: a connection (net/conn.h), its conversation (pop3/server.h), and what is done about it.
 *
 *     session_accept(worker, rules, door, fd, from)   and it goes on by itself
 * It is one allocation, freed when the connection has ended and nothing that was begun
 * for it (a job, a commit) is under way.  An idle one has no buffers: unread octets are
 * kept only while there are some, what is sent is built in the worker's.
 *
 * session.c turns: octets in, events, octets out; session_login.c the login; session_open.c from it to
 * the maildrop; session_body.c messages; session_xmit.c XTND XMIT; session_end.c QUIT and all other ends,
 * and what the log says. */
#pragma once

#include "base/log.h"
#include "net/conn.h"
#include "net/jobs.h"
#include "net/listener.h"
#include "pop3/server.h"
#include "serve/says.h"
#include "serve/worker.h"
#include "store/maildrop.h"
#include "wire/stuff.h"

#define SESSION_GOES_ON SAYS_ENDS	/* no reason to end yet; the first one counts */

struct session_line;
struct session_way;
struct submitting;

struct session {
	struct worker *worker;		/* NULL: it is gone, and a job is not back yet */
	struct rules *rules;
	const struct rules_door *door;
	struct conn *conn;		/* NULL: it has ended */
	struct session *before, *after;	/* all of the worker */
	struct session *older, *newer;	/* of those that are not logged in */
	struct session *next_resting;
	uint64_t id, began_ms;
	struct p3d_settings settings, secured;	/* secured: behind STLS */
	char *greeting;			/* with the stamp, until the login; NULL: the rules' */
	struct buf kept;		/* unread octets */
	struct login *login;
	struct session_line *line;	/* what the login borrows */
	struct session_opening *opening;	/* the login was good, the maildrop is not open yet */
	char *account;			/* NULL: not logged in */
	char *box;			/* NULL: ACCOUNT/INBOX */
	char *words;			/* of the last refusal, which borrowed them */
	enum sasl_mech mech;
	struct maildrop *drop;
	struct p3d_drop lent;
	struct maildrop_reading reading;
	struct stuff stuff;
	struct submitting *xmit;	/* a message comes in */
	struct session_way *way;	/* one is on its way */
	uint64_t octets;
	int64_t slow_taken;
	uint32_t messages, tops, deleting, deleted, slow_rounds;
	uint8_t jobs, commits;		/* that come back to it */
	uint8_t end;			/* enum says_end */
	uint8_t rights;			/* of acl.h, on the box */
	uint32_t number, lines;		/* RETR, TOP */
	bool all, fetching;
	bool quit_failed, resting;
	bool receiving;			/* the octets of `xmit` come, or are to come */
	bool opened, upgrading;		/* the conversation began; TLS is asked for */
	bool refused;			/* behind a proxy: it was not let in, as the log says, and is no session */
	bool full, sending, closing, waits_login, left;	/* left: what it leaves behind is on its way */
	struct admission_seat seat;
	_Alignas(16) char p3d[];
};

static inline struct p3d *session_p3d(struct session *s)
{
	return (struct p3d *)s->p3d;
}

/* Takes `fd`. */
void session_accept(struct worker *w, const struct rules_door *door, int fd, const union address *from);
/* The worker's rounds, each SWEEP_MS: what is too old, or takes too little, ends. */
void session_sweep(struct session *s, uint64_t now_ms);
/* Ends as soon as nothing is under way. */
void session_stop(struct session *s);
/* Makes room for another one. */
void session_evict(struct session *s);
void session_free(struct session *s);	/* the worker ends; a job under way frees it when it comes back */

/* Between its files. */
static inline void session_sent(struct session *s, size_t n)
{
	s->octets += n;
	worker_count(s->worker, COUNT_OCTETS, (int64_t)n);
}

/* What is denied or blocked with this client: its address, or the /64 that it is in. */
struct network session_network(const struct session *s);
enum { SESSION_TLS_TEXT = 16 };
const char *session_tls(const struct session *s, char out[SESSION_TLS_TEXT]);	/* "TLSv1.3"; NULL: none */
void session_log(const struct session *s, enum log_level level, const char *line);
void session_pump(struct session *s, struct span in);
bool session_flush(struct session *s);		/* false: the socket takes no more */
void session_over(struct session *s, enum says_end why);	/* closes in order */
bool session_busy(const struct session *s);	/* amid an answer, or a message of XTND XMIT */
void session_release(struct session *s);
void session_login(struct session *s, const struct p3d_event *ev);
void session_sasl(struct session *s, const struct p3d_event *ev);
void session_login_end(struct session *s);
void session_open(struct session *s, const struct login_answer *a);	/* the login was good */
const char *session_box(const struct session *s, char own[MAILBOX_NAME_MAX + 1]);	/* ACCOUNT/BOX */
void session_retr(struct session *s, const struct p3d_event *ev);
void session_retr_again(struct session *s, bool wait);
void session_body(struct session *s, const struct p3d_event *ev);
bool session_send_body(struct session *s);
void session_commit(struct session *s);
void session_xmit(struct session *s);
void session_xmit_body(struct session *s, struct span octets);
void session_xmit_end(struct session *s);
uint64_t session_xmit_size(const struct session *s);	/* octets that came, while it is receiving */
void session_xmit_free(struct session *s);
void session_closed(struct session *s, const struct err *why);
