/* SPDX-License-Identifier: Apache-2.0
 *
 * One POP3 client conversation, as pure computation (RFC 1939, 2449, 2595,
 * 5034, 6856).
 *
 * The session does no I/O, takes no clock, allocates nothing and calls no one
 * back.  The driver's turn is always the same three steps:
 *     p3c_feed the bytes that came in; call p3c_next until it says
 *     P3C_NOTHING; send p3c_out and drop what was sent with p3c_sent.
 * p3c_next must be drained before the next feed (asserted).  Spans inside an
 * event borrow the fed bytes or the session and die with the next call.
 * p3c_secured, p3c_sasl_answer, p3c_sasl_cancel and p3c_eof may bring events
 * and output too: after them, call p3c_next until P3C_NOTHING and send p3c_out.
 * A peer's error comes as P3C_FAILED, once; then the session only ends: what
 * it is fed is ignored.
 *
 * The course: greeting → CAPA → (STLS: P3C_TLS, the caller starts TLS and calls
 * p3c_secured; all capabilities are forgotten and asked again) → login →
 * CAPA again → P3C_READY.  From then on the caller asks, as long as
 * p3c_can_ask says there is room, in any number and order:
 *     p3c_stat  → P3C_STAT (or P3C_REFUSED)
 *     p3c_uidl  → P3C_UID a message…, P3C_LISTED     or P3C_REFUSED
 *     p3c_list  → P3C_SIZE a message…, P3C_LISTED    or P3C_REFUSED
 *     p3c_retr, p3c_top → P3C_BEGIN, P3C_BODY pieces…, P3C_END  or P3C_REFUSED
 *     p3c_dele  → P3C_DELETED                        or P3C_REFUSED
 *     p3c_quit  → P3C_BYE (with `good` = the server said +OK)
 * A refused RETR, TOP or DELE is that message's failure, not the session's.
 * Bytes of a message come as P3C_BODY even if it is cut later: it is whole at
 * P3C_END only.  Octets behind the final dot that cannot be the next reply
 * bring P3C_FAILED instead of P3C_END: a server that does not stuff dots.
 * Where the server does not offer PIPELINING after login the session sends one
 * command at a time and queues the rest itself; p3c_can_ask is then still true
 * while the queue has room.  Pipelining that proves broken (a reply that
 * cannot belong to the oldest command) ends the session as ERR_PEER with
 * p3c_pipelining_broken true: the caller may reconnect with it switched off.
 * With login.ahead STAT and UIDL go out together with the CAPA after the login, if
 * PIPELINING was offered before it (RFC 2449 6.6: it holds in both states), and so
 * save a round trip; p3c_stat and p3c_uidl then find them said.  They must be the
 * first that is asked, in this order (asserted).
 * It is true as well while a command that was sent behind another waits and
 * none such was ever answered: at a time-out that is the likely reason.
 *
 * Login picks, out of login.mechs in order, the first the server offers and
 * the line's protection allows; P3C_SASL asks the caller to run a SASL step
 * (its own clock, threads and memory) and to answer by p3c_sasl_answer or
 * p3c_sasl_cancel.  A refusal that names the credentials ([AUTH], or a plain
 * -ERR to PASS, within an exchange, or to an AUTH that brought them) is ERR_AUTH; [IN-USE], [LOGIN-DELAY], [SYS/TEMP] are ERR_BUSY.
 * A plain -ERR to AUTH before any of that, to APOP or to USER says nothing of
 * the password, so the next mechanism is tried by the rules of sasl/ladder.h: at most three, never one of
 * clear text on an unprotected line after a stronger one, and never any after
 * the caller cancelled with a wrong server proof.  Where the server offers
 * UTF8 (RFC 6856) the session switches it on before the login.
 * While the session waits for its caller (P3C_TLS, P3C_SASL) the server has
 * nothing to say: octets then are a failure.
 *
 * Limits: a reply line P3C_LINE_MAX octets; CAPA lines P3C_CAPA_MAX; listing
 * lines: more than 16,777,216 fail; unique-ids of any length up to the line,
 * spaces inside kept (RFC 1939 allows 70 of 0x21..0x7e; real servers do not
 * care).  A blank id comes as a P3C_UID with an empty text.  A size that is no
 * number comes as 0: sizes are hints, ids and numbers are not.
 * Errors: ERR_PEER names the rule that was broken; ERR_NET the connection ended;
 * ERR_CONFIG no allowed mechanism is on offer, or user or password cannot be
 * sent (CR, LF, NUL); ERR_TLS STLS was required and not to be had. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "sasl/ladder.h"
#include "wire/dot.h"
#include "wire/line.h"

enum { P3C_LINE_MAX = 4096, P3C_CAPA_MAX = 512, P3C_WINDOW = 1024, P3C_OUT_MAX = 48 * 1024, P3C_LIST_MAX = 16777216 };

enum p3c_capa {		/* bits of p3c_capabilities() */
	P3C_CAPA_TOP = 1, P3C_CAPA_UIDL = 2, P3C_CAPA_USER = 4, P3C_CAPA_STLS = 8, P3C_CAPA_PIPELINING = 16,
	P3C_CAPA_RESP_CODES = 32, P3C_CAPA_UTF8 = 64, P3C_CAPA_ANSWERED = 128,	/* the server knows CAPA at all */
};

struct p3c_login {		/* borrowed until P3C_READY or P3C_FAILED */
	const char *user;
	struct span password;	/* for USER/PASS and APOP; SASL steps are the caller's */
	const enum sasl_mech *mechs;	/* allowed, in the order to try */
	size_t mech_count;
	struct ladder_before before;
	bool detect_capa, detect_auth, detect_greeting;	/* PRODUCT 2.1 `detect` */
	bool secure;		/* the line is protected from the start (implicit TLS) */
	bool stls;		/* use STLS before login */
	bool stls_required;	/* no STLS offered or refused: fail; else go on in clear */
	bool clear_allowed;	/* clear-text passwords on an unprotected line */
	bool channel_binding;	/* the caller can bind to TLS (-PLUS) */
	bool lockstep;		/* never pipeline */
	bool ahead;		/* the caller's first asks will be p3c_stat and p3c_uidl: see below */
	bool listed;		/* the user named the mechanisms (auth is not auto): APOP then also by a
				 * timestamp that came in clear, which a man in the middle may choose */
};

enum p3c_what {
	P3C_NOTHING, P3C_TLS, P3C_SASL, P3C_READY, P3C_STAT, P3C_UID, P3C_SIZE, P3C_LISTED,
	P3C_BEGIN, P3C_BODY, P3C_END, P3C_DELETED, P3C_REFUSED, P3C_BYE, P3C_FAILED
};

enum p3c_verb { P3C_ASK_NONE, P3C_ASK_STAT, P3C_ASK_UIDL, P3C_ASK_LIST, P3C_ASK_RETR, P3C_ASK_TOP, P3C_ASK_DELE, P3C_ASK_QUIT };

struct p3c_event {
	enum p3c_what what;
	enum p3c_verb verb;	/* LISTED, REFUSED: of which command */
	uint32_t number;	/* message number (UID … DELETED, REFUSED); STAT: count */
	uint64_t size;		/* SIZE, STAT */
	struct span text;	/* UID: the id; BODY: octets; REFUSED, BYE: the server's line */
	enum sasl_mech mech;	/* SASL */
	bool first;		/* SASL: a new exchange begins with this step (make a new client); it may
				 * come twice, when the first response could not go with AUTH */
	bool last;		/* SASL: the server said +OK; answer with an empty span if it is
				 * verified, else cancel; `text` is empty */
	bool good;		/* BYE */
	enum err_kind kind;	/* REFUSED: ERR_BUSY for [IN-USE]/[SYS/TEMP], else ERR_PEER */
};

struct p3c;			/* ~68 KiB, of which little is ever touched; see p3c_size */

size_t p3c_size(void);
void p3c_start(struct p3c *s, const struct p3c_login *login);
void p3c_end(struct p3c *s);	/* wipes what may be secret */

void p3c_feed(struct p3c *s, struct span in);
enum p3c_what p3c_next(struct p3c *s, struct p3c_event *ev);
/* Fed bytes not yet consumed: at P3C_TLS any are an attack (the driver's check). */
size_t p3c_unread(const struct p3c *s);
/* The connection was closed by the server: turns into P3C_FAILED or P3C_BYE. */
void p3c_eof(struct p3c *s);
struct span p3c_out(const struct p3c *s);
void p3c_sent(struct p3c *s, size_t n);
const struct err *p3c_error(const struct p3c *s);	/* after P3C_FAILED */

void p3c_secured(struct p3c *s);
void p3c_sasl_answer(struct p3c *s, struct span response);
/* `proof_failed`: the server's signature or channel binding was wrong. */
void p3c_sasl_cancel(struct p3c *s, bool proof_failed, const struct err *why);

unsigned p3c_capabilities(const struct p3c *s);
enum sasl_mech p3c_mechanism(const struct p3c *s);	/* that logged in, or is being tried */
unsigned p3c_offered(const struct p3c *s);	/* bits 1 << enum sasl_mech: what CAPA or AUTH told; USER and APOP are not among them */
bool p3c_greeted(const struct p3c *s);		/* the server let us in */
bool p3c_trying(const struct p3c *s);		/* capabilities are known; it is the login's turn, or was */
/* What became of each mechanism so far.  If the server closed after it refused some, and not for the credentials, come
 * again with its `refused` and `tries` in login.before. */
const struct ladder *p3c_ladder(const struct p3c *s);
bool p3c_pipelined(const struct p3c *s);
bool p3c_pipelining_broken(const struct p3c *s);
bool p3c_tls_refused(const struct p3c *s);	/* failed because STLS was not to be had */
bool p3c_can_ask(const struct p3c *s);
size_t p3c_outstanding(const struct p3c *s);	/* asked and not answered, queued ones too */

void p3c_stat(struct p3c *s);
void p3c_uidl(struct p3c *s);
void p3c_list(struct p3c *s);
void p3c_retr(struct p3c *s, uint32_t number);
void p3c_top(struct p3c *s, uint32_t number, uint32_t lines);
void p3c_dele(struct p3c *s, uint32_t number);
void p3c_quit(struct p3c *s);
