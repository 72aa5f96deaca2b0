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

enum { MAILS_MAX = 96, FILES_MAX = 1024, COPIES_MAX = 512, TRACE_LINES = 256, TRACE_LINE = 200, FILE_NAME = 160, UID_TEXT = 64 };

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
	bool disposed;			/* our client asked for it: each target must have it */
	bool marked;			/* \\Deleted by our client */
	uint32_t copies;		/* in the other folder */
	bool copy_told;			/* our client knows of one */
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

struct plan {			/* what a seed decided for its run */
	enum protocol protocol;
	enum after after;
	bool mailbox, maildir;		/* targets */
	bool reader;			/* takes files out of the Maildir */
	bool twins, pipelining, use_top, wholesale;
	bool power;			/* crashes are power cuts, else kills */
	enum uids uids;
	uint64_t max_messages, delete_after_s;
	uint32_t retries, visits, fault_percent, crash_percent;
	unsigned capabilities;		/* IMAP: enum in imapd.h */
};

struct world {
	uint64_t seed, random[2], now_us;
	uint64_t steps, deeds, crash_at_step, crash_at_deed;	/* 0 = never */
	uint64_t visit_until_us;
	bool calm;			/* no faults any more */
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
	uint64_t visits, crashes, cuts, collected, lives, faults;	/* totals of all runs */
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
bool fault(uint64_t n);			/* one in `n`, unless it is calm */

/* loop.c */
typedef void event_run(void *user);
void event_at(uint64_t after_us, event_run *run, void *user);
void loop_hold(int by);			/* what keeps the loop alive */

/* net.c, disk.c, maildir.c: what a crash leaves */
void net_crash(void);
void disk_crash(void);
void maildir_crash(void);
void disk_push(void);			/* the committer's next step, now */
void maildir_read(void);		/* a reader takes something out of new/ */

/* plan.c: what a run is like */
void plan_make(void);
void plan_connection(struct connection *with, const struct target **deliver);

/* life.c */
extern const char *life_state;		/* a directory for locks */
extern struct store *life_store;	/* NULL: not open */
_Noreturn void life(void);

/* oracle.c */
void oracle_removed(const struct mail *m);	/* our client disposed of it, at this moment */
void oracle_look(const char *when);		/* rule 2, and whole messages only */
void oracle_end(void);				/* after calm visits: exactly what the origin ever had */
bool oracle_everywhere(const struct mail *m);	/* every target has it durably */
