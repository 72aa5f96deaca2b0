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
#include "net/child.h"
#include "net/tasks.h"
#include "store/maildir.h"
#include "store/place.h"

struct deliver_target {
	atomic_uint holders;
	struct arena arena;
	const struct deliver_ops *ops;
	const char *name, *canonical, *mailbox, *path;
	const char *const *argv;	/* ended by NULL */
	uint32_t timeout_ms, parallel;
};

struct delivery {
	struct deliveries *all;
	struct delivery *next, **at;	/* of all */
	struct deliver_ask ask;
	struct deliver_target *target;
	bool begun, ended, hung, answered;
	enum deliver_said said;
	char why[DELIVER_WHY_MAX + 1], told[CHILD_SAID_MAX + 1];
	/* mailbox */
	struct incoming *incoming;
	uint64_t ticket;		/* 0: not asked for */
	uint64_t given;			/* octets */
	/* maildir */
	struct place *place;		/* where the box of a mailbox target lies; NULL: the target's own path */
	bool good;
	struct err e;
	/* command */
	struct child_task task;
	struct child_start *child;
	struct buf environment;
	const char **variables;
};

struct deliveries {
	struct deliveries_with with;
	struct tasks *tasks;
	struct wake *wake;
	struct delivery *first;
	uint64_t last_ticket;
	struct swept *swept;		/* to_maildir.c */
};

struct deliver_ops {
	enum target_type type;
	bool final;
	bool at_once;			/* it queues: no more of one target at a time than `parallel` */
	void (*begin)(struct delivery *d);
	void (*turn)(struct delivery *d);	/* the store has moved; NULL: it does not matter */
	void (*hurry)(struct delivery *d);	/* NULL: it ends by itself */
	void (*abandon)(struct delivery *d);	/* no task of it runs any more; NULL: there is nothing to do */
};

extern const struct deliver_ops deliver_to_mailbox, deliver_to_maildir, deliver_to_command;

void delivery_end(struct delivery *d, enum deliver_said said, const char *why);
/* By an error's kind: what cannot work is refused, all else may come right. */
void delivery_failed(struct delivery *d, const struct err *e);
void deliver_into_maildir(struct delivery *d);
void deliver_sweep_free(struct deliveries *all);
