/* SPDX-License-Identifier: Apache-2.0
 *
 * One POP3 server session, as pure computation (RFC 1939, 2449, 2595, 3206,
 * 5034, 6856; XTND XMIT as popper had it).
 *
 * The session does no I/O, takes no clock, allocates nothing, owns no buffer
 * and calls no one back.  A turn of the driver:
 *     p3d_feed all octets that are unread: what the last turn left, and behind
 *         it what came since (when something came, or an answer is given);
 *     p3d_next until P3D_NOTHING, and at each event do what it says;
 *     p3d_turn_end says how many of the fed octets, the last ones, are still
 *         unread: the driver keeps them for the next turn.
 * So a partial line lies nowhere but in the driver's own memory, which an idle
 * connection does not have: at most P3D_LINE_MAX - 1 octets, P3D_AUTH_MAX - 1 before
 * the login, and what was read together with a command that is waited for.  It may
 * be a password: the driver wipes it.  What is fed must not change until p3d_turn_end.
 * Replies are written to `out`, a lent buf of P3D_OUT_MIN octets at least, which
 * may be another one at each call; the driver sends it whenever it likes, at
 * the latest at P3D_SEND (no room left: send it, empty it, call again), before
 * a P3D_BODY, and when the turn ends.  A reply is never cut over two of them.
 * A driver may end the turn behind any event, with work left, when its socket is
 * full or others are waiting.
 *
 * Back-pressure: from P3D_TLS, P3D_LOGIN, P3D_SASL, P3D_RETR, P3D_BODY,
 * P3D_COMMIT, P3D_XMIT and P3D_XMIT_END on the session eats nothing until it
 * has its answer; p3d_waiting says so.  Pipelining is of any depth: commands
 * are unread octets.  LIST, UIDL and CAPA are written as `out` drains.
 *
 * The events and what answers them:
 *     P3D_SEND      out is full
 *     P3D_REST      much was done in this turn, of octets or not (LIST walks over what is
 *                   marked, RSET back): let others have theirs, go on in another
 *     P3D_TLS       STLS was accepted.  Send out, end the turn: if anything is
 *                   unread it was injected, and the connection must end; else
 *                   start TLS, then p3d_secured.  User name, UTF8, LANG and the
 *                   old settings are forgotten (RFC 2595 section 4)
 *     P3D_LOGIN     mech SASL_USER: name, text = password (any octets but
 *                   controls, perhaps empty); SASL_APOP: name, text = 32 hexadecimal
 *                   digits in either case.  → p3d_login_ok, p3d_login_refused
 *     P3D_SASL      a step of mech; first: a new exchange; given: the client
 *                   sent a response (never without it but at first), which is
 *                   text, in base64 that is sure to be well-formed, and of `size`
 *                   octets once decoded: the step runs elsewhere, so decode it
 *                   straight into that job's memory (base64_decode).
 *                   → p3d_sasl_challenge, p3d_login_ok, p3d_login_refused.  Data with
 *                   success (SCRAM's proof) is a challenge, answered by an empty response
 *     P3D_SASL_OVER the exchange ended without the caller: "*", or no base64
 *     P3D_RETR      number (1 up, of drop.messages[number - 1]); all, or the header
 *                   and `lines` lines of the body (TOP).
 *                   → p3d_message_begin only if its octets are at hand, else
 *                   p3d_message_refused
 *     P3D_BODY      the +OK is in out: send out, then the message through
 *                   wire/stuff.h, past the session and without copying it, then
 *                   p3d_message_end.  Between them nothing but the connection's end
 *                   may happen: a message that fails halfway ends it.
 *                   A RETR marks its record DROP_READ, TOP does not
 *     P3D_COMMIT    QUIT, and records are marked DROP_DELETED or DROP_READ:
 *                   make it so, durably, then p3d_committed
 *     P3D_XMIT      a message is to be submitted.  → p3d_xmit_go, p3d_xmit_refused
 *     P3D_XMIT_BODY text: octets of it, unstuffed, never empty
 *     P3D_XMIT_END  it is whole.  → p3d_xmit_accepted, p3d_xmit_refused
 * and the last ones; after one of these there are only P3D_NOTHING, and out to be sent:
 *     P3D_BYE       close in order; good: QUIT was answered +OK
 *     P3D_GONE      the client closed (p3d_eof) before QUIT: nothing is deleted,
 *                   an unfinished submission is none
 *     P3D_OVERLONG  a line of more than P3D_LINE_MAX octets: end, deny the address
 *     P3D_TLS_HELLO the first octets on a clear line were 0x16 0x03: no denial
 * Every answer's words (a challenge, too) are borrowed until a p3d_next that says anything
 * but P3D_SEND, and are made safe there: controls become '?', so do octets above
 * 127 before UTF8 or LANG, and what does not fit into P3D_REPLY_MAX is cut.  NULL
 * takes words of ours.  For an unknown user and for a wrong password say
 * P3D_CODE_AUTH and NULL, always.
 * Lines (RFC 2449 section 4; counted with their line end, of which a lone LF is
 * one too, since people and probes type so; in XTND XMIT's data only CRLF is):
 *   over P3D_COMMAND_MAX octets -ERR, over P3D_LINE_MAX P3D_OVERLONG; but before
 *   login AUTH and its responses may have P3D_AUTH_MAX.  Control octets, NUL and
 *   TAB among them, in a command: -ERR, in its turn, for that line.  Whatever
 *   it is, a line is answered exactly once; nothing of it is ever echoed.
 *   P3D_BAD_MAX lines in a row that are no command end the session (P3D_BYE);
 *   "no such message" and refused logins are commands.
 * Blanks may stand between arguments and at the end, not in front; PASS takes
 * all octets behind its first blank, USER all but blanks at the ends.  Numbers
 * are digits only and less than 2^32.
 *
 * CAPA says of USER, SASL, UTF8, LANG, TOP and the others the same before and
 * after login ("both / no" in the RFCs), of STLS only while it would be done.
 * TLS or none, policy, penalties, deadlines, and what a mechanism is, are the
 * caller's: it changes what is offered by other settings.  A message that
 * another client removed is still listed: numbers never change, RETR is refused.
 * Nothing is sent when time runs out (RFC 1939 section 3): just close. */
#pragma once

#include "base/buf.h"
#include "sasl/client.h"
#include "wire/drop.h"

enum {
	P3D_REPLY_MAX = 512, P3D_COMMAND_MAX = 255, P3D_LINE_MAX = 512, P3D_AUTH_MAX = 16 * 1024,
	P3D_GREETING_MAX = 500, P3D_CHALLENGE_MAX = 2046, P3D_OUT_MIN = 4096, P3D_BAD_MAX = 16, P3D_UID_MAX = 70,
	P3D_WORK = 16384,	/* until P3D_REST: a record that is looked at is 1, a line that is eaten P3D_LINE_WORK */
	P3D_LINE_WORK = 8,
};
#define P3D_EXPIRE_NEVER UINT32_MAX

struct p3d_settings {		/* borrowed until p3d_secured brings others, or the end */
	const char *greeting;	/* behind "+OK ", at most P3D_GREETING_MAX octets, APOP's stamp and all */
	uint32_t mechs;		/* bits 1 << enum sasl_mech, offered on this line now; SASL_USER, SASL_APOP too */
	bool secure;		/* the line is protected */
	bool stls;		/* TLS can be started on it */
	bool utf8_user;		/* names and passwords in UTF-8 are understood: RFC 6856 section 2.2 */
	bool submission;	/* XTND XMIT */
	uint32_t login_delay_s;	/* 0: none */
	uint32_t expire_days;	/* 0: not told; P3D_EXPIRE_NEVER */
	const char *implementation;	/* NULL: hidden */
};

struct p3d_drop {		/* the snapshot; lent until the session ends */
	struct drop_message *messages;	/* oldest first; DROP_MARKS are the session's from now on, and not set yet;
					 * the uid is 16 hexadecimal digits in UIDL */
	uint32_t count;
	bool keep;		/* nothing may be deleted here: DELE is refused, with P3D_CODE_SYS_PERM */
	const char *const *uids;	/* of a maildrop taken over, one a message; NULL: `uid` counts.  A
				 * text that is none (RFC 1939: 1 to 70 of 0x21..0x7e) gives way to `uid` */
};

enum p3d_what {
	P3D_NOTHING, P3D_SEND, P3D_REST, P3D_TLS, P3D_LOGIN, P3D_SASL, P3D_SASL_OVER, P3D_RETR, P3D_BODY, P3D_COMMIT,
	P3D_XMIT, P3D_XMIT_BODY, P3D_XMIT_END, P3D_BYE, P3D_GONE, P3D_OVERLONG, P3D_TLS_HELLO
};

enum p3d_code { P3D_CODE_NONE, P3D_CODE_AUTH, P3D_CODE_SYS_TEMP, P3D_CODE_SYS_PERM, P3D_CODE_IN_USE, P3D_CODE_LOGIN_DELAY };

struct p3d_event {		/* spans borrow what was fed, or the session, until the next call */
	enum p3d_what what;
	enum sasl_mech mech;	/* LOGIN, SASL */
	struct span name;	/* LOGIN */
	struct span text;	/* LOGIN, SASL, XMIT_BODY */
	size_t size;		/* SASL */
	bool first, given;	/* SASL */
	uint32_t number, lines;	/* RETR, BODY */
	bool all;		/* RETR, BODY */
	bool good;		/* BYE */
};

struct p3d;			/* less than half a KiB; see p3d_size */

size_t p3d_size(void);
void p3d_start(struct p3d *s, const struct p3d_settings *settings);
void p3d_end(struct p3d *s);	/* wipes it */

void p3d_feed(struct p3d *s, struct span in);
enum p3d_what p3d_next(struct p3d *s, struct buf *out, struct p3d_event *ev);
size_t p3d_turn_end(struct p3d *s);
/* The client sends no more: what it said is still done, then comes P3D_GONE. */
void p3d_eof(struct p3d *s);
/* The next command is answered by -ERR with these words, and the session ends; `words`
 * must live on.  A message under way, or what is waited for, is finished before. */
void p3d_stop(struct p3d *s, const char *words);
/* The answer that was just given is the last: it is said, nothing more is eaten, P3D_BYE follows. */
void p3d_last(struct p3d *s);
bool p3d_waiting(const struct p3d *s);		/* for the caller's answer: nothing is eaten */
bool p3d_logged_in(const struct p3d *s);

void p3d_secured(struct p3d *s, const struct p3d_settings *settings);	/* may be those of before, changed */
void p3d_sasl_challenge(struct p3d *s, struct span challenge);	/* at most P3D_CHALLENGE_MAX octets, not coded */
void p3d_login_ok(struct p3d *s, const struct p3d_drop *drop);
void p3d_login_refused(struct p3d *s, enum p3d_code code, const char *words);
void p3d_message_begin(struct p3d *s);
void p3d_message_refused(struct p3d *s, enum p3d_code code, const char *words);
void p3d_message_end(struct p3d *s);
void p3d_committed(struct p3d *s, bool good);
void p3d_xmit_go(struct p3d *s);
void p3d_xmit_accepted(struct p3d *s);
void p3d_xmit_refused(struct p3d *s, enum p3d_code code, const char *words);
