/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a delivery stands: in at most one queue at a time (it waits for its turn, is fed, or has ended), and found by ticket or
 * by user.  No step here walks over the deliveries: there may be a thousand.
 *
 * Of a target that queues, all deliveries with the same canonical text make one line: first asked, first begun, no more at a
 * time than `parallel`.  Lines that may begin one have their turn one after the other.
 *     line_join(d)              it waits, behind the others
 *     line_begins(all) → d      the next that may begin, which has left its queue; NULL: none
 *     line_leave(d)             it has ended, or is dropped
 * One that has accepted a message, and whose ask has `holds`, keeps its place in its line until it is released:
 *     unreleased_put(d)         it has ended; before it is dropped
 *     unreleased_take(all, user, &t) → false: there is none; else its place is free, and its target is the caller's
 * What belongs here stands in struct delivery and struct deliveries (inside.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DELIVERY_BUCKETS = 256 };

struct delivery;
struct deliveries;
struct deliver_target;
struct line;

struct queue {
	struct delivery *first, **last;	/* last NULL: never used */
};

void queue_put(struct queue *q, struct delivery *d);	/* at the end; it is in no other */
void queue_leave(struct delivery *d);			/* wherever it is, if anywhere */

void line_join(struct delivery *d);
struct delivery *line_begins(struct deliveries *all);
void line_leave(struct delivery *d);

void unreleased_put(struct delivery *d);
bool unreleased_take(struct deliveries *all, const void *user, struct deliver_target **t);
void unreleased_free(struct deliveries *all);

/* By the user of its ask; by its ticket, once it has one. */
void found_put(struct delivery *d);
void found_ticket(struct delivery *d, uint64_t ticket);
void found_drop(struct delivery *d);
struct delivery *found_by_ticket(const struct deliveries *all, uint64_t ticket);
struct delivery *found_by_user(const struct deliveries *all, const void *user);	/* that has not ended */
