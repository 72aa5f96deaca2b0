/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the room: a target, a delivery, and what a type of targets does for it.
 *
 * ops->begin begins and returns; delivery_end or delivery_failed, once, from anywhere on the loop, ends it. */
#pragma once

#include <limits.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "deliver/deliver.h"
#include "deliver/queues.h"
#include "deliver/smime.h"
#include "net/child.h"
#include "net/tasks.h"
#include "store/maildir.h"
#include "store/place.h"

enum { DELIVER_HOST_MAX = 253 };

struct deliver_target {
	atomic_uint holders;
	struct arena arena;
	const struct deliver_ops *ops;
	const char *name, *canonical, *mailbox, *path;
	const char *const *argv;	/* ended by NULL */
	uint32_t timeout_ms, parallel;
	const char *prefix, *template;	/* folder; template NULL: none */
	bool split;
	const struct deliver_server *server;	/* smtp, lmtp */
	struct smime_keys *smime;	/* folder, command; NULL: messages go as they are */
};

struct delivery {
	struct deliveries *all;
	struct delivery *next, **at;	/* of all, the oldest first */
	struct queue *queue;		/* where it stands (queues.h); NULL: nowhere */
	struct delivery *queue_next, **queue_at;
	struct line *line;		/* of one that queues, until it has ended */
	struct delivery *next_user, *next_ticket;	/* of their buckets */
	struct deliver_ask ask;
	struct deliver_target *target;
	bool begun, ended, hung, answered, down;
	enum deliver_said said;
	char why[DELIVER_WHY_MAX + 1], told[CHILD_SAID_MAX + 1];
	struct spool *opened;		/* S/MIME: what ask.message is then; NULL: it is as it came */
	struct smime_facts smime;
	struct deliver_each *each;	/* NULL: all as `said` */
	/* mailbox */
	struct incoming *incoming;
	uint64_t ticket;		/* 0: not asked for */
	uint64_t given;			/* octets */
	/* maildir, folder */
	struct place *place;		/* where the box of a mailbox target lies; NULL: the target's own path */
	bool good;
	struct err e;
	/* command */
	struct child_task task;
	struct child_start *child;
	bool hurried;			/* no program is started any more */
	struct buf environment;
	const char **variables;
	/* smtp, lmtp */
	bool sent;			/* to the relay */
};

struct deliveries {
	struct deliveries_with with;
	struct tasks *tasks;
	struct wake *wake;
	struct delivery *first, **last;
	size_t count;
	struct queue ended;		/* `done` is to be called */
	size_t ended_count;
	struct queue fed;		/* begun, and it wants to know when the store has moved */
	struct line *lines[DELIVERY_BUCKETS], *open, **open_last;
	struct delivery *by_user[DELIVERY_BUCKETS], *by_ticket[DELIVERY_BUCKETS];
	struct unreleased *unreleased[DELIVERY_BUCKETS];	/* by user */
	uint64_t last_ticket;
	struct swept *swept;		/* swept.c */
	struct served *served[DELIVERY_BUCKETS];	/* to_smtp.c: servers with their relays, by target */
	size_t swept_served;		/* the bucket that was looked through last */
	char host[DELIVER_HOST_MAX + 1];
};

struct deliver_ops {
	enum target_type type;
	bool final;
	bool at_once;			/* it queues: no more of one target at a time than `parallel` */
	void (*begin)(struct delivery *d);
	void (*turn)(struct delivery *d);	/* the store has moved; NULL: it does not matter */
	void (*hurry)(struct delivery *d);	/* NULL: it ends by itself */
	void (*release)(struct deliveries *all, struct deliver_target *t, const void *user);	/* of an ask with `holds`; NULL: nothing waits */
	bool (*unsend)(struct delivery *d);	/* it was begun, and nobody has anything of it: that is undone; NULL: it is too late */
	void (*abandon)(struct delivery *d);	/* no task of it runs any more; NULL: there is nothing to do */
};

extern const struct deliver_ops deliver_to_mailbox, deliver_to_maildir, deliver_to_folder, deliver_to_command, deliver_to_smtp, deliver_to_lmtp;

void delivery_end(struct delivery *d, enum deliver_said said, const char *why);
/* Deferred, and the message is not to blame: whoever should have it was not reached. */
void delivery_down(struct delivery *d, const char *why);
/* By an error's kind: what cannot work is refused, all else may come right. */
void delivery_failed(struct delivery *d, const struct err *e);
/* What a target of type smtp or lmtp needs of its settings. */
const struct deliver_server *deliver_server_of(struct arena *a, const struct target *t);
void deliver_server_wipe(const struct deliver_server *s);	/* the password, where it is written in the settings */
/* Before the tasks are freed; after it. */
void deliver_servers_stop(struct deliveries *all);
void deliver_servers_free(struct deliveries *all);
void deliver_servers_rest(struct deliveries *all);
void deliver_servers_distrust(struct deliveries *all);
void deliver_into_maildir(struct delivery *d);
/* Whoever holds the message knows the name ("": it will not get it); true when nobody does. */
[[nodiscard]] bool deliver_tell(const struct delivery *d, const char *name, struct err *e);
/* Takes S/MIME off the message, if its target wants that.  Blocks (jobs). */
[[nodiscard]] bool deliver_open(struct delivery *d, struct err *e);
/* Of the files that are written into this place (a text that no other place has). */
void deliver_tag(const struct deliveries *all, const char *place, uint8_t out[8]);
/* sweep(directory, …), unless that was done for this place before. */
typedef void deliver_sweeper(void *directory, const uint8_t tag[8], bool (*keep)(void *user, const char *name), void *user);
void deliver_sweep(struct deliveries *all, const char *place, const uint8_t tag[8], deliver_sweeper *sweep, void *directory);
void deliver_sweep_free(struct deliveries *all);
