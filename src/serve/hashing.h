/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashing: passwords are held against what is kept of them (argon2id, schemes.h) by threads of their own, a few
 * at once, from a queue that is bounded and fair by address prefix.
 *
 *     h = hashing_new(&with, &e)
 *     j = hashing_ask(h, loop, &from, argon, password, done, user, &e)
 *     done(user, said)     on that loop, once, unless hashing_end came first
 *     hashing_again(j, &e) after HASHING_NOT_YET: into the queue once more
 *     hashing_end(&j)      always; on that loop's thread, also within done
 *     hashing_waits(j)     has no thread taken it yet, and is no answer under way?
 *     hashing_free(&h)     no job may be left (asserted); what runs is waited for, HASHING_PATIENCE_MS at most: a thread
 *                          whose hash takes longer is left alone, and ends without asking or telling anybody
 * These are no jobs of the pool (net/jobs.h): a flood of logins must not stand
 * in the way of those who have one, and the pool has eight threads however many
 * cores there are.
 *
 * Fair: a lane for each IPv4 /24 and IPv6 /48.  The next to be hashed is of the
 * lane that has the fewest hashes in work, and among those of the one whose last
 * hash ended, or that came, longest ago; within a lane, first come, first served.  So
 * who comes alone waits at most for one hash that is in work, whatever a
 * neighbour has in the queue.  A lane whose last password was wrong never has all
 * threads at once: where there are several, who comes alone finds one idle.
 * Bounded: `lane_max` waiting in a lane, `queue_max` in all.  A full lane is refused
 * (ERR_BUSY), and nobody else.  In a full queue the newest of the longest lane gives
 * way (HASHING_FULL) to a lane that would still be shorter; else that is refused too.
 *
 * A password waits in the heap, and is wiped as soon as it was hashed or given up.  Not in pages of its
 * own (sodium_malloc): each takes 4 of the 65,530 maps that a process may have, so that some
 * 16,000 logins that wait (many more may, after NOT_YET) would leave nobody any memory.
 * A wait does not keep the loop alive. */
#pragma once

#include "net/loop.h"
#include "serve/admission.h"

enum { HASHING_PATIENCE_MS = 2000 };

enum hashing_said { HASHING_RIGHT, HASHING_WRONG, HASHING_FULL, HASHING_NOT_YET };

struct hashing_with {
	unsigned threads, queue_max, lane_max;	/* none 0 */
	/* On those threads: */
	bool (*holds)(const char *verifier, struct span password);	/* scheme_holds */
	/* Just before: how long must it still wait?  0 = now */
	struct admission_delay (*turn)(void *context, struct admission_attempt *t);
	/* It was wrong: counted here, before the thread takes the next one, and whether or not anybody waits for it. */
	struct admission_delay (*wrong)(void *context, const struct admission_attempt *t);
	void *context;
};

struct hashing;
struct hashing_job;

[[nodiscard]] struct hashing *hashing_new(const struct hashing_with *with, struct err *e);
void hashing_free(struct hashing **h);
/* Threads that hashing_free left, and that hash still: as long as there are any, a process must end by _exit, since exit
 * takes the libraries' memory from under them. */
unsigned hashing_left(void);

struct hashing_ask {		/* all copied but `loop` */
	struct loop *loop;
	union address from;
	struct admission_attempt attempt;	/* for turn and wrong */
	const char *verifier;
	struct span password;
	/* delay: of NOT_YET and WRONG, as turn or wrong gave it */
	void (*done)(void *user, enum hashing_said said, struct admission_delay delay);
	void *user;
};

/* NULL: ERR_BUSY, ERR_LOCAL. */
[[nodiscard]] struct hashing_job *hashing_ask(struct hashing *h, const struct hashing_ask *ask, struct err *e);
/* False, ERR_BUSY: no room in the queue. */
[[nodiscard]] bool hashing_again(struct hashing_job *j, struct err *e);
bool hashing_waits(struct hashing_job *j);
void hashing_end(struct hashing_job **j);
/* How many wait, and how many were ever hashed. */
void hashing_counts(struct hashing *h, size_t *waiting, uint64_t *hashed);
