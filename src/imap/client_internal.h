/* SPDX-License-Identifier: Apache-2.0
 *
 * The IMAP client's insides, shared by its own files only:
 *   client.c         the session: bytes in and out, the queue, the turn
 *   client_reply.c   from tokens to responses: tags, statuses, codes
 *   client_data.c    LIST, SEARCH, ESEARCH, CAPABILITY as they come
 *   client_fetch.c   FETCH as it comes, and which message it belongs to
 *   client_ask.c     the caller's commands and their answers
 *   client_idle.c    IDLE, and what counts as news
 *   client_notify.c  NOTIFY, and what STATUS tells of other mailboxes
 *   client_rest.c    a session without its working memory, and back
 *   client_login.c   greeting, CAPABILITY, STARTTLS, ID, up to IMC_READY
 *   client_auth.c    which mechanism next, LOGIN, refusals
 *   client_sasl.c    one AUTHENTICATE exchange
 *
 * Everything that was said and not yet answered stands in `asked`, a slot each,
 * found by its tag.  A response is read token by token: `at` is where in it we
 * are, and nothing but names, texts and sets is kept of it. */
#pragma once

#include "imap/client.h"

enum { CHALLENGE_MAX = IMC_WORD_MAX / 4 * 3, TEXT_MAX = 512, SET_MAX = 4096, TAG_MAX = 12 };

#define NOTHING ((struct span){ 0 })

enum verb {
	VERB_NONE = IMC_ASK_NONE, VERB_LIST = IMC_ASK_LIST, VERB_SELECT = IMC_ASK_SELECT, VERB_EXAMINE = IMC_ASK_EXAMINE,
	VERB_SEARCH = IMC_ASK_SEARCH, VERB_LISTING = IMC_ASK_LISTING, VERB_FETCH = IMC_ASK_FETCH, VERB_HEAD = IMC_ASK_HEAD,
	VERB_STORE = IMC_ASK_STORE, VERB_EXPUNGE = IMC_ASK_EXPUNGE, VERB_COPY = IMC_ASK_COPY, VERB_MOVE = IMC_ASK_MOVE,
	VERB_CREATE = IMC_ASK_CREATE, VERB_CLOSE = IMC_ASK_CLOSE, VERB_NOOP = IMC_ASK_NOOP,
	VERB_IDLE = IMC_ASK_IDLE, VERB_NOTIFY = IMC_ASK_NOTIFY, VERB_LOGOUT = IMC_ASK_LOGOUT,
	/* up to here the caller's; what waits, from NOOP on, behind what works in a mailbox (client_idle.c) */
	VERB_CAPABILITY, VERB_STARTTLS, VERB_ID, VERB_ENABLE, VERB_COMPRESS, VERB_LOGIN, VERB_AUTHENTICATE, VERB_CANCEL,
	VERBS
};

struct asked {
	uint32_t tag;			/* 0: the slot is free */
	uint32_t found;			/* data told so far */
	uint32_t told, empty, again;	/* of uids, as bits */
	uint32_t uids[IMC_FETCH_MAX];
	uint8_t verb, count;
};

enum phase { PHASE_GREETING, PHASE_LOGIN, PHASE_READY, PHASE_LOGOUT, PHASE_OVER };
enum turn { TURN_SERVER, TURN_TLS, TURN_SASL, TURN_COMPRESS };	/* whose turn it is: the server's, or the caller's */
enum status { STATUS_NONE, STATUS_OK, STATUS_NO, STATUS_BAD, STATUS_BYE, STATUS_PREAUTH };
enum idle { IDLE_NOT, IDLE_SAID, IDLE_ON, IDLE_TO_END, IDLE_ENDS };	/* TO_END: DONE is due at "+"; ENDS: it is said */
enum who { WHO_NOBODY, WHO_UNTAGGED, WHO_TAGGED, WHO_MORE };

enum at {
	AT_TAG, AT_WORD, AT_KIND, AT_STATUS, AT_CODE, AT_CODE_ARGS, AT_CAPABILITIES,
	AT_LIST_FLAGS, AT_LIST_DELIMITER, AT_LIST_NAME, AT_SEARCH, AT_ESEARCH, AT_VANISHED, AT_ENABLED, AT_BOX_NAME, AT_BOX_ITEMS, AT_FETCH,
	AT_REST
};

enum code_name {
	CODE_NONE, CODE_ALERT, CODE_CAPABILITY, CODE_UIDVALIDITY, CODE_UIDNEXT, CODE_HIGHESTMODSEQ, CODE_READ_ONLY, CODE_READ_WRITE,
	CODE_UIDNOTSTICKY, CODE_NOMODSEQ, CODE_PERMANENTFLAGS, CODE_CLOSED, CODE_COPYUID, CODE_TRYCREATE, CODE_NONEXISTENT, CODE_OVERQUOTA, CODE_NOPERM, CODE_BUSY, CODE_AUTH,
	CODE_PRIVACY, CODE_BADEVENT, CODE_OVERFLOW, CODE_OTHER
};

enum item { ITEM_NONE, ITEM_UID, ITEM_FLAGS, ITEM_SIZE, ITEM_GMAIL, ITEM_BODY, ITEM_HEAD, ITEM_OTHER };

struct response {		/* the one that is being read */
	enum who who;
	enum at at;
	enum status status;
	enum code_name code;
	struct asked *asked;	/* TAGGED */
	uint32_t words, number, place;	/* place: within LIST, codes, ESEARCH */
	unsigned depth;
	unsigned flags;		/* LIST, PERMANENTFLAGS */
	char delimiter;
	bool named;		/* LIST: its name was read */
	bool earlier;		/* VANISHED */
	bool cut;		/* a set, a name or a text did not fit */
	uint32_t validity;	/* of COPYUID */
};

struct fetched {		/* a FETCH that is being read */
	enum item item;
	struct asked *asked;	/* whose body is being told */
	unsigned slot;		/* its bit there */
	uint32_t uid, body_uid;
	uint64_t size, gmail_id;
	unsigned flags;
	bool has_flags, has_size, body_seen;
	bool telling;		/* the string that is read is its body */
	bool begun;		/* IMC_BEGIN was told: octets came, or a header, which may have none */
};

struct box_status {		/* a STATUS that is being read */
	enum { BOX_NONE, BOX_MESSAGES, BOX_UIDNEXT, BOX_UIDVALIDITY, BOX_OTHER } item;
	uint32_t uid_next, validity, messages;
};

struct imc {
	/* What a session at rest keeps, up to `working`: numbers, no pointer, nothing secret. */
	struct imc_mailbox mailbox;
	uint32_t recent;		/* the last RECENT */
	enum phase phase;
	enum turn turn;
	uint32_t tag;			/* the last said */
	uint32_t unanswering;		/* untagged responses since the last that told something asked for */
	unsigned capabilities, offered, news;
	enum sasl_mech mech;
	enum idle idle;
	uint32_t idle_tag;
	bool secure, greeted, trying, logged_in;
	bool told_capabilities;		/* since the login, or TLS, or the greeting */
	bool lockstep;
	bool qresync;			/* enabled */
	bool open;			/* a mailbox is selected */
	bool one_by_one;		/* bodies come in front of their UID */
	bool notifying;
	bool stray;			/* DONE was said: if IDLE was over before, it is no command, and refused */
	bool rested;			/* no secret is left in its memory */

	uint32_t working;		/* from here on: of a session that works */
	const struct imc_login *login;	/* NULL from IMC_READY on */
	struct span in;
	struct tokens tokens;
	struct response r;
	struct fetched f;
	struct box_status box;
	struct buf out, text, name, from, to;
	struct span set, piece;		/* of the last token, still to be told: what was found; a body's octets */
	struct asked *found_by;		/* whose `set` is */
	size_t out_sent;
	uint32_t count;			/* slots in use */
	uint32_t told_last;		/* the slot whose message was told last */
	struct asked *ending;		/* answered, and its untold messages are being refused */
	enum status ending_status;
	uint32_t warn;			/* id of an EXPUNGE to be warned of */
	unsigned news_due;		/* to be told */
	struct span reselect;		/* the mailbox of a SELECT that counts on the answer to ENABLE */

	bool clear_agreed, tls_refused;
	bool capa_refused;
	bool id_sent;
	bool eof, failed, try_next, enable_next, compress_next, ready, bye;
	bool closing;			/* what is told may still be of the mailbox before */

	struct ladder ladder;		/* of mechanisms: ladder.now is being tried, or logged in */
	uint8_t login_part;		/* of LOGIN: what a "+" asks for */
	struct {
		bool initial, spoke, last, proof_failed;
		bool ends;		/* what we cancelled was too far on for another mechanism */
		unsigned rounds, responses;
	} sasl;

	struct err error;
	struct asked asked[IMC_WINDOW];

	/* From here on, octets whose count stands above: not cleared at the start,
	 * so that a session that says little touches few pages. */
	char words[LADDER_TRIES + 1][LADDER_WORDS];
	char challenge[CHALLENGE_MAX];
	char word_memory[IMC_WORD_MAX];
	char out_memory[IMC_OUT_MAX];
	char text_memory[IMC_WORD_MAX], name_memory[IMC_NAME_MAX], from_memory[SET_MAX], to_memory[SET_MAX];
	char reselect_memory[IMC_NAME_MAX];
};

/* ---- client.c */

void client_lend(struct imc *s);			/* its own memory to its buffers */
const char *client_verb(enum verb verb);
void client_fail(struct imc *s, enum err_kind kind, const char *why, struct span words);
bool client_secret(const struct imc *s, struct span words);	/* they repeat the password */
struct asked *client_begin(struct imc *s, enum verb verb);	/* a slot, and its tag and a blank said */
void client_pop(struct imc *s, struct asked *a);
void client_say(struct imc *s, struct span text);
void client_say_quoted(struct imc *s, struct span text);	/* without control octets */
void client_command(struct imc *s, enum verb verb, struct span arguments);
struct asked *client_find(struct imc *s, enum verb verb);	/* the oldest of that verb, or NULL */
struct asked *client_selecting(struct imc *s);	/* the SELECT or EXAMINE that is unanswered, or NULL */

/* ---- client_reply.c */

void reply_token(struct imc *s, const struct token *tok, struct imc_event *ev);
struct asked *reply_find_tag(struct imc *s, struct span tag);	/* NULL: of no command that is outstanding */
/* What a refusal means: its code, else ERR_PEER; `words` of its line. */
enum err_kind reply_kind(const struct imc *s);
enum imc_code reply_code(const struct imc *s);

/* ---- client_data.c */

void data_capabilities_begin(struct imc *s);
void data_capability(struct imc *s, struct span word);
void data_begin(struct imc *s, const struct token *word);	/* "* WORD …" */
void data_found(struct imc *s, struct imc_event *ev);	/* the next of s->set */
void data_token(struct imc *s, const struct token *tok, struct imc_event *ev);
unsigned data_message_flag(struct span word);

/* ---- client_fetch.c */

void fetch_begin(struct imc *s);
void fetch_token(struct imc *s, const struct token *tok, struct imc_event *ev);
void fetch_line(struct imc *s, struct imc_event *ev);

/* ---- client_ask.c */

void ask_answered(struct imc *s, struct asked *a, struct imc_event *ev);
void ask_ending(struct imc *s, struct imc_event *ev);	/* the next message without an answer, or the end */
void ask_copied(struct imc *s, struct imc_event *ev);	/* COPYUID was read */
void ask_bye(struct imc *s, struct imc_event *ev, bool good);

/* ---- client_idle.c */

void idle_more(struct imc *s, struct imc_event *ev);	/* "+" to IDLE */
void idle_answered(struct imc *s);
bool idle_is_stray(struct imc *s, struct span tag);	/* the answer to a DONE that came too late */
void news_add(struct imc *s, unsigned news);
void news_exists(struct imc *s);		/* "* r.number EXISTS", and so on */
void news_recent(struct imc *s);
void news_expunged(struct imc *s);
void news_flags(struct imc *s);

/* ---- client_notify.c */

void notify_answered(struct imc *s, const struct asked *a);
void notify_overflow(struct imc *s);
bool notify_wants(struct imc *s);		/* STATUS is the answer to NOTIFY, or because of it */
void notify_status_begin(struct imc *s);
void notify_status_token(struct imc *s, const struct token *tok);
void notify_status_line(struct imc *s, struct imc_event *ev);

/* ---- client_login.c */

void login_enable(struct imc *s);
void login_compress(struct imc *s);
bool login_compressing(struct imc *s);	/* asked and unanswered, or the caller's turn: nothing may be said (RFC 4978 section 3) */
void login_greeting(struct imc *s);
void login_answered(struct imc *s, struct asked *a, struct imc_event *ev);
void login_done(struct imc *s);

/* ---- client_auth.c */

void auth_next(struct imc *s, struct imc_event *ev);
void auth_more(struct imc *s);		/* "+" to LOGIN */
void auth_refused(struct imc *s, bool ends);
void auth_unable(struct imc *s);	/* we cannot, and did not say a word of it; s->error says why */
void auth_pass_over(struct imc *s);

/* ---- client_sasl.c */

void sasl_begin(struct imc *s, struct imc_event *ev);
void sasl_more(struct imc *s, struct asked *a, struct imc_event *ev);
void sasl_answered(struct imc *s, struct asked *a, struct imc_event *ev);
