/* SPDX-License-Identifier: Apache-2.0
 *
 * One SMTP or LMTP client conversation, as pure computation (RFC 5321, 2033,
 * 1870, 2034, 2920, 3030, 3207, 4954, 6152, 6531).
 *
 * The session does no I/O, takes no clock, allocates nothing and calls no one
 * back.  The driver's turn is always the same three steps:
 *     smc_feed the bytes that came in; call smc_next until it says
 *     SMC_NOTHING; send smc_out and drop what was sent with smc_sent.
 * smc_next must be drained before the next feed (asserted).  Spans inside an
 * event borrow the session and die with the next call.  Every other function
 * that is not a question may bring events and output too: after it, the same.
 *
 * The course: greeting → EHLO (HELO where that is refused; LMTP: LHLO) →
 * (STARTTLS: SMC_TLS, the caller starts TLS and calls smc_secured; all
 * capabilities are forgotten and asked again) → AUTH, if mechanisms are given
 * by the rules of sasl/ladder.h (SMC_SASL: see pop3/client.h; answered by
 * smc_sasl_answer or smc_sasl_cancel; 535, a refusal of what showed the password,
 * 4xx and a false proof end it) → SMC_READY.  From then on, as often as smc_can_send:
 *     smc_send(mail) → SMC_RESULT for each recipient, in any order, as soon as
 *                      it is certain, and SMC_BODY at most once;
 *                    → SMC_DONE: all results are told, the mail is given back
 *     SMC_BODY: first all of smc_out goes out, then the message (smtp/body.h
 *     with ev.chunked), past the session; nothing else goes between.  All but its
 *     end may go at once; the end, smtp_body_end or the chunk's last octets, not
 *     before smc_next said SMC_NOTHING: what the server has said too much is found
 *     first.  It may wait for as long as the caller likes.  When the last octet is
 *     handed to the connection, and before the next feed, smc_body_sent.  SMC_FAILED
 *     may come while the body flows: then stop.  A body that cannot be sent whole:
 *     smc_abort, and close.
 *     smc_quit → SMC_BYE, with nothing outstanding (smc_idle).
 * Where the server pipelines, a second mail may be given as soon as the body of
 * the first is sent: its commands ride behind that body (RFC 2920 section 3.1).
 * Not where LMTP has several answers to a message: of one that is missing the next
 * command's would take the place.
 *
 * A reply answers the oldest command, if that was wholly handed to the connection
 * (smc_sent, smc_body_sent) before the reply's first octet was fed; only 421 may
 * come at any time.  Any other that comes early or unasked, 2xx to DATA and 354 to
 * anything else say that server and client have lost each other: ERR_PEER.  So a
 * server that answers twice is found out, wherever it did: 354 comes to DATA
 * alone, and behind all answers before it.  BDAT has no such answer: what was one
 * too many to RCPT would be its own, if it came a moment late.  So whoever cares
 * sets no_chunking.
 *
 * Every recipient gets exactly one result, whatever happens, and each mail its
 * SMC_DONE, also before SMC_FAILED:
 *   SMC_ACCEPTED  the server has taken the responsibility
 *   SMC_DEFERRED  try again: 4xx; the connection broke, was silent or made no
 *                 sense before the message was whole; 552 that means too many
 *                 recipients; 502, 503, 530, 534, 535, 538, which are about the
 *                 settings (kind ERR_CONFIG) or the server, not about the mail
 *                 a mailbox that is full (5.2.2; 552 with words about a quota)
 *   SMC_REFUSED   other 5xx; or it cannot be sent at all: larger than SIZE allows,
 *                 an address no command can carry, one that needs SMTPUTF8.  If the
 *                 server said it, it holds with the mail's SMC_DONE only
 *   SMC_DOUBT     the whole message is out, and no answer came: the server may
 *                 have it, and sending it again may make a second copy
 * ev.text has the server's words, made safe, or ours (ev.ours, code 0).
 * SMC_DONE may be `broken`: server and client have lost each other before this
 * mail was done, and what was told of it may have been said of another mail or
 * recipient.  Who was refused is deferred then, who was accepted in doubt.
 * SMTP answers a message once, LMTP once for each recipient that it took.
 * 421 may come at any time: it answers the oldest command and ends the session
 * (ERR_BUSY).
 *
 * SMC_FAILED comes once; then the session only ends.  Errors: ERR_PEER names the
 * rule that was broken, or the server turned us away for good; ERR_BUSY it did
 * so for now; ERR_NET the connection ended; ERR_AUTH the credentials; ERR_TLS
 * STARTTLS was required and not to be had; ERR_CONFIG no allowed mechanism is
 * on offer, or a name that cannot be sent.
 * While the session waits for its caller (SMC_TLS, SMC_SASL) the server has
 * nothing to say: octets then are a failure; before TLS they are an attack.
 *
 * 8-bit messages go as they are to servers without 8BITMIME too: all take them.
 * SMTPUTF8 is asked for when an address needs it, never for a header alone.
 * Limits: a reply line SMC_LINE_MAX octets (RFC 4954 wants 12,288), 256 lines a
 * reply, SMC_RECIPIENTS_MAX a mail, addresses of SMC_ADDRESS_MAX octets. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "sasl/ladder.h"

enum {
	SMC_LINE_MAX = 12 * 1024, SMC_OUT_MAX = 16 * 1024, SMC_TEXT_MAX = 1024, SMC_WINDOW = 256,
	SMC_RECIPIENTS_MAX = 1000, SMC_ADDRESS_MAX = 512, SMC_NAME_MAX = 255,
};

enum smc_capa {		/* bits of smc_capabilities() */
	SMC_CAPA_PIPELINING = 1, SMC_CAPA_CHUNKING = 2, SMC_CAPA_SIZE = 4, SMC_CAPA_8BITMIME = 8, SMC_CAPA_SMTPUTF8 = 16,
	SMC_CAPA_STARTTLS = 32, SMC_CAPA_AUTH = 64, SMC_CAPA_STATUS = 128,	/* ENHANCEDSTATUSCODES */
	SMC_CAPA_ANSWERED = 256,	/* the server knows EHLO at all */
};

struct smc_login {		/* borrowed until smc_end */
	const char *name;	/* who we are, for EHLO: a domain, or [192.0.2.1] */
	bool lmtp;
	struct span password;	/* only so that it is never shown; SASL steps are the caller's */
	const enum sasl_mech *mechs;	/* allowed, in the order to try; none: no login */
	size_t mech_count;
	struct ladder_before before;	/* what earlier connections to this server taught */
	bool secure;		/* the line is protected from the start (implicit TLS) */
	bool starttls;		/* use STARTTLS */
	bool starttls_required;	/* not offered or refused: fail; else go on in clear */
	bool clear_allowed;	/* clear-text passwords on an unprotected line */
	bool channel_binding;	/* the caller can bind to TLS (-PLUS) */
	bool lockstep;		/* never pipeline */
	bool no_chunking;	/* never BDAT */
};

struct smc_mail {		/* borrowed until its SMC_DONE, or smc_end */
	const char *sender;	/* without <>; "" is the null sender */
	const char *const *recipients;
	size_t recipient_count;	/* 1 to SMC_RECIPIENTS_MAX */
	uint64_t octets;	/* of struct smtp_look, exactly */
	bool eight_bit;		/* of struct smtp_look */
	void *user;
};

enum smc_what { SMC_NOTHING, SMC_TLS, SMC_SASL, SMC_READY, SMC_BODY, SMC_RESULT, SMC_DONE, SMC_BYE, SMC_FAILED };

enum smc_outcome { SMC_ACCEPTED, SMC_DEFERRED, SMC_REFUSED, SMC_DOUBT };

struct smc_event {
	enum smc_what what;
	const struct smc_mail *mail;	/* BODY, RESULT, DONE */
	bool chunked;		/* BODY: exactly mail->octets, by BDAT; else dots and the final dot */
	uint32_t recipient;	/* RESULT: its place in mail->recipients */
	enum smc_outcome outcome;
	enum err_kind kind;	/* RESULT: ERR_NONE if accepted; ERR_BUSY, ERR_PEER, ERR_NET, ERR_CONFIG … */
	const char *verb;	/* RESULT: what the server answered: "RCPT"; "the message" after its end; "" = none */
	unsigned code;		/* RESULT, BYE: 250; 0 if no reply says it */
	unsigned status[3];	/* the enhanced code, 5.1.1; all zero: none */
	bool ours;		/* RESULT: `text` is not the server's */
	struct span text;	/* RESULT, BYE: words; SASL: the challenge */
	enum sasl_mech mech;	/* SASL */
	bool first;		/* SASL: a new exchange begins with this step (make a new client); it may
				 * come twice, when the first response could not go with AUTH */
	bool last;		/* SASL: the server said 235; answer with an empty span if it is
				 * verified, else cancel; `text` is empty */
	bool good;		/* BYE: 2xx */
	bool broken;		/* DONE: replies and commands do not match; what was told does not hold */
};

struct smc;			/* ~46 KiB; see smc_size */

size_t smc_size(void);
void smc_start(struct smc *s, const struct smc_login *login);
void smc_end(struct smc *s);	/* wipes what may be secret */

void smc_feed(struct smc *s, struct span in);
enum smc_what smc_next(struct smc *s, struct smc_event *ev);
/* Fed bytes not yet consumed: at SMC_TLS any are an attack (the driver's check). */
size_t smc_unread(const struct smc *s);
/* The connection was closed by the server: turns into SMC_FAILED or SMC_BYE. */
void smc_eof(struct smc *s);
/* The connection is lost, or is given up, for `why` (time-out, reset, our disk). */
void smc_abort(struct smc *s, const struct err *why);
struct span smc_out(const struct smc *s);
void smc_sent(struct smc *s, size_t n);
const struct err *smc_error(const struct smc *s);	/* after SMC_FAILED */

void smc_secured(struct smc *s);
void smc_sasl_answer(struct smc *s, struct span response);
/* `proof_failed`: the server's signature or channel binding was wrong. */
void smc_sasl_cancel(struct smc *s, bool proof_failed, const struct err *why);

bool smc_can_send(const struct smc *s);
void smc_send(struct smc *s, const struct smc_mail *mail);	/* needs smc_can_send */
void smc_body_sent(struct smc *s);
bool smc_idle(const struct smc *s);	/* ready, and no mail is under way */
void smc_quit(struct smc *s);		/* needs smc_idle */

/* How long the server may take for what it owes us now (RFC 5321 section
 * 4.5.3.2), counted from the last octet that went either way; 0: it owes
 * nothing (it is the caller's turn, or there is no mail). */
uint32_t smc_timeout_ms(const struct smc *s);
uint64_t smc_replies(const struct smc *s);	/* whole ones, so far: who drips does not get on */
unsigned smc_capabilities(const struct smc *s);
uint64_t smc_size_max(const struct smc *s);	/* of SIZE; 0: not told, or no limit */
enum sasl_mech smc_mechanism(const struct smc *s);	/* that logged in, or is being tried */
const struct ladder *smc_ladder(const struct smc *s);	/* what became of each; no words are kept */
unsigned smc_offered(const struct smc *s);	/* bits 1 << enum sasl_mech */
bool smc_greeted(const struct smc *s);		/* the server let us in */
bool smc_ready(const struct smc *s);		/* SMC_READY came */
uint64_t smc_answered(const struct smc *s);	/* mails of which the server answered something: if 0 of this
						 * mail's, a kept connection may just have been too old */
bool smc_pipelined(const struct smc *s);
/* As p3c_pipelining_broken: coming again with `lockstep` may help. */
bool smc_pipelining_broken(const struct smc *s);
bool smc_tls_refused(const struct smc *s);	/* failed because STARTTLS was not to be had */
