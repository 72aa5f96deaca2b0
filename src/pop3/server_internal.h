/* SPDX-License-Identifier: Apache-2.0
 *
 * The POP3 server session's insides, shared by its own files only:
 *   server.c          the session: lines out of octets, the turn, the end
 *   server_command.c  the table of commands, what may be one, and when
 *   server_say.c      replies: the one place that writes to out
 *   server_login.c    USER, PASS, APOP, STLS, UTF8; the caller's verdict
 *   server_sasl.c     AUTH and its exchange
 *   server_list.c     answers of many lines: CAPA, AUTH, LANG, LIST, UIDL
 *   server_drop.c     the maildrop: STAT to DELE, RETR and TOP, QUIT
 *   server_xmit.c     XTND XMIT
 *
 * `wait` names whose turn it is.  An answer function asserts the wait it ends,
 * and leaves what is to be said in `answer`; the next p3d_next says it first,
 * for only there is an out to write to.  At each step of p3d_next there is
 * room in out for P3D_REPLY_MAX octets. */
#pragma once

#include <assert.h>

#include "pop3/server.h"
#include "wire/dot.h"

enum { NAME_MAX_LEN = P3D_COMMAND_MAX };

enum phase { PHASE_AUTH = 1, PHASE_TRANS = 2, PHASE_OVER = 4 };		/* bits, for the table */

enum wait {
	WAIT_CLIENT,		/* not at all: the client's octets are eaten */
	WAIT_TLS, WAIT_LOGIN, WAIT_SASL, WAIT_READABLE, WAIT_BODY, WAIT_COMMIT, WAIT_XMIT, WAIT_XMIT_END
};

enum reading { READ_COMMAND, READ_RESPONSE, READ_XMIT };	/* what the client's octets are */

enum answer {			/* of the caller, still to be said */
	ANSWER_NONE, ANSWER_GREETING, ANSWER_CHALLENGE, ANSWER_LOGIN_OK, ANSWER_REFUSED, ANSWER_BEGIN, ANSWER_COMMITTED,
	ANSWER_XMIT_GO, ANSWER_XMIT_OK
};

enum listing { LISTING_NONE, LISTING_CAPA, LISTING_MECHS, LISTING_LANGS, LISTING_SIZES, LISTING_UIDS };

struct p3d {
	const struct p3d_settings *settings;
	const struct p3d_drop *drop;
	struct buf *out;		/* within p3d_next only */
	struct span in;			/* unread, within a turn only */
	size_t held;			/* octets unread at the end of the last turn */
	size_t scanned;			/* of the unread: known to have no LF */
	const char *stop;		/* words of p3d_stop */
	enum phase phase;
	enum wait wait;
	enum reading reading;
	enum answer answer;
	enum p3d_code code;		/* of ANSWER_REFUSED */
	struct span words;		/* of ANSWER_REFUSED (NULL: `ours`), ANSWER_CHALLENGE */
	const char *ours;
	enum listing listing;
	uint32_t cursor;		/* in the listing: the next line */
	uint32_t number, lines;		/* RETR, TOP under way */
	uint32_t left, marked, read;	/* messages not marked deleted; marked so; read */
	uint32_t work;			/* done since the last rest */
	uint64_t octets;		/* of those not marked, modulo 2^64 */
	enum sasl_mech mech;		/* of the exchange under way */
	struct dot_in dot;
	uint8_t bad;			/* lines in a row that were no command */
	bool turn, eof, last, begun;		/* begun: the client's first octets were judged */
	bool all;			/* RETR, not TOP */
	bool utf8, lang;
	bool good;			/* ANSWER_COMMITTED */
	uint8_t name_len;		/* of USER, 0: none */
	char name[NAME_MAX_LEN];
};

static_assert(sizeof(struct p3d) <= 512, "ten thousand of them are idle");

/* ---- server.c */

/* Eats a whole line, without its line end; false: there is none yet (or the
 * session ended for it, as ev says).  `size` is counted with the line end. */
bool server_line(struct p3d *s, size_t max, struct span *line, size_t *size, struct p3d_event *ev);
void server_over(struct p3d *s, struct p3d_event *ev, enum p3d_what what);
void server_wait(struct p3d *s, struct p3d_event *ev, enum wait wait, enum p3d_what what);
/* An answer of the caller's, who must have been waited for. */
void server_answer(struct p3d *s, enum wait wait, enum answer answer);
void server_turn_down(struct p3d *s, enum wait wait, enum p3d_code code, const char *words, const char *ours);

/* ---- server_say.c */

void server_say(struct p3d *s, const char *text);		/* one whole line of ours, CRLF added */
void server_say_line(struct p3d *s, struct span text);
void server_sayf(struct p3d *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void server_say_words(struct p3d *s, struct span head, struct span words);	/* made safe, cut */
void server_say_refusal(struct p3d *s);
void server_say_challenge(struct p3d *s);

/* ---- server_command.c */

void server_command(struct p3d *s, struct p3d_event *ev);
/* -ERR for what is no command; the session may end for it. */
void server_bad(struct p3d *s, struct p3d_event *ev, const char *text);

/* What stands behind the command's word. */
struct args {
	struct span rest;	/* all behind the first blank */
	struct span word[2];	/* parted by blanks, */
	unsigned count;		/* of which there are as many: COUNT(word) + 1 means more */
	bool blank;		/* there was a first blank */
};

/* Handlers; false: the arguments are none, which server_command says. */
bool server_user(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_pass(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_apop(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_stls(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_utf8(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_auth(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_capa(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_lang(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_stat(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_list(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_uidl(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_retr(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_top(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_dele(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_rset(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_noop(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_quit(struct p3d *s, const struct args *a, struct p3d_event *ev);
bool server_xtnd(struct p3d *s, const struct args *a, struct p3d_event *ev);

/* ---- server_login.c */

bool server_offers(const struct p3d *s, enum sasl_mech mech);

/* ---- server_sasl.c */

void server_response(struct p3d *s, struct p3d_event *ev);

/* ---- server_list.c */

void server_list_begin(struct p3d *s, enum listing listing);
void server_list_line(struct p3d *s);		/* the next one, or the end */
void server_uid(const struct p3d *s, uint32_t number, char out[P3D_UID_MAX + 1]);

/* ---- server_drop.c */

void server_drop_open(struct p3d *s, const struct p3d_drop *drop);
void server_begin(struct p3d *s, struct p3d_event *ev);
void server_say_committed(struct p3d *s, struct p3d_event *ev);

/* ---- server_xmit.c */

void server_xmit_body(struct p3d *s, struct p3d_event *ev);
