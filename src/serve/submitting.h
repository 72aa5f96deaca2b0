/* SPDX-License-Identifier: Apache-2.0
 *
 * A message as a client hands it in (XTND XMIT): its octets as they come become what is delivered.
 *
 *     submitting_new(&with, &e) → submitting_add(s, octets)… → submitting_end(s) → what is in it → submitting_free(&s)
 * The header is kept until it is whole (wire/submitted.h), then it goes into the spool as it is to be: on top Return-Path
 * if the message comes to rest at its target, Received, and Date and Message-ID when they were missing; no Bcc, no
 * Return-Path of the client's.  The body follows as it comes.
 * What is wrong is known early, but said at the end: the client sends all of it anyway (nothing is kept from there on).
 * Belongs to one session, on its loop; spool and recipients may be taken out (set NULL). */
#pragma once

#include "base/buf.h"
#include "store/spool.h"

enum { SUBMITTING_HOPS = 50, SUBMITTING_SENDER_MAX = 511, SUBMITTING_PEER_MAX = 100 };	/* servers that a message may have passed */

enum submitting_said { SUBMITTING_GOOD, SUBMITTING_TOO_LARGE, SUBMITTING_BAD, SUBMITTING_FAILED };

struct submitting_with {		/* borrowed until submitting_end, but for `peer`, which is copied */
	const char *state;
	uint64_t size_max;
	const char *account;
	const char *domain;		/* of an account without one */
	const char *host;		/* ours */
	const char *peer;		/* an address literal, "[192.0.2.1]" */
	bool final;
};

struct submitting {
	struct submitting_with with;
	enum submitting_said said;
	struct err why;			/* not GOOD; of BAD: can be told to the client */
	struct buf head;		/* the header, until it is whole */
	bool headed;
	uint64_t size;			/* octets that the client sent */
	struct spool *spool;
	const char **recipients;	/* one allocation with its texts */
	size_t recipient_count;
	char sender[SUBMITTING_SENDER_MAX + 1], peer[SUBMITTING_PEER_MAX + 1];
};

[[nodiscard]] struct submitting *submitting_new(const struct submitting_with *with, struct err *e);
void submitting_add(struct submitting *s, struct span octets);
enum submitting_said submitting_end(struct submitting *s);
void submitting_free(struct submitting **s);
