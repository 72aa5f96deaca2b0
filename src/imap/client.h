/* SPDX-License-Identifier: Apache-2.0
 *
 * One IMAP client conversation, as pure computation (RFC 3501, 2177, 2971, 3691,
 * 4315, 4731, 4959, 4978, 5161, 5465, 5530, 6851, 7162, 7888; read so that RFC 9051 servers fit too).
 *
 * The session does no I/O, takes no clock, allocates nothing and calls no one
 * back.  The driver's turn is always the same three steps:
 *     imc_feed the bytes that came in; call imc_next until it says
 *     IMC_NOTHING; send imc_out and drop what was sent with imc_sent.
 * imc_next must be drained before the next feed (asserted).  Spans inside an
 * event borrow the fed bytes or the session and die with the next call.
 * imc_secured, imc_compressed, imc_sasl_answer, imc_sasl_cancel and imc_eof may bring events
 * and output too: after them, call imc_next until IMC_NOTHING and send imc_out.
 * A peer's error comes as IMC_FAILED, once; then the session only ends: what
 * it is fed is ignored.
 *
 * The course: greeting → CAPABILITY, unless the greeting told → (STARTTLS:
 * IMC_TLS, the caller starts TLS and calls imc_secured; all capabilities are
 * forgotten and asked again) → ID, where offered and login.id is set → login →
 * CAPABILITY, unless the answer told → ENABLE QRESYNC, where offered (nothing
 * waits for its answer) → (COMPRESS, where offered and login.compress: IMC_COMPRESS,
 * see imc_compressed; refused, it goes on as it is) → IMC_READY.  A PREAUTH greeting on a line
 * that has to be protected first is an attack (CVE-2021-39272): ERR_TLS.
 * From then on the caller asks while imc_can_ask says there is room; each ask
 * returns an id, which comes with the events that belong to it.  All is
 * pipelined, and an answer is matched to its command by tag; what selects a
 * mailbox, and imc_close, is for a moment when nothing is outstanding (asserted).
 *     imc_list    → IMC_MAILBOX a name…, IMC_DONE; one after the other, as
 *                   the answer names no command
 *     (names are octets of the server's: utf7_decode judges them)
 *     imc_select, imc_examine → IMC_DONE, and imc_selected tells what it is
 *     imc_select_since → IMC_VANISHED a range of ids…, IMC_MESSAGE a message that
 *                   changed…, IMC_DONE: all with its id; see below
 *     imc_search  → IMC_FOUND a range of ids…, IMC_DONE.  Without ESEARCH an
 *                   answer names no command: one search after the other then
 *     imc_listing → IMC_MESSAGE a message…, IMC_DONE
 *     imc_fetch   → of each id, in the server's order, IMC_BEGIN, IMC_BODY
 *                   pieces…, IMC_END or IMC_REFUSED; then IMC_DONE
 *     imc_fetch_head → the same of their headers alone, which may be empty:
 *                   then no IMC_BODY.  Never outstanding beside imc_fetch
 *     imc_store, imc_expunge, imc_create, imc_close, imc_noop → IMC_DONE
 *     imc_idle    → IMC_IDLING, once the server waits with us; IMC_NEWS…; IMC_DONE
 *                   after imc_idle_done, or when the server will not go on
 *     imc_notify, imc_notify_none → IMC_NEWS…, IMC_DONE; see below
 *     imc_copy, imc_move → IMC_COPIED where the server has UIDPLUS, IMC_DONE
 *     imc_logout  → IMC_BYE (with `good` = the server said so)
 * or IMC_REFUSED with uid 0 instead of IMC_DONE: that is the command's failure,
 * not the session's.
 *
 * Of a message's bytes, only IMC_END says that they are whole: it comes when the
 * response is read to its end.  A message that is not told (NIL, missing, gone,
 * its command refused) is IMC_REFUSED when its command is answered; one of no
 * octets too, with `empty`, for servers say that of messages they cannot read:
 * a caller that knows its size is 0 may take it.  Told twice, it is ignored the
 * second time.  A body in front of its UID belongs to a message for certain
 * only when a single one is outstanding; else it is refused with `again`, and
 * from then on imc_room is 1: ask it again, then each by itself.
 * IMC_MESSAGE may come unasked, when another client changes flags; has_flags
 * and has_size say what was told.  `UID n:*` finds the last message even when
 * its id is below n: the caller's filter.  Ids come in any order, and twice.
 * What the server says of the mailbox at any time (EXISTS, EXPUNGE) counts in
 * imc_selected; a UIDVALIDITY that changes under us is a failure (ERR_NET).
 *
 * imc_select_since asks for what changed since `modseq` under `validity`, what
 * imc_selected told at an earlier visit (either 0: nothing is known); without
 * QRESYNC it only asks for the modseq, without CONDSTORE for neither, and the
 * caller lists instead: when imc_qresync says no at IMC_DONE, when the validity
 * is another, or the modseq is 0.  A server that refuses ENABLE, and then this,
 * is asked again without QRESYNC; what was asked behind it may be refused then.
 * IMC_VANISHED may name ids that never were; with `earlier` they were gone before
 * we came, else they went now, as EXPUNGE says it to others: of these expunged
 * counts each, and exists shrinks.  Both come unasked too, with id 0.  A server
 * that did not say ENABLED (iCloud), or says it wrongly (with IMC_WARNING), is not
 * believed: imc_qresync says no from then on, and no IMC_VANISHED comes.
 *
 * News is what should be followed by a fresh look: EXISTS or RECENT that grew (IMC_NEWS_MAIL);
 * EXPUNGE, VANISHED, EXISTS that shrank (IMC_NEWS_GONE); flags of a message (IMC_NEWS_FLAGS);
 * not what SELECT tells, nor what our own EXPUNGE, MOVE, STORE or FETCH brings.  It is
 * gathered in imc_news from the moment a mailbox is selected, whatever is said at that
 * time, until imc_news_clear: clear it before a look, and what comes during the look and
 * before IDLE counts is not lost.  Beside it IMC_NEWS comes (in `flags` what was told now)
 * while nothing is outstanding but IDLE, NOOP, NOTIFY or LOGOUT.  One message more and one
 * less at once is no news to who tells only EXISTS: look again when IDLE ends, too.
 * `* OK Still here` and what else a server says to keep the line open is no event.
 * While IDLE is unanswered (imc_idling) nothing else can be asked.  imc_idle_done may come
 * before IMC_IDLING: DONE is then said when the server says "+" (RFC 2177), and no IMC_IDLING comes.
 * IMC_UNANSWERING_MAX counts anew with each IDLE.
 *
 * imc_notify (RFC 5465, needs IMC_CAPA_NOTIFY) asks to be told, with and without IDLE, of the
 * selected mailbox and of others: IMC_NEWS with text = the mailbox (as on the wire), its UIDNEXT
 * in uid, UIDVALIDITY in last, message count in size (0 where not told); MAIL where UIDNEXT was told.
 * With `status` how each is now comes first, as IMC_NEWS with the command's id: who compares
 * misses nothing.  A refusal with IMC_CODE_BADEVENT, or any other, leaves things as they were.
 * A server that cannot go on says so (NOTIFICATIONOVERFLOW): IMC_NEWS with
 * IMC_NEWS_OVERFLOW, which comes at any time; it tells no more then, of the selected mailbox neither
 * (as after imc_notify_none), until the next imc_notify.  imc_notifying says whether it does.
 * News that names a mailbox comes as an event alone, at any time, and may repeat what is known: compare UIDNEXT.
 * Dovecot (2.3) is deaf to the selected mailbox without IDLE, may be deaf to all of them within an IDLE
 * that has told something, and after a second NOTIFY SET; what it held back comes with the answer to
 * a later command.  So: imc_notify once a session, IDLE beside it, and a new IDLE after each news of any kind.
 *
 * A session at rest is some 200 octets: when imc_may_rest says that nothing is half read, unsent
 * or outstanding (but IDLE), imc_rest packs it into `rested` (imc_rested_size octets, lent) and gives its
 * memory back, without any secret in it; imc_resume makes a session of it in any memory of imc_size,
 * which goes on as if nothing had been, before the next feed or ask.  Nothing is borrowed
 * meanwhile, and nothing in `rested` needs wiping.
 *
 * imc_expunge without UIDPLUS says EXPUNGE, which also removes what other
 * clients marked: IMC_WARNING comes with it.  IMC_WARNING also brings [ALERT].
 *
 * Login picks, out of login.mechs in order, the first the server offers
 * (AUTH=…; SASL_USER is LOGIN, unless LOGINDISABLED) and the line's protection
 * allows; P3C's rules (pop3/client.h) for the ladder of mechanisms, for SASL
 * steps and for what is a failure while the session waits for its caller.
 * Error kinds out of RFC 5530: [AUTHENTICATIONFAILED], [AUTHORIZATIONFAILED],
 * [EXPIRED] and a plain NO to LOGIN are ERR_AUTH; [UNAVAILABLE], [INUSE],
 * [LIMIT], [SERVERBUG] and Microsoft's "BAD User is authenticated but not
 * connected" ERR_BUSY (the last ends the session); [PRIVACYREQUIRED] ERR_TLS.
 * BYE unasked ends the session as ERR_NET, or as its code says.
 *
 * Limits: a word, a text or a name IMC_WORD_MAX octets; IMC_LIST_MAX names, ids
 * or messages a command and words a response; IMC_UNANSWERING_MAX untagged
 * responses in a row that tell nothing of what was asked.
 * Other errors: ERR_PEER names the rule that was broken; ERR_NET the connection
 * ended; ERR_CONFIG no allowed mechanism is on offer, or a NUL in user or
 * password; ERR_TLS STARTTLS was required and not to be had. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "sasl/ladder.h"
#include "wire/token.h"
#include "wire/uidset.h"

enum {
	IMC_WORD_MAX = 8192, IMC_WINDOW = 64, IMC_FETCH_MAX = 32, IMC_OUT_MAX = 48 * 1024, IMC_LIST_MAX = 16777216,
	IMC_NAME_MAX = 1024, IMC_CRITERIA_MAX = 2048, IMC_UNANSWERING_MAX = 1000000,
	IMC_WATCH_MAX = 100, IMC_WATCH_TEXT_MAX = 7680	/* names, and their octets in quotes, of one imc_notify */
};

enum imc_capa {		/* bits of imc_capabilities() */
	IMC_CAPA_STARTTLS = 1, IMC_CAPA_LOGINDISABLED = 2, IMC_CAPA_SASL_IR = 4, IMC_CAPA_ID = 8, IMC_CAPA_LITERAL = 16,
	IMC_CAPA_UIDPLUS = 32, IMC_CAPA_MOVE = 64, IMC_CAPA_ESEARCH = 128, IMC_CAPA_CONDSTORE = 256, IMC_CAPA_IDLE = 512,
	IMC_CAPA_GMAIL = 1024, IMC_CAPA_ANSWERED = 2048,	/* the server told its capabilities */
	IMC_CAPA_QRESYNC = 4096,	/* comes with CONDSTORE */
	IMC_CAPA_ENABLE = 8192, IMC_CAPA_COMPRESS = 16384, IMC_CAPA_UNSELECT = 32768, IMC_CAPA_SPECIAL_USE = 65536,
	IMC_CAPA_NOTIFY = 131072
};

struct imc_login {		/* borrowed until IMC_READY or IMC_FAILED */
	const char *user;
	struct span password;	/* for LOGIN; SASL steps are the caller's */
	const char *id;		/* what is sent as ID: "(\"name\" \"x\")", or NULL */
	const enum sasl_mech *mechs;	/* allowed, in the order to try */
	size_t mech_count;
	struct ladder_before before;
	bool detect_capa, detect_greeting;	/* PRODUCT 2.1 `detect` */
	bool secure;		/* the line is protected from the start (implicit TLS) */
	bool starttls;		/* use STARTTLS before login */
	bool starttls_required;	/* none offered or refused: fail; else go on in clear */
	bool clear_allowed;	/* clear-text passwords on an unprotected line */
	bool channel_binding;	/* the caller can bind to TLS (-PLUS) */
	bool lockstep;		/* never pipeline */
	bool compress;		/* use COMPRESS=DEFLATE */
};

enum imc_what {
	IMC_NOTHING, IMC_TLS, IMC_SASL, IMC_COMPRESS, IMC_READY, IMC_MAILBOX, IMC_FOUND, IMC_VANISHED, IMC_MESSAGE, IMC_BEGIN, IMC_BODY,
	IMC_END, IMC_COPIED, IMC_DONE, IMC_REFUSED, IMC_IDLING, IMC_NEWS, IMC_WARNING, IMC_BYE, IMC_FAILED
};

enum imc_verb {
	IMC_ASK_NONE, IMC_ASK_LIST, IMC_ASK_SELECT, IMC_ASK_EXAMINE, IMC_ASK_SEARCH, IMC_ASK_LISTING, IMC_ASK_FETCH, IMC_ASK_HEAD,
	IMC_ASK_STORE, IMC_ASK_EXPUNGE, IMC_ASK_COPY, IMC_ASK_MOVE, IMC_ASK_CREATE, IMC_ASK_CLOSE, IMC_ASK_NOOP, IMC_ASK_IDLE, IMC_ASK_NOTIFY,
	IMC_ASK_LOGOUT
};

enum imc_flag {			/* of a message, as bits */
	IMC_SEEN = 1, IMC_DELETED = 2, IMC_FLAGGED = 4, IMC_ANSWERED = 8, IMC_DRAFT = 16, IMC_RECENT = 32
};

enum imc_box {			/* of a mailbox, as bits (RFC 3501, 6154) */
	IMC_BOX_NOSELECT = 1, IMC_BOX_ALL = 2, IMC_BOX_JUNK = 4, IMC_BOX_TRASH = 8, IMC_BOX_SENT = 16, IMC_BOX_DRAFTS = 32,
	IMC_BOX_ARCHIVE = 64, IMC_BOX_FLAGGED = 128
};

enum imc_want { IMC_WANT_FLAGS = 1, IMC_WANT_SIZE = 2, IMC_WANT_GMAIL = 4 };

enum imc_news {			/* as bits */
	IMC_NEWS_MAIL = 1, IMC_NEWS_GONE = 2, IMC_NEWS_FLAGS = 4, IMC_NEWS_OVERFLOW = 8
};

enum imc_code {			/* response codes that a caller may act upon */
	IMC_CODE_NONE, IMC_CODE_TRYCREATE, IMC_CODE_NONEXISTENT, IMC_CODE_OVERQUOTA, IMC_CODE_NOPERM, IMC_CODE_READ_ONLY,
	IMC_CODE_BUSY, IMC_CODE_AUTH, IMC_CODE_BADEVENT, IMC_CODE_OTHER
};

struct imc_event {
	enum imc_what what;
	enum imc_verb verb;	/* MAILBOX … NEWS: of which command */
	uint32_t id;		/* that command's, 0 when unasked */
	uint32_t uid;		/* MESSAGE … END, REFUSED: message; FOUND, VANISHED: the first; NEWS: UIDNEXT */
	uint32_t last;		/* FOUND, VANISHED: the last of the range; COPIED: UIDVALIDITY of the target; NEWS: UIDVALIDITY */
	uint64_t size;		/* MESSAGE; NEWS: messages */
	uint64_t gmail_id;	/* MESSAGE: X-GM-MSGID, or 0 */
	unsigned flags;		/* MESSAGE, END: enum imc_flag; MAILBOX: enum imc_box; NEWS: enum imc_news */
	char delimiter;		/* MAILBOX: 0 for NIL */
	struct span text;	/* MAILBOX: the name as on the wire (wire/utf7.h); NEWS: the same, empty: the one selected; BODY: octets; COPIED: the
				 * set that was copied; REFUSED, WARNING, BYE: words */
	struct span to;		/* COPIED: the set it became; see uid_pairs_start */
	enum sasl_mech mech;	/* SASL */
	bool first, last_step;	/* SASL: as p3c_event.first and .last */
	bool has_flags, has_size;	/* MESSAGE */
	bool empty, again;	/* REFUSED, of a message: see above */
	bool earlier;		/* VANISHED */
	bool good;		/* BYE */
	enum imc_code code;	/* REFUSED */
	enum err_kind kind;	/* REFUSED: ERR_BUSY, ERR_AUTH, ERR_TLS or ERR_PEER */
};

struct imc_mailbox {		/* the mailbox that is selected, 0 where not told */
	uint32_t validity, uid_next, exists, expunged;	/* expunged: told since it was selected */
	uint64_t modseq;	/* the highest; 0 also where the server keeps none (NOMODSEQ) */
	unsigned permanent;	/* enum imc_flag: those that can be stored; when has_permanent */
	bool has_exists, has_permanent, read_only, uids_not_sticky;
};

struct imc_watch {		/* what imc_notify asks for; at least one of names, trees, personal, selected */
	const struct span *names, *trees;	/* mailboxes; mailboxes with all below them */
	size_t name_count, tree_count;
	bool personal;		/* all that are the user's own */
	bool selected, flags;	/* the selected one; its flags too */
	bool status;		/* how each other one is, at once */
};

struct imc;			/* ~90 KiB; see imc_size */
struct imc_rested;		/* see imc_rested_size */

size_t imc_size(void);
void imc_start(struct imc *s, const struct imc_login *login);
void imc_end(struct imc *s);	/* wipes what may be secret */

void imc_feed(struct imc *s, struct span in);
enum imc_what imc_next(struct imc *s, struct imc_event *ev);
/* Fed bytes not yet consumed: at IMC_TLS any are an attack (the driver's check). */
size_t imc_unread(const struct imc *s);
/* The connection was closed by the server: turns into IMC_FAILED or IMC_BYE. */
void imc_eof(struct imc *s);
struct span imc_out(const struct imc *s);
void imc_sent(struct imc *s, size_t n);
const struct err *imc_error(const struct imc *s);	/* after IMC_FAILED */

void imc_secured(struct imc *s);
/* At IMC_COMPRESS imc_out is sent, as it is, and then compression begins; nothing
 * more is eaten until this is called.  What is fed and
 * unread then (imc_unread) is compressed already: the driver's, for its inflater,
 * and forgotten here.  From then on octets go in and out as before it. */
void imc_compressed(struct imc *s);
void imc_sasl_answer(struct imc *s, struct span response);
/* `proof_failed`: the server's signature or channel binding was wrong. */
void imc_sasl_cancel(struct imc *s, bool proof_failed, const struct err *why);

unsigned imc_capabilities(const struct imc *s);
bool imc_qresync(const struct imc *s);		/* enabled and believed: VANISHED comes for EXPUNGE */
enum sasl_mech imc_mechanism(const struct imc *s);	/* that logged in, or is being tried */
unsigned imc_offered(const struct imc *s);	/* bits 1 << enum sasl_mech: what the server told; LOGIN (SASL_USER) is not among them */
bool imc_greeted(const struct imc *s);		/* the server let us in */
bool imc_trying(const struct imc *s);		/* capabilities are known; it is the login's turn, or was */
const struct ladder *imc_ladder(const struct imc *s);	/* as p3c_ladder */
bool imc_tls_refused(const struct imc *s);	/* failed because STARTTLS was not to be had */
const struct imc_mailbox *imc_selected(const struct imc *s);
bool imc_can_ask(const struct imc *s);		/* any one command */
size_t imc_room(const struct imc *s);		/* ids that imc_fetch or imc_fetch_head takes now, 0 to IMC_FETCH_MAX */
size_t imc_outstanding(const struct imc *s);	/* commands asked and not answered */

/* Names of mailboxes and patterns as on the wire, of printable ASCII and at most
 * IMC_NAME_MAX octets (utf7_encode makes both certain); criteria are printable
 * ASCII of at most IMC_CRITERIA_MAX ("ALL", "UID 7:* UNSEEN"); sets are of
 * uidset_text, or "1:*", of at most UIDSET_TEXT_MAX.  All asserted. */
uint32_t imc_list(struct imc *s, struct span pattern);
uint32_t imc_select(struct imc *s, struct span mailbox);
uint32_t imc_examine(struct imc *s, struct span mailbox);
uint32_t imc_select_since(struct imc *s, struct span mailbox, bool examine, uint32_t validity, uint64_t modseq);
uint32_t imc_close(struct imc *s);	/* UNSELECT: removes nothing; needs IMC_CAPA_UNSELECT */
uint32_t imc_create(struct imc *s, struct span mailbox);
uint32_t imc_search(struct imc *s, struct span criteria);
uint32_t imc_listing(struct imc *s, struct span set, unsigned want);	/* enum imc_want */
uint32_t imc_fetch(struct imc *s, const uint32_t *uids, size_t count);	/* 1 to imc_room */
uint32_t imc_fetch_head(struct imc *s, const uint32_t *uids, size_t count);
uint32_t imc_store(struct imc *s, struct span set, unsigned flags);	/* adds SEEN, DELETED, FLAGGED; SEEN alone:
				 * IMC_MESSAGE shows the flags of each message, unasked */
uint32_t imc_expunge(struct imc *s, struct span set);
uint32_t imc_copy(struct imc *s, struct span set, struct span mailbox);
uint32_t imc_move(struct imc *s, struct span set, struct span mailbox);	/* needs IMC_CAPA_MOVE */
uint32_t imc_noop(struct imc *s);
/* For a moment when nothing is outstanding, and for imc_idle a mailbox is selected (asserted). */
uint32_t imc_idle(struct imc *s);	/* needs IMC_CAPA_IDLE */
void imc_idle_done(struct imc *s);	/* needs imc_idling; a second time it says nothing */
bool imc_watch_fits(const struct imc_watch *w);	/* IMC_WATCH_MAX, IMC_WATCH_TEXT_MAX; else watch less, or by trees */
uint32_t imc_notify(struct imc *s, const struct imc_watch *w);	/* needs IMC_CAPA_NOTIFY, imc_watch_fits */
uint32_t imc_notify_none(struct imc *s);
uint32_t imc_logout(struct imc *s);

bool imc_idling(const struct imc *s);	/* IDLE is unanswered */
bool imc_notifying(const struct imc *s);
unsigned imc_news(const struct imc *s);	/* enum imc_news, of the selected mailbox, since it was cleared */
void imc_news_clear(struct imc *s);

size_t imc_rested_size(void);
bool imc_may_rest(const struct imc *s);	/* imc_next said IMC_NOTHING, imc_out is empty, and so on */
void imc_rest(struct imc *s, struct imc_rested *rested);	/* needs imc_may_rest; what was *s is no session then */
void imc_resume(struct imc *s, const struct imc_rested *rested);
