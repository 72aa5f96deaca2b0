/* SPDX-License-Identifier: Apache-2.0
 *
 * One message of a POP3 session's snapshot: 24 octets, all that it costs.
 *
 * It stands here, below the store that fills an array of them and the session
 * that is lent it, so that there is one array and not two.  uid: unique, never
 * used twice.  body: the store's, where the octets lie.  Octets are what POP3
 * announces: as stored, and the CRLF that the end may lack; less than 2^56.
 * DROP_SEEN, DROP_PLAIN, DROP_NO_END are the store's; DROP_DELETED and DROP_READ the
 * session's marks: no one else sees them, and nothing is durable by them. */
#pragma once

#include <assert.h>
#include <stdint.h>

enum {
	DROP_SEEN = 1,		/* in the mailbox */
	DROP_PLAIN = 2,		/* no line begins with a dot: nothing is to be stuffed */
	DROP_NO_END = 4,	/* the body does not end with CRLF */
	DROP_DELETED = 8,	/* DELE */
	DROP_READ = 16,		/* RETR */
	DROP_MARKS = DROP_DELETED | DROP_READ,
	DROP_FLAG_BITS = 8,
};

struct drop_message {
	uint64_t uid, body;
	uint64_t octets_flags;	/* octets << DROP_FLAG_BITS | flags */
};

static_assert(sizeof(struct drop_message) == 24, "what ARCHITECTURE promises");

static inline struct drop_message drop_message_of(uint64_t uid, uint64_t body, uint64_t octets, uint32_t flags)
{
	assert(octets < UINT64_C(1) << (64 - DROP_FLAG_BITS) && flags < 1U << DROP_FLAG_BITS);
	return (struct drop_message){ uid, body, octets << DROP_FLAG_BITS | flags };
}

static inline uint64_t drop_octets(const struct drop_message *m)
{
	return m->octets_flags >> DROP_FLAG_BITS;
}

static inline uint32_t drop_flags(const struct drop_message *m)
{
	return (uint32_t)(m->octets_flags & ((1U << DROP_FLAG_BITS) - 1));
}

static inline void drop_mark(struct drop_message *m, uint32_t marks)
{
	assert(!(marks & ~(uint32_t)DROP_MARKS));
	m->octets_flags |= marks;
}

static inline void drop_unmark(struct drop_message *m, uint32_t marks)
{
	assert(!(marks & ~(uint32_t)DROP_MARKS));
	m->octets_flags &= ~(uint64_t)marks;
}
