/* SPDX-License-Identifier: Apache-2.0
 *
 * The SMTP client's insides, shared by its own files only:
 *   client.c         the session: bytes in and out, the queue, the turn
 *   client_login.c   greeting, EHLO, STARTTLS, up to SMC_READY
 *   client_auth.c    which mechanism next, one AUTH exchange, refusals
 *   client_mail.c    a mail on its way: what is said of it, and when
 *   client_result.c  what the answers mean for its recipients
 *
 * Everything that was said and not yet answered stands in `asked`, oldest
 * first; a reply belongs to the oldest, and to none that was not sent when it came.  A mail under way has a slot.  There are
 * two: of the older one all is said then, but not all answered.  What is not yet
 * said stands nowhere: it follows from the slot's step. */
#pragma once

#include "smtp/client.h"
#include "smtp/reply.h"
#include "wire/line.h"

enum { COMMAND_MAX = SMC_ADDRESS_MAX + 128, CHALLENGE_MAX = SMC_LINE_MAX / 4 * 3, SLOTS = 2 };

#define NOTHING ((struct span){ 0 })

enum verb {
	VERB_GREETING, VERB_EHLO, VERB_HELO, VERB_STARTTLS, VERB_AUTH, VERB_CANCEL,
	VERB_RSET, VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_MESSAGE, VERB_QUIT,
	VERBS
};

struct asked {
	uint64_t end;		/* of all that is said: where its last octet is */
	uint8_t verb, slot;
	bool behind;		/* sent while another was unanswered: pipelined */
	uint16_t recipient;
};

enum phase { PHASE_LOGIN, PHASE_READY, PHASE_QUITTING, PHASE_OVER };
enum turn { TURN_SERVER, TURN_TLS, TURN_SASL };	/* whose turn it is: the server's, or the caller's */

/* What is to be said next: RSET … DATA.  GO: 354 is waited for.  BODY: the
 * message goes out.  SENT: all of it is out.  CLOSED: nothing more is said. */
enum step { STEP_RSET, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_GO, STEP_BODY, STEP_SENT, STEP_CLOSED };

/* A recipient: not yet known; the server takes it; told; no command can carry it. */
enum rcpt { RCPT_OPEN, RCPT_TAKEN, RCPT_TOLD, RCPT_BAD, RCPT_FOREIGN };

struct verdict {
	enum smc_outcome outcome;
	enum err_kind kind;
	const char *verb;
	unsigned code, status[3];
	bool ours;
	struct span text;
};

struct slot {
	const struct smc_mail *mail;	/* NULL: it is free */
	enum step step;
	uint32_t next;		/* recipient to be said */
	uint32_t waiting;	/* commands unanswered */
	uint32_t sendable;	/* recipients that are not told and can be said */
	uint32_t taken;		/* recipients in RCPT_TAKEN */
	bool utf8, chunked;
	bool answered, opened;	/* anything; MAIL */
	bool cleared;		/* the server has ended the transaction by itself */
	bool whole;		/* the message is out */
	bool several;		/* and more than one answer to it is wanted */
	bool fan;		/* the verdict is to be told of all that are left */
	uint32_t fan_at;
	struct verdict verdict;
	uint8_t rcpt[SMC_RECIPIENTS_MAX];
};

struct smc {
	const struct smc_login *login;
	struct span in;
	struct lines lines;
	struct buf out;
	size_t out_sent;
	struct reply reply;
	enum phase phase;
	enum turn turn;
	uint32_t head, count;	/* of asked */
	unsigned capabilities, offered;	/* enum smc_capa; bits 1 << enum sasl_mech */
	uint64_t size_max, answered, replies;
	uint64_t said, sent;	/* octets: of ours, and of those that are handed on; a message counts as one */
	uint64_t heard, began;	/* `sent` when the octets came that are read now; when the reply's first did */
	bool inside;		/* of a reply */

	bool secure;		/* the line is protected */
	bool clear_agreed;	/* STARTTLS is not to be had, and need not be */
	bool greeted, logged_in, tls_refused;
	bool eof;		/* the server closed */
	bool failed;		/* `error` is to be told */
	bool broken;		/* replies and commands do not match */
	bool try_next;		/* a mechanism is to be chosen */
	bool ready;		/* SMC_READY is to be told */
	bool body;		/* SMC_BODY is to be told */
	bool reset;		/* the server may have an open transaction */
	bool pipelining_used, pipelining_proved, pipelining_broken;

	struct ladder ladder;	/* of mechanisms: ladder.now is being tried, or logged in; words of theirs are not kept */
	struct {		/* of the AUTH exchange under way */
		bool initial;	/* the caller computes what goes with AUTH itself */
		bool spoke;	/* a response is out */
		bool last;	/* the server said 235; the caller verifies */
		bool proof_failed;
		bool ends;	/* what we cancelled was too far on for another mechanism */
		unsigned rounds, responses;
	} sasl;
	uint32_t slot_first, slot_count;
	struct err error;

	/* From here on, octets and slots whose count stands above: not cleared at
	 * the start, so that a session that says little touches few pages. */
	char text[SMC_TEXT_MAX];
	char challenge[CHALLENGE_MAX];
	char line_memory[SMC_LINE_MAX];
	char out_memory[SMC_OUT_MAX];
	struct slot slots[SLOTS];
	struct asked asked[SMC_WINDOW];
};

/* ---- client.c */

const char *smtp_verb(enum verb verb);	/* "RCPT" */
/* The session fails: told by the next smc_next, after what it means for the
 * mails.  `words` of the server, or empty. */
void smtp_fail(struct smc *s, enum err_kind kind, const char *why, struct span words);
/* As above, for a broken rule: it may be pipelining that broke it. */
void smtp_broken(struct smc *s, const char *why, struct span words);
const struct asked *smtp_oldest(const struct smc *s);
struct asked *smtp_push(struct smc *s, enum verb verb);	/* asserts room */
void smtp_pop(struct smc *s);
/* Adds to the out-buffer; what does not fit fails the session. */
void smtp_say(struct smc *s, struct span text);
bool smtp_room(const struct smc *s, size_t n);	/* in the out-buffer */
/* A command with up to two arguments, queued and said. */
void smtp_command(struct smc *s, enum verb verb, struct span a, struct span b);
struct span smtp_words(const struct smc *s);	/* of the reply; nothing if the password is in them */

/* ---- client_login.c */

void smtp_login_reply(struct smc *s, enum verb verb, struct smc_event *ev);
void smtp_ehlo_line(struct smc *s);		/* each line of its answer, as it comes */
void smtp_login_done(struct smc *s);

/* ---- client_auth.c */

void smtp_auth_offer(struct smc *s, struct span names);	/* of AUTH in EHLO's answer */
void smtp_auth_next(struct smc *s, struct smc_event *ev);	/* tries the next mechanism */
void smtp_auth_reply(struct smc *s, struct smc_event *ev);

/* ---- client_mail.c */

/* No control, no octet that ends an address; `utf8`: it needs SMTPUTF8. */
bool smtp_address_sendable(const char *address, bool *utf8);
void smtp_fill(struct smc *s);		/* says what may be said now */
/* A command of this mail, queued and said. */
void smtp_mail_say(struct smc *s, struct slot *t, enum verb verb, const char *text, uint32_t recipient);
struct slot *smtp_slot_last(struct smc *s);	/* the one that is being said, or NULL */

/* ---- client_result.c */

void smtp_mail_reply(struct smc *s, const struct asked *a, struct smc_event *ev);
/* The next result or SMC_DONE that is due; false: none. */
bool smtp_due(struct smc *s, struct smc_event *ev);
void smtp_verdict_ours(struct slot *t, enum smc_outcome outcome, enum err_kind kind, struct span text);
