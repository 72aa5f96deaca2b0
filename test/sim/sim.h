/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulation: our clients against model servers, on a network and a disk
 * that a seed decides about, in virtual time (PRODUCT 2.3, rules 1 and 2).
 *
 * A run is one seed: one connection, some messages, visits with faults and
 * crashes, then calm visits.  The world (origin, disk, Maildir, clock, random
 * numbers) lives in shared memory.  Each life of our process is a fork()ed
 * child that links the real rooms but for what touches the machine:
 *
 *     src/net                  loop.c, net.c: one queue of events, model servers
 *     src/store's engine       disk.c: what was not synced is lost
 *     src/store/maildir.h      maildir.c: the same for files
 *     base/clock.h             clock.c (by ld's --wrap)
 *
 * A crash is _exit in the middle of it, after the world took what was not durable
 * away; the parent forks the next life.  Everything random comes from
 * the world's generator, so that a seed tells the same story on every machine. */
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "config/settings.h"
#include "store/store.h"

enum { MAILS_MAX = 96, FILES_MAX = 1024, COPIES_MAX = 512, TRACE_LINES = 256, TRACE_LINE = 200, FILE_NAME = 160, UID_TEXT = 64,
	RECIPIENTS = 3, TAKEN_MAX = 4096, OVERLAPS = 64 };
/* Seeds below are of the world without servers and programs, and tell the stories for which they stand in test/sim/seeds.
 * From WATCHED_FROM on an instance goes by its schedule, and watches its mailbox between visits (watching.c). */
enum { HANDED_FROM = 1000000, WATCHED_FROM = 1000000000 };
enum aim { AIM_MAILBOX, AIM_MAILDIR, AIM_PROGRAM, AIM_SERVER, AIMS };	/* the kinds of targets, one each */

enum place { PLACE_NONE, PLACE_TMP, PLACE_NEW, PLACE_CUR, PLACE_TAKEN };

struct file {			/* in the Maildir */
	char name[FILE_NAME];
	char *text;
	size_t len;
	enum place place, durable;	/* as a reader sees it; as a power cut leaves it */
	bool synced;			/* its octets */
};

struct mail {			/* a message at the origin; its truth */
	char *text;
	size_t len;
	uint32_t alike;			/* the first message of the same octets */
	char uid[UID_TEXT];
	uint32_t number;		/* IMAP: its UID; */
	bool seen, deleted;		/* and flags */
	bool present, ours, theirs;	/* gone by our doing; by another client's */
	bool lost;			/* it names nobody whom it is for */
	bool disposed;			/* our client asked for it: each target must have it */
	bool marked;			/* \\Deleted by our client */
	uint32_t copies;		/* in the other folder */
	bool copy_told;			/* our client knows of one */
	uint64_t arrived_us;
	uint32_t again;			/* so often another client took its \\Seen away: it is new again */
};

enum uids { UIDS_GOOD, UIDS_DOUBLED, UIDS_NONE };
enum cut { CUT_NEVER, CUT_RESET, CUT_END, CUT_SILENT };

struct row {			/* of a disk's table */
	char *key, *value;
	uint32_t key_len, value_len;
};

struct table {
	struct row *rows;
	size_t count, cap;
};

enum idle_way { IDLE_GOES_ON, IDLE_REFUSED, IDLE_ENDED, IDLE_BYE, IDLE_CUT, IDLE_WAYS };	/* what the server does to each IDLE */

struct plan {			/* what a seed decided for its run */
	enum protocol protocol;
	enum after after;
	bool aims[AIMS];		/* targets */
	bool reader;			/* takes files out of the Maildir */
	bool twins, pipelining, use_top, wholesale;
	bool power;			/* crashes are power cuts, else kills */
	enum uids uids;
	uint64_t max_messages, delete_after_s;
	uint32_t retries, visits, fault_percent, crash_percent;
	unsigned capabilities;		/* IMAP: enum in imapd.h */
	bool watched, jumps;		/* jumps: the clock is set now and then */
	enum idle_way idle;
	/* with targets that do not take everything */
	bool handed, envelope;		/* envelope: for all targets, not the server alone */
	bool drops, leaves;		/* those that name nobody whom they are for; else they are quarantined */
	uint32_t lost_percent;		/* that many do */
	enum on_refused on_refused;
	uint64_t held_max, quota;	/* 0 = none */
	uint32_t recipients, parallel, refuse_percent, moody_percent;	/* refuse: for good, always the same; moody: this time */
};

struct taken {			/* one acceptance: a message, for one recipient of a server, or by a program */
	enum aim aim;
	uint32_t recipient, mail;
	uint64_t visit;
	bool allowed;			/* it may come again: we could not know */
};

struct tally {			/* of a message for one recipient */
	uint32_t taken, again;		/* again: so often it may come once more, and */
	uint32_t refused;
	uint32_t overlaps;		/* so often it may be quarantined once more */
};

struct world {
	uint64_t seed, random[2], now_us;
	uint64_t steps, deeds, crash_at_step, crash_at_deed;	/* 0 = never */
	uint64_t visit_until_us;
	int64_t set_s;			/* the wall clock, against the time that went by */
	bool calm;			/* no faults any more */
	bool peace;			/* nor until this life's end */
	bool crashed, done;
	struct plan plan;
	struct mail mails[MAILS_MAX];
	size_t mail_count;
	uint32_t uid_generation, uid_validity, uid_next;
	uint64_t modseq;
	bool folder_there;		/* IMAP: where mail is moved to */
	struct { uint32_t mail, uid; } copies[COPIES_MAX];	/* in that folder */
	size_t copy_count;
	struct table keys, blobs;
	struct file files[FILES_MAX];
	size_t file_count;
	uint32_t names_made;
	/* what servers and programs have, on disks of their own */
	struct tally tallies[AIMS][RECIPIENTS][MAILS_MAX];
	struct taken acceptances[TAKEN_MAX];
	size_t acceptance_count;
	struct { uint64_t waiting, quarantined; } overlaps[OVERLAPS];	/* held messages that were counted in a tally */
	size_t overlap_count;
	bool forgets, was_full;		/* a crash or a full disk: what was not in the ledger is not known */
	bool released;			/* a person overrode held_max */
	uint64_t visits, crashes, cuts, collected, lives, faults,	/* totals of all runs */
		handed, doubled;
	char trace[TRACE_LINES][TRACE_LINE];
	uint64_t traced;
	bool shows;			/* --trace */
	char violation[1024];
	size_t taken;			/* octets of the memory behind it */
};

extern struct world *world;

/* world.c */
void world_make(void);
void world_begin(uint64_t seed);	/* a new run; totals stay */
void *world_take(size_t size);		/* zeroed; until the next run */
uint64_t mixed(uint64_t x);		/* the same for the same */
uint64_t chance(void);
uint64_t below(uint64_t n);		/* 0 … n - 1; n at least 1 */
bool one_in(uint64_t n);
bool percent(uint64_t n);
uint64_t log_below(uint64_t n);		/* small ones as likely as large ones */
void told(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Places where our process may end: every event is a step, what changes
 * something durable is a deed. */
void step(void);
void deed(void);
bool peaceful(void);
bool fault(uint64_t n);			/* one in `n`, unless it is peaceful */

/* loop.c */
typedef void event_run(void *user);
void event_at(uint64_t after_us, event_run *run, void *user);
void loop_hold(int by);			/* what keeps the loop alive */

/* deliver.c */
struct deliveries *deliver_new(void);	/* of a new life */

/* net.c, disk.c, maildir.c, deliver.c: what a crash leaves */
void deliver_crash(void);
void net_crash(void);
void net_look(void);			/* the mailbox is another: sessions that are idle hear of it */
void net_restart(uint64_t away_us);
void net_mute(uint64_t us);
void net_peace(void);
void net_heard(void);			/* is each IDLE young enough? */
void disk_crash(void);
void maildir_crash(void);
void disk_push(void);			/* the committer's next step, now */
void maildir_read(void);		/* a reader takes something out of new/ */

/* plan.c: what a run is like */
#define PLAN_FIELD "X-For"
void plan_make(void);
void plan_connection(struct connection *with, const struct target *deliver[AIMS]);
enum aim plan_aim(const char *target);	/* by its name */
uint32_t plan_recipient(const char *address);
uint32_t plan_recipients(enum aim aim);	/* how many it tells apart */
uint64_t plan_tag(enum aim aim);	/* the ledger's word for it */
extern const char *const plan_names[AIMS], *const plan_recipients_are[RECIPIENTS];

/* life.c */
extern const char *life_state;		/* a directory for locks */
extern struct store *life_store;	/* NULL: not open */
_Noreturn void life(void);

/* watching.c: an instance that watches its mailbox, for some hours; strictly where it is calm */
struct loop;
void watching(struct loop *loop);
bool watching_goes_on(void);		/* mail may come amid a visit: there is a next one */

/* person.c: who runs this, and looks at what is held now and then */
void person_sets_quota(void);
void person_between(void);
void person_asks_again(void);		/* of all that was given up or refused */

/* oracle.c */
void oracle_removed(const struct mail *m);	/* our client disposed of it, at this moment */
void oracle_look(const char *when);		/* rule 2, and whole messages only */
void oracle_end(void);				/* after calm visits: exactly what the origin ever had */
bool oracle_everywhere(const struct mail *m);	/* every target has it durably */
uint32_t oracle_recognized(struct span octets, const char *where);	/* which message that is, without what was put before it */

/* oracle_held.c: the same of targets that may say no, and of the held area */
void oracle_outstanding(void);			/* before anything else is done: what a crash or a full disk made unknown */
void oracle_held(const char *when);		/* ledger and held area agree; held_max is respected */
/* `released`: with those that a person lets go again: a mailbox has them, and the copy is about to go. */
void oracle_quarantined(size_t counts[AIMS][RECIPIENTS][MAILS_MAX], bool released);
void oracle_kept(size_t counts[AIMS][MAILS_MAX]);	/* refused, and at the server */
void oracle_held_end(void);
