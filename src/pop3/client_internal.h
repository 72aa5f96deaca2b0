/* SPDX-License-Identifier: Apache-2.0
 *
 * The POP3 client's insides, shared by its own files only:
 *   client.c         the session: bytes in and out, the queue, the turn
 *   client_ask.c     the caller's commands and their answers
 *   client_login.c   greeting, CAPA, STLS, up to P3C_READY
 *   client_auth.c    which mechanism next, USER/PASS, APOP, refusals
 *   client_sasl.c    one AUTH exchange
 *
 * Everything that was said and not yet answered stands in `asked`, oldest
 * first; the first `sent` of them are out.  A reply always belongs to the
 * oldest.  Login commands go out as they are asked; the caller's wait in the
 * queue where the server does not pipeline. */
#pragma once

#include "pop3/client.h"
#include "pop3/reply.h"

enum { COMMAND_MAX = 255, STAMP_MAX = 512, CHALLENGE_MAX = P3C_LINE_MAX / 4 * 3 };

#define NOTHING ((struct span){ 0 })

enum verb {
	VERB_NONE = P3C_ASK_NONE, VERB_STAT = P3C_ASK_STAT, VERB_UIDL = P3C_ASK_UIDL, VERB_LIST = P3C_ASK_LIST,
	VERB_RETR = P3C_ASK_RETR, VERB_TOP = P3C_ASK_TOP, VERB_DELE = P3C_ASK_DELE, VERB_QUIT = P3C_ASK_QUIT,
	VERB_GREETING, VERB_CAPA, VERB_STLS, VERB_MECHS, VERB_UTF8, VERB_USER, VERB_PASS, VERB_APOP,
	VERB_AUTH, VERB_CANCEL,
	VERBS
};

struct asked {
	uint32_t number, lines;
	uint8_t verb;
	bool behind;		/* sent while another was unanswered: pipelined */
};

enum expect { EXPECT_REPLY, EXPECT_LISTING, EXPECT_BODY };
enum phase { PHASE_LOGIN, PHASE_READY, PHASE_QUITTING, PHASE_OVER };
enum turn { TURN_SERVER, TURN_TLS, TURN_SASL };	/* whose turn it is: the server's, or the caller's */

struct p3c {
	const struct p3c_login *login;
	struct span in;
	struct lines lines;
	struct dot_in dot;
	struct buf out;
	size_t out_sent;
	enum phase phase;
	enum expect expect;
	enum turn turn;
	uint32_t head, count, sent;	/* of asked */
	uint32_t listed;		/* lines of the listing that comes in */
	uint32_t ahead;			/* commands that are out and that the caller has still to ask: 2 = STAT, UIDL */
	unsigned capabilities, offered;	/* enum p3c_capa; bits 1 << enum sasl_mech */

	bool secure;		/* the line is protected */
	bool clear_agreed;	/* STLS is not to be had, and need not be */
	bool stamp_secure;	/* the timestamp came over a protected line */
	bool greeted, trying, logged_in, tls_refused;
	bool eof;		/* the server closed */
	bool failed;		/* `error` is to be told */
	bool try_next;		/* a mechanism is to be chosen */
	bool ready;		/* P3C_READY is to be told */
	bool pipelining_used, pipelining_proved, pipelining_broken;

	struct ladder ladder;	/* of mechanisms: ladder.now is being tried, or logged in */
	bool pass_void;		/* PASS is out, but USER was refused meanwhile */
	struct {		/* of the AUTH exchange under way */
		bool initial;	/* the caller computes what goes with AUTH itself */
		bool spoke;	/* a response is out */
		bool last;	/* the server said +OK; the caller verifies */
		bool proof_failed;
		bool ends;	/* what we cancelled was too far on for another mechanism */
		unsigned rounds, responses;
	} sasl;

	size_t stamp_len;
	struct err error;

	/* From here on, octets and slots whose count stands above: not cleared at
	 * the start, so that a session that says little touches few pages. */
	char stamp[STAMP_MAX];
	char words[LADDER_TRIES + 1][LADDER_WORDS];
	char challenge[CHALLENGE_MAX];
	char line_memory[P3C_LINE_MAX];
	char out_memory[P3C_OUT_MAX];
	struct asked asked[P3C_WINDOW];
};

/* ---- client.c */

const char *p3_client_verb(enum verb verb);	/* "RETR" */
/* The session fails: told by the next p3c_next.  `words` of the server, or empty. */
void p3_client_fail(struct p3c *s, enum err_kind kind, const char *why, struct span words);
/* As above, for a broken rule: it may be pipelining that broke it. */
void client_broken(struct p3c *s, const char *why, struct span words);
const struct asked *client_oldest(const struct p3c *s);
struct asked *client_push(struct p3c *s, enum verb verb);	/* asserts room */
void p3_client_pop(struct p3c *s);
/* Adds to the out-buffer; what does not fit fails the session. */
void p3_client_say(struct p3c *s, struct span text);
/* A login command with up to two arguments, queued and said. */
void p3_client_command(struct p3c *s, enum verb verb, struct span a, struct span b);

/* ---- client_ask.c */

void ask_fill(struct p3c *s);		/* says what is queued and may go */
void ask_reply(struct p3c *s, enum reply kind, struct span line, struct p3c_event *ev);
void ask_listing_line(struct p3c *s, struct span line, struct p3c_event *ev);
void ask_body(struct p3c *s, struct p3c_event *ev);

/* ---- client_login.c */

void login_reply(struct p3c *s, enum reply kind, struct span line, struct p3c_event *ev);
void login_listing_line(struct p3c *s, struct span line);
void p3_login_done(struct p3c *s);		/* the credentials are accepted */

/* ---- client_auth.c */

void p3_auth_next(struct p3c *s, struct p3c_event *ev);	/* tries the next mechanism */
void auth_reply(struct p3c *s, enum reply kind, struct span line);	/* to USER, PASS, APOP */
/* `ends`: the refusal names the credentials even without a response code. */
void p3_auth_refused(struct p3c *s, struct span line, bool ends);
/* This mechanism is not to be tried again, s->error says why: the server will not; we cannot, and did not say a word of it. */
void p3_auth_pass_over(struct p3c *s);
void p3_auth_unable(struct p3c *s);

/* ---- client_sasl.c */

void p3_sasl_begin(struct p3c *s, struct p3c_event *ev);
void sasl_reply(struct p3c *s, enum reply kind, struct span line, struct p3c_event *ev);
