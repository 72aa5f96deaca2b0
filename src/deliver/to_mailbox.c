/* SPDX-License-Identifier: Apache-2.0
 *
 * Into a mailbox of the store: octets as fast as the store takes them, and its answer by ticket; or into the Maildir
 * in which the account has its mail (store/place.h). */
#include <stdlib.h>

#include "base/clock.h"
#include "deliver/inside.h"

enum { PIECE = 32 * 1024, PIECES_A_TURN = 32 };

static void turn(struct delivery *d);

/* The account may have its mail in a Maildir: what is put into the store then would never be seen. */
static bool find_place(struct delivery *d, struct err *e)
{
	d->place = malloc(sizeof *d->place);
	if (!d->place)
		return err_set(e, ERR_LOCAL, "out of memory");
	return place_find(d->all->with.store, d->target->mailbox, NULL, d->place, e);
}

static void begin(struct delivery *d)
{
	struct mailbox *box;
	struct err e;

	if (!find_place(d, &e)) {
		delivery_failed(d, &e);
		return;
	}
	if (d->place->kind == PLACE_MAILDIR) {
		deliver_into_maildir(d);
		return;
	}
	if (!mailbox_open(d->all->with.store, d->target->mailbox, true, &box, &e)) {
		delivery_failed(d, &e);
		return;
	}
	d->incoming = incoming_new(box, &e);
	if (d->incoming)
		turn(d);
	else
		delivery_failed(d, &e);
}

static void finish(struct delivery *d)
{
	queue_leave(d);			/* all of it is out: the store answers by ticket */
	found_ticket(d, d->all->with.tickets | DELIVER_TICKETS | ++d->all->last_ticket);
	incoming_finish(&d->incoming, d->ask.source, clock_now_s(), 0, d->ticket);
}

static void turn(struct delivery *d)
{
	char piece[PIECE];
	struct err e;
	size_t n = 1;

	for (unsigned count = 0; d->incoming && !incoming_full(d->incoming); count++) {
		if (count == PIECES_A_TURN) {
			wake_send(d->all->wake);	/* let others have theirs */
			return;
		}
		if (!spool_at(d->ask.message, d->given, piece, sizeof piece, &n, &e) ||
		    (n && !incoming_add(d->incoming, (struct span){ piece, n }, &e))) {
			incoming_abort(&d->incoming);
			delivery_failed(d, &e);
		} else if (n) {
			d->given += n;
		} else {
			finish(d);
		}
	}
}

static void abandon(struct delivery *d)
{
	if (d->incoming)
		incoming_abort(&d->incoming);
}

const struct deliver_ops deliver_to_mailbox = { .type = TARGET_MAILBOX, .final = true, .begin = begin, .turn = turn, .abandon = abandon };
