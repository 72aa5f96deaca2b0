/* SPDX-License-Identifier: Apache-2.0
 *
 * One visit, inside the room: what its files share.  Not for other rooms.
 *
 *   visit.c         from lock to result: prepare, connect, retry, end
 *   talk.c          between connection and session, whatever the protocol
 *   talk_pop3.c     the POP3 session's events
 *   ask_pop3.c      what to ask the server next
 *   steps.c         a test's steps, as they are told; try_pop3.c, try_imap.c: its deeds
 *   watch.c         between visits: the mailbox is watched (watch.h); park_imap.c: how it comes to that
 *   probe.c         a test of a silent server: does it wait for TLS?
 *   stranger.c      another protocol's greeting
 *   offered.c       certificates that were not trusted are kept
 *   sasl_run.c      steps of a SASL exchange, slow ones in jobs
 *   mechs.c         which mechanisms, and what became of them (mechs.h)
 *   selection.c     which messages, in what order
 *   list_pop3.c     from UIDL and LIST to a plan
 *   ask.c, listed.c what asking and listing have in common, whatever the protocol
 *   visit_imap.h    the same over IMAP: names those files
 *   compared.c      messages whose id cannot be trusted
 *   delivery.c      a message as it comes, up to complete
 *   turns.c         its way through the sinks into the ledger
 *   untaken.c       what a target did not take: the held area, on_refused
 *   retries.c       held messages are tried again; retries_settle.c: and after a crash
 *   answers.c       what is done when something is durable
 *   sink.c          which kind a target is, and where a mailbox lies
 *   routing.c       whom a message is for at a target (routing.h)
 *   sink_*.c        one kind of target each; sink_files.h: directories
 *
 * Everything runs on the loop's thread.  A visit ends when its connection is
 * gone and nothing of it is under way (`waiting` counts answers and jobs), so
 * that no answer can find it gone.  Answers come by ticket: visit, message
 * slot and kind, never a pointer. */
#pragma once

#include <stdatomic.h>

#include "base/log.h"
#include "collect/collect.h"
#include "collect/listing.h"
#include "collect/mechs.h"
#include "collect/password.h"
#include "collect/routing.h"
#include "collect/sink.h"
#include "net/conn.h"
#include "pop3/client.h"
#include "store/ledger.h"
#include "store/spool.h"

enum {
	WINDOW_MESSAGES = 1000,		/* asked and not answered */
	WINDOW_OCTETS = 4 << 20,	/* the same, by the sizes the server told */
	UNDER_WAY_MESSAGES = 1024,	/* complete and not yet durable */
	UNDER_WAY_OCTETS = 4 << 20,
	HEAD_MAX = 64 * 1024,		/* of a message, looked at for its date */
	TOP_ALL_LINES = 99999999,
	STRAGGLERS_MS = 20 * 1000,	/* so long the source's server waits for what only targets are to answer */
	SINK_SILENT_MS = 60 * 1000,	/* so long a target may say nothing before what waits for it is held */
	SINK_HUNG_MAX = 3,		/* the same of one that did not even answer */
	SINK_FAILURES_MAX = 10,		/* in a row, after which a target gets nothing more in this visit */
	SLOW_FACTOR = 10,		/* within so many time-outs */
	SLOW_OCTETS = 4096,		/* at least so much must come */
};

enum visit_phase {
	VISIT_WAITING,		/* for its turn at the host */
	VISIT_PREPARING,	/* password, recovery */
	VISIT_CONNECTING,	/* up to logged in */
	VISIT_LISTING,
	VISIT_JUDGING,		/* headers first, for newer_than */
	VISIT_FETCHING,
	VISIT_LEAVING,		/* QUIT was sent */
	VISIT_CLOSED,		/* no connection; answers may still come */
	VISIT_ENDED,
};

enum { GREETING_SHOWN = 121, MESSAGE_TITLE = 256 };

struct steps {			/* of a VISIT_TEST */
	enum visit_step_what now;	/* what is being done */
	unsigned passed;		/* bits: told as good */
	bool over;			/* the log out was told: nothing more is */
	bool probed;
	uint64_t since_ms;
	char greeting[GREETING_SHOWN];
};


struct imap_visit;

struct message {		/* being received, or complete and on its way */
	struct message *next;
	uint32_t slot, number;		/* number: IMAP: its UID */
	uint8_t id[32], digest[32];
	uint64_t size;
	int64_t first_seen;
	uint64_t moment;	/* maildir_moment: in the order in which they came */
	uint32_t attempts;
	uint32_t accepted;	/* bit n: sink n has it durably, */
	uint32_t failed;	/* or did not take it in this visit, */
	uint32_t held;		/* or the held area has it for that sink (copies; 0: it waits at the server until `retry`), */
	uint32_t refused;	/* or was refused, and nobody is asked until `retry` */
	uint32_t others;	/* sinks that are not asked: of a held message all but its own */
	uint64_t copies[LEDGER_TARGETS_MAX];
	uint64_t copy;		/* it is this held message, tried again; 0: it came from the server */
	struct retried *retried;	/* and what is known of it */
	struct handing *handing;	/* it is with sink_handed */
	struct handing *unreleased;	/* its target took it, and waits until that is durable */
	bool quarantined, counted;
	char *why;		/* the last target that did not take it, NULL: none; ours */
	struct ledger *ledger;	/* its entry's */
	struct routing routing;	/* of the sink whose turn it is */
	uint8_t turn;		/* the sink that is at it */
	bool has_id, unidentified;
	bool removal;		/* once all is decided it is deleted, whatever `after` says */
	uint8_t uid_len;
	char uid[ITEM_UID_MAX];
	char place[MAILDIR_NAME_MAX];
	char uid_text[LEDGER_UID_MAX + 1];	/* sink_files: for people */
	struct spool *spool;
	struct incoming *incoming[LEDGER_TARGETS_MAX];
};

/* One protocol, as talk.c drives it: a table each, in talk_pop3.c and its like. */
struct talk_ops {
	const char *service;		/* what SASL calls it (IANA: GSSAPI service names) */
	uint16_t clear_port;
	bool (*make)(struct visit *v);	/* the session, for one attempt; false: out of memory */
	void (*free)(struct visit *v);	/* also when there is none */
	void (*start)(struct visit *v);	/* the connection is open */
	void (*feed)(struct visit *v, struct span in);
	size_t (*unread)(const struct visit *v);
	bool (*event)(struct visit *v);	/* takes one, and does what it asks for; false: there is none */
	void (*ask)(struct visit *v);	/* what to ask next */
	size_t (*outstanding)(const struct visit *v);	/* asked and not answered */
	struct span (*out)(const struct visit *v);
	void (*sent)(struct visit *v, size_t n);
	void (*secured)(struct visit *v);
	void (*compressed)(struct visit *v);	/* after v->compressing; NULL where that never is */
	void (*sasl_answer)(struct visit *v, struct span response);
	void (*sasl_cancel)(struct visit *v, bool proof_failed, const struct err *why);
	void (*eof)(struct visit *v);	/* the server closed; v->why tells, or stays empty */
	void (*left)(struct visit *v);	/* the connection ended behind our goodbye */
	const struct ladder *(*ladder)(const struct visit *v);	/* of the session; NULL: there is none */
	bool (*stuck)(const struct visit *v);	/* it ends as at a server that takes no pipelining */
	bool (*shifted)(const struct visit *v);	/* an answer came that belongs to no command; NULL: cannot be */
	void (*listed)(struct visit *v);	/* the ledger stands as the listing says: go on */
	void (*settled)(struct visit *v, const struct message *m);	/* the ledger has it for good; may be NULL */
	enum visit_step_what (*reached)(const struct visit *v);	/* GREETING, CAPABILITIES, LOGIN: where the session is */
	void (*offers)(const struct visit *v, char *out, size_t size);	/* capabilities, for people */
	void (*entered)(const struct visit *v, char *out, size_t size);	/* how it logged in */
};

struct visit {
	struct collector *collector;
	struct visit *next_dirty;
	uint32_t index;
	uint64_t id;
	bool dirty;
	const struct connection *with;
	struct tls_contexts *contexts;
	struct tag tag;
	enum visit_what what;
	enum visit_phase phase;
	bool stopping;
	uint64_t started_ms;
	struct visit_result result;
	struct steps steps;

	struct store_lock *lock;
	struct ledger *own;		/* the connection's, */
	struct ledger *ledger;		/* and that of the mailbox that is visited */
	struct ledger **ledgers;	/* all that there are; those of new mailboxes join */
	size_t ledger_count;
	struct buf password;		/* or the access token */
	bool password_known;
	struct visit_token token;
	atomic_bool stop_command;	/* which gets the password, in a job */
	struct sink sinks[LEDGER_TARGETS_MAX];
	uint8_t sink_count;
	size_t waiting;			/* answers and jobs to come */
	size_t retrying;		/* held messages that are tried */
	struct retried *retried;	/* those */
	int64_t retry_until;		/* what is due up to then is tried; 0: not begun */
	size_t handed;			/* messages that are with servers and programs, without those */
	bool tight;			/* the held area has hardly any room: what targets do not take stays at the server */
	struct timer *stragglers;	/* runs while all that is left is with them */
	bool straggling, leaves;	/* leaves: the source is not kept waiting for them any longer */

	/* one attempt: connection and session */
	struct timer *retry;
	uint32_t tries, busy_tries;
	int64_t began_s;		/* when this attempt did */
	bool lockstep, in_clear;	/* fallbacks in force */
	bool mild;		/* what `why` tells is not over in a moment, and hinders nothing else */
	bool shifted;		/* answers did, in this attempt */
	bool pipeline_stuck;	/* this attempt ended as one does at a server that takes no pipelining */
	bool tls_technical;	/* no TLS to be had, but nothing proved wrong */
	struct err why;			/* of this attempt; kind ERR_NONE = fine so far */
	struct conn *conn;
	struct conn_settings conn_settings;
	const struct talk_ops *talk;
	struct p3c *pop;		/* the session, of the one protocol */
	struct p3c_login pop_login;
	struct imap_visit *imap;
	bool channel_binding;
	enum sasl_mech mechs[SASL_MECHS];	/* to be tried, in order */
	size_t mech_count;
	char *only;			/* a baseline's: no other mailbox, as people write it; NULL: all */
	struct visit_mechs ladder;	/* what became of them */
	struct sasl_run *sasl;
	bool opened;		/* the session has begun: not while the connection, and implicit TLS, is being made */
	bool sasl_busy, greeted, securing, compressing, closing, bye;
	bool throttled, idle;		/* waiting for room in the store; not for the server */
	bool feeding;		/* a sink has messages that wait for room in the store */
	bool prepared;		/* lock, targets and password are there */
	bool adopts;		/* it goes on with the session that watched its mailbox, until that turns out to be dead */
	bool parks, parks_again;	/* its session is to watch, once it is nobody's turn; and a visit is to follow */

	/* what it sees and does */
	uint64_t stat_count;
	struct listing listing;
	struct listing_found found;
	struct identity identity;
	struct listing_rules rules;
	bool listed, no_ids, stat_refused;
	size_t slices;			/* of ledger work that answers are awaited for */
	bool joined;			/* the join is done, and what it put is on its way */
	size_t baseline_at, recorded;	/* baseline: next item; skipped for good in the ledger */
	uint32_t *plan;			/* items to fetch, in order */
	size_t plan_count, plan_asked, plan_answered, plan_kept;
	size_t limit;			/* at most so many; 0 = no limit */
	size_t taken;			/* planned in mailboxes before this one; in them were */
	uint64_t taken_octets;
	uint64_t asked_octets, planned_octets;
	size_t in_flight;		/* messages asked for and not answered */
	size_t dispose_at;		/* next known item to look at for DELE */
	uint32_t *deletes;		/* numbers to dispose of, of messages delivered now */
	size_t delete_count, delete_cap, delete_asked;
	bool deletes_ever;
	struct message *current;
	struct buf head;
	struct message **slots;		/* by slot; free ones NULL */
	size_t slot_count;
	struct queue spare;
	size_t under_way;		/* without those that are tried again */
	uint64_t under_way_octets;
	struct err last_failure;	/* of a target */
	struct err no_target;		/* none takes anything more in this visit; kind ERR_NONE = not so */
	uint64_t heard_ms;		/* when octets came last */
	bool slow;			/* it has no place at its host any more */
	uint64_t slow_since_ms;		/* the window in which something must come */
	size_t slow_octets, puts;	/* what came in it; ledger puts since the last slice */
	size_t uncompared;		/* unidentified items not yet settled */
};

/* visit.c */
[[nodiscard]] struct visit *visit_new(struct collector *c, uint32_t index, uint64_t id, const struct connection *with, enum visit_what what);
void visit_free(struct visit **v);
void visit_start(struct visit *v);
void visit_fail(struct visit *v, const struct err *why);	/* this attempt: closes the connection */
void visit_close(struct visit *v);	/* the connection, in order */
void visit_stop(struct visit *v);
void visit_drop(struct visit *v);	/* and its connection: no answer to QUIT is waited for */
bool visit_slow(const struct visit *v, uint64_t now_ms);	/* its server is silent, or it takes long */
void visit_move(struct visit *v);	/* something changed: go on as far as possible */
void visit_reset_attempt(struct visit *v);
void visit_reset_mailbox(struct visit *v);	/* forgets what one listing showed and what came of it */

[[nodiscard]] bool visit_enter(struct visit *v, const char *mailbox, struct err *e);	/* v->ledger is its, known or new */

/* talk.c */
void talk_connect(struct visit *v);
void talk_move(struct visit *v);
void talk_secure(struct visit *v);	/* the session waits for TLS */
void talk_park(struct visit *v);	/* connection and session are to watch: as if they had ended in order */

/* talk_pop3.c, ask_pop3.c */
extern const struct talk_ops talk_pop3, talk_imap;
void ask_pop3(struct visit *v);

/* ask.c: the plan, whatever the protocol */
bool ask_window_open(const struct visit *v);
void ask_begins(struct visit *v, struct item *item);	/* its message is asked for */
void ask_over(struct visit *v, struct item *item);	/* its message came, or did not */
void ask_begin_fetching(struct visit *v);
/* Nothing is under way; or only what targets have had for long: the next visit disposes of that. */
bool ask_may_leave(struct visit *v);
bool ask_judged(const struct visit *v);		/* VISIT_JUDGING has seen all that it needs */

/* steps.c: all of it does nothing unless the visit is a test */
void steps_begin(struct visit *v);
void steps_now(struct visit *v, enum visit_step_what what);	/* it begins */
void steps_connected(struct visit *v);
void steps_secured(struct visit *v);		/* TLS is up */
void steps_heard(struct visit *v, struct span first);	/* the first octets that the server said */
void steps_move(struct visit *v);		/* the session went on */
void steps_in_clear(struct visit *v);		/* v->why says why there is no TLS, and may be forgiven */
void steps_tell(struct visit *v, enum visit_step_what what, const char *format, ...) __attribute__((format(printf, 3, 4)));
void steps_failed(struct visit *v, enum visit_step_what what, const struct err *why);
void steps_end(struct visit *v);		/* what v->why says is told, unless it was */
/* Whether `after` is to change something in the mailbox. */
bool steps_disposes(const struct visit *v);

/* try_pop3.c: what a test does once it is logged in; false: it is not a test's own event */
bool try_pop3(struct visit *v, const struct p3c_event *ev);
void try_pop3_left(struct visit *v);
enum visit_step_what try_pop3_reached(const struct visit *v);
void try_pop3_offers(const struct visit *v, char *out, size_t size);
void try_pop3_entered(const struct visit *v, char *out, size_t size);

/* probe.c: a test, and a server that says nothing: does it begin with TLS?  v->why is then told better. */
bool probe_wanted(const struct visit *v);
void probe_start(struct visit *v);

/* stranger.c: the first octets are of another protocol; true: that ended the attempt */
bool stranger_speaks(struct visit *v, struct span first);

/* offered.c: inside closed(), when v->why is known.  What was offered and not
 * trusted goes into the store, and v->why tells where to look. */
void offered_keep(struct visit *v);

/* list_pop3.c */
[[nodiscard]] bool listing_take(struct visit *v, uint32_t number, struct span uid, struct err *e);
void listing_over(struct visit *v);		/* all ids are in */
void listing_settled(struct visit *v);		/* and the ledger stands as they say */

/* listed.c: a complete listing, whatever the protocol */
[[nodiscard]] bool listed_join(struct visit *v, struct err *e);
bool listed_removals(const struct visit *v, struct ledger *l);	/* of `l`, some may have to be deleted whatever `after` says */
void listing_slice(struct visit *v);		/* goes on with what a listing turns to gone; then talk->listed */
void listing_sizes_known(struct visit *v);
[[nodiscard]] bool listing_plan(struct visit *v, struct err *e);
void listed_close(struct visit *v);		/* all that was unidentified is compared: who was not found is gone */

/* selection.c */
[[nodiscard]] bool selection_plan(struct visit *v, struct err *e);
bool selection_judges(const struct visit *v);	/* by header, before fetching */
bool selection_newest_first(const struct visit *v);
bool selection_old(const struct visit *v);	/* by v->head: older than newer_than */
/* For good: the ledger remembers it.  `digest`: of its octets, when they are known. */
void selection_skip(struct visit *v, const struct item *item, const uint8_t digest[32]);
void selection_baseline(struct visit *v);

/* retries.c */
void retries_start(struct visit *v);		/* those that are due; also later, for more */
void retries_postpone(struct visit *v, const char *why);	/* this visit can try none */
void retried_over(struct visit *v, struct message *m);	/* its sink has had its turn */
bool retried_bounce(const struct message *m);	/* of our own: it never was in a mailbox */
void retried_left(struct visit *v, struct message *m);	/* nothing is known of it: as it was */
void retried_settled(struct visit *v, struct message *m);	/* the ledger has that for good */

/* retries_settle.c */
void retries_settle(struct visit *v);		/* before each attempt: held area and ledger agree, whatever a crash left */
bool retries_has(struct visit *v, const struct sink *k, uint64_t copy);	/* after a crash the sink has it; false: it is not held any more */

/* untaken.c: sink m->turn, whose turn it is, did not take it; ends in the turn's end */
void untaken_room(struct visit *v);		/* before anything is fetched: is there room for what may be deferred? */
void message_untaken(struct visit *v, struct message *m, const struct deliver_result *r);
void message_deferred(struct visit *v, struct message *m, const char *why);
void message_unrouted(struct visit *v, struct message *m);	/* no_recipient: what m->routing says */

/* sink_handed.c: what it took is durable: its target may go on */
void handed_look(struct visit *v);	/* every second or so */
void handed_release(struct visit *v, struct message *m);
void handed_let_go(struct visit *v, struct handing **h);
/* What has not begun there will not; for a visit that is stopped. */
void handed_stop(struct visit *v, const char *why);

/* turns.c */
void message_go_on(struct visit *v, struct message *m);
/* What its targets say of it, over those that count today; with `final` what it is when all have it. */
enum ledger_state entry_state(const struct visit *v, const struct ledger_entry *entry, enum ledger_state final);
/* How it stands in the log. */
void message_title(const struct visit *v, const struct message *m, char out[MESSAGE_TITLE]);
void message_because(struct message *m, const char *why);
void message_error(const struct message *m, struct ledger_entry *entry);	/* what it is because of, into the entry */
void message_entry(const struct visit *v, const struct message *m, enum ledger_state state, struct ledger_entry *entry);
void message_accepted(struct visit *v, struct message *m);	/* by the sink whose turn it is */
void message_failed(struct visit *v, struct message *m, const struct err *why);
void message_over(struct visit *v, struct message *m, uint32_t *way);	/* its bit is set in *way */
/* No target takes anything more in this visit: nothing more is fetched. */
void visit_no_target(struct visit *v, const struct err *why);

/* delivery.c */
[[nodiscard]] bool delivery_open(struct visit *v, struct err *e);
/* Brings the ledger up to date, before each attempt; v->waiting counts what it waits for. */
[[nodiscard]] bool delivery_recover(struct visit *v, struct err *e);
void delivery_close(struct visit *v);
void delivery_turn(struct visit *v);	/* of its sinks */
[[nodiscard]] bool message_begin(struct visit *v, const struct item *item, struct err *e);
[[nodiscard]] bool message_octets(struct visit *v, struct span octets, struct err *e);
void message_complete(struct visit *v, bool too_old);
void message_drop(struct visit *v, struct message *m);	/* as if it never came */
void message_refused(struct visit *v, const struct item *item, struct span words);
/* What an earlier visit left: which targets have it already. */
void message_recall(struct visit *v, struct message *m);
void message_leave(struct visit *v, struct message *m);	/* it is under way no more */
/* What the entry says of target `tag` (`place` NULL: none) is replaced, or added. */
void entry_set_target(struct ledger_entry *entry, uint64_t tag, enum ledger_target_state state, const char place[MAILDIR_NAME_MAX]);
void delivery_want_disposal(struct visit *v, uint32_t number);	/* of a message the ledger has as `disposing` */
/* How people call it: its UIDL, or "uidvalidity/uid". */
void message_uid_text(const struct visit *v, uint32_t number, struct span uid, char out[LEDGER_UID_MAX + 1]);
[[nodiscard]] struct message *message_new(struct visit *v);	/* NULL: out of memory */
void message_free(struct visit *v, struct message *m);
bool delivery_full(const struct visit *v);

/* compared.c */
[[nodiscard]] bool message_known(struct visit *v, struct message *m, const uint8_t old[32]);	/* it is the message of entry `old`; false: some target still wants it */
/* Answers shifted in a pipelined session: what the ledger has since then may be
 * another message's.  All of it is compared by content from now on. */
void compared_distrust(struct visit *v, int64_t since);
/* An id that comes back after `gone` is a new message; but not while a copy of the same octets waits in the held area, or once its
 * target got that.  False: it is no new message, and is done with. */
[[nodiscard]] bool message_returns(struct visit *v, struct message *m);
[[nodiscard]] bool message_identify(struct visit *v, struct message *m);	/* false: it is no new message, and is done with */

/* answers.c */
void delivery_not_disposed(struct visit *v, uint32_t number);	/* its disposition was refused */
void visit_count_puts(struct visit *v, size_t puts);	/* without tickets: now and then a slice */
void visit_slice(struct visit *v);		/* TICKET_SLICE when all puts so far are durable */
void visit_slice_of(struct visit *v, struct ledger *l);	/* the same of another ledger */
void visit_answer(struct visit *v, uint32_t slot, enum ticket_kind kind, const struct err *why);
uint64_t visit_ticket(struct visit *v, uint32_t slot, enum ticket_kind kind);	/* counts it in v->waiting */
enum ledger_state visit_final_state(const struct visit *v);
/* Now, and later than the last disposals that the server confirmed: that spoke of none that comes now. */
int64_t delivery_moment(struct ledger *l);
/* The server confirmed all disposals that this visit asked of the ledger's mailbox. */
void delivery_confirmed(struct ledger *l);
/* Its disposal is asked for: true: the entry did not say so, or of a time that is to come, and is to be put. */
[[nodiscard]] bool delivery_asked_anew(struct ledger *l, struct ledger_entry *entry);
/* After a crash: sink `k` has this message; into its ledger (TICKET_RECOVERED). */
void delivery_recovered(struct visit *v, struct ledger *l, struct ledger_entry *entry, const struct sink *k);

void queue_add(struct queue *q, struct message *m);
struct message *queue_take(struct queue *q);

/* collector.c */
struct loop *collector_loop(struct collector *c);
struct store *collector_store(struct collector *c);
bool collector_recalled(struct collector *c, const struct visit *v, struct visited_login *login);	/* without a store */
struct store *collector_vault(struct collector *c);	/* where passwords vault:NAME are; NULL: nowhere */
struct tls_contexts *collector_contexts(struct collector *c);
struct tokens *collector_tokens(struct collector *c);
struct deliveries *collector_deliveries(struct collector *c);
/* What deliveries need of a target, kept for all visits of these settings: deliver_target_put it. */
[[nodiscard]] struct deliver_target *collector_target(struct collector *c, const struct target *t, struct err *e);
void collector_dirty(struct collector *c, struct visit *v);	/* visit_move soon */
void collector_throttle(struct collector *c, struct visit *v, bool on);	/* it waits for room in the store */
void collector_feed(struct collector *c, struct visit *v);	/* its sinks want the next turn, whoever wakes */
void collector_again(struct collector *c);	/* one more turn, once others have had theirs */
/* One visit to this host is over, or has left it: the one that waits longest for it may start. */
void collector_left_host(struct collector *c, const struct visit *v);
void collector_ended(struct collector *c, struct visit *v);
void collector_step(struct collector *c, const struct visit *v, const struct visit_step *step);
struct watches *collector_watches(struct collector *c);	/* NULL: nothing is watched */
