/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of a Maildir that others fill, read and remove at the same time, on their way out.
 *
 * In a struct maildrop_reading `skip` is the place in the file, `piece` is 1 behind a CR (wire/crlf.h), and `left` counts
 * octets as they go out.
 *
 * One file of a maildrop is open at most: the message that is being read, from its first octet until its last, or
 * until another one is asked for, or mdir_stop.  So a message that is renamed or removed while it is sent comes whole.
 * With `wait` false nothing here waits for a disk: the path is walked in memory only (openat2, RESOLVE_CACHED), the octets
 * come from memory only (RWF_NOWAIT), and no folder is listed.  A kernel or a file system that has no such
 * thing says MAILDROP_ABSENT each time, and what a job has touched is then read by the loop as it is: so each touch lets a
 * reading go on.
 *
 * The octets that were announced are kept: a file that was replaced by a shorter or longer one, or that is no plain file, is
 * MAILDROP_GONE, its last piece is not handed out, and who opens the Maildir next counts it anew. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "store/mdir_inside.h"
#include "wire/crlf.h"

/* RAW octets of lines of mail's usual length become OUT at most, and what does not fit is read again. */
enum { RAW = 63 * 1024, OUT = 64 * 1024, SEARCHES = 16 };
enum { AHEAD = 32, AHEAD_OCTETS = 4 << 20 };	/* messages that are asked of the disk with the one that is wanted */

struct mdir_reader {
	bool open, gone;	/* gone: message `number` could not be read, and is not asked for again before mdir_stop */
	uint32_t number;
	int fd;
	uint64_t size, ready;	/* octets of the file; those before `ready` were touched */
};

/* ---- the file */

static void forget(struct mdir_reader *at)
{
	if (at->open)
		(void)close(at->fd);
	*at = (struct mdir_reader){ 0 };
}

void mdir_stop(const struct maildrop *drop)
{
	if (drop->mdir->reader)
		forget(drop->mdir->reader);
}

void mdir_close(struct maildrop *drop)
{
	mdir_stop(drop);
	free(drop->mdir->reader);
	drop->mdir->reader = NULL;
}

static const struct drop_message *message(const struct maildrop *drop, uint32_t number)
{
	assert(number >= 1 && number <= drop->count);
	return &drop->messages[number - 1];
}

/* Octets as they go out, without the line end that the reader adds. */
static uint64_t octets_of(const struct drop_message *m)
{
	return drop_octets(m) - (drop_flags(m) & DROP_NO_END ? 2 : 0);
}

static enum maildrop_got gone(const struct maildrop *drop, uint32_t number)
{
	forget(drop->mdir->reader);
	drop->mdir->reader->gone = true;
	drop->mdir->reader->number = number;
	return MAILDROP_GONE;
}

/* The file is not as the index has it. */
static enum maildrop_got another(const struct maildrop *drop, uint32_t number)
{
	mdir_distrust(drop, number);
	return gone(drop, number);
}

/* A FIFO would block, and a symbolic link could lead anywhere; a file is neither, and no link is on the way to it. */
static int open_as_known(const struct maildrop *drop, uint32_t number, bool wait, bool search)
{
	char part[sizeof "cur/" + NAME_MAX];
	const struct below b = mdir_below(drop);
	struct mdir_file file;

	if (!mdir_locate(drop, number, search, &file)) {
		errno = ENOENT;
		return -1;
	}
	(void)snprintf(part, sizeof part, "%s/%s", mdir_dir_name(file.dir), file.name);
	return below_open(&b, part, O_RDONLY | O_NONBLOCK | O_NOCTTY, !wait);
}

/* A name that was found can be another one before it is opened. */
static int open_by_search(const struct maildrop *drop, uint32_t number)
{
	int fd = open_as_known(drop, number, true, false);

	for (int n = 0; n < SEARCHES && fd < 0 && errno == ENOENT; n++)
		fd = open_as_known(drop, number, true, true);
	return fd;
}

/* As many octets as were announced can come out of so many in the file. */
static bool can_be(uint64_t octets, uint64_t size)
{
	return size <= octets && octets - size <= size;
}

static bool have_reader(const struct maildrop *drop)
{
	if (!drop->mdir->reader)
		drop->mdir->reader = calloc(1, sizeof *drop->mdir->reader);
	return drop->mdir->reader != NULL;
}

/* The file of the message becomes the open one. */
static enum maildrop_got open_message(const struct maildrop *drop, uint32_t number, bool wait)
{
	struct mdir_reader *at = drop->mdir->reader;
	struct stat st;
	int fd;

	if (at->number == number && (at->open || at->gone))
		return at->open ? MAILDROP_MORE : MAILDROP_GONE;
	forget(at);
	fd = wait ? open_by_search(drop, number) : open_as_known(drop, number, false, false);
	if (fd < 0 && !wait)
		return MAILDROP_ABSENT;
	if (fd < 0)
		return gone(drop, number);
	*at = (struct mdir_reader){ .open = true, .number = number, .fd = fd };
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !can_be(octets_of(message(drop, number)), (uint64_t)st.st_size))
		return another(drop, number);
	at->size = (uint64_t)st.st_size;
	return MAILDROP_MORE;
}

/* ---- octets */

static bool may_be_tried(int why)
{
	return why == EAGAIN || why == EOPNOTSUPP || why == ENOSYS || why == EINVAL;
}

/* What the file has at `from`, into `raw`.  Less than `most` is not its end. */
static enum maildrop_got read_some(const struct mdir_reader *at, uint64_t from, bool wait, char *raw, size_t most, size_t *n)
{
	struct iovec into = { raw, most };
	ssize_t got = -1;

	if (!wait) {
		got = preadv2(at->fd, &into, 1, (off_t)from, RWF_NOWAIT);
		if (!got && from < at->size) {	/* Linux 5.9 and 5.10 mean EAGAIN by it */
			got = -1;
			errno = EAGAIN;
		}
		if (got < 0 && !may_be_tried(errno))
			return MAILDROP_GONE;
		if (got < 0 && from >= at->ready)
			return MAILDROP_ABSENT;
		if (got < 0 && at->ready - from < most)
			most = (size_t)(at->ready - from);
	}
	while (got < 0) {
		got = pread(at->fd, raw, most, (off_t)from);
		if (got < 0 && errno != EINTR)
			return MAILDROP_GONE;
	}
	*n = (size_t)got;
	return MAILDROP_MORE;
}

struct piece {
	struct span raw;
	char *out;
	size_t used;		/* octets of `raw` that are in `out` */
	size_t n;		/* octets in `out` */
	bool cr;		/* behind it */
};

static void convert(const struct maildrop_reading *r, struct piece *p, size_t cap)
{
	struct crlf c = { r->piece };
	struct span in = p->raw;

	p->n = crlf_out(&c, &in, p->out, cap);
	p->used = p->raw.len - in.len;
	p->cr = c.cr;
}

/* The file ends where the message does, and as it was said to end. */
static bool fits(const struct maildrop *drop, const struct maildrop_reading *r, const struct piece *p)
{
	bool ends = drop_flags(message(drop, r->number)) & DROP_NO_END;

	if (!p->n || p->n > r->left)
		return false;
	if (p->n < r->left)
		return r->skip + p->used < drop->mdir->reader->size;
	return r->skip + p->used == drop->mdir->reader->size && (p->out[p->n - 1] == '\n') == !ends;
}

static void advance(struct maildrop_reading *r, struct piece *p, size_t taken)
{
	if (taken < p->n)
		convert(r, p, taken);
	assert(p->n == taken);
	if (taken)
		r->piece = p->cr;
	r->skip += p->used;
	r->left -= taken;
}

bool mdir_there(const struct maildrop *drop, uint32_t number)
{
	assert(number >= 1 && number <= drop->count);
	return true;		/* who reads it is told */
}

void mdir_start(const struct maildrop *drop, uint32_t number, struct maildrop_reading *r)
{
	*r = (struct maildrop_reading){ .number = number, .left = octets_of(message(drop, number)) };
}

enum maildrop_got mdir_piece(const struct maildrop *drop, struct maildrop_reading *r, bool wait,
	size_t (*use)(void *user, struct span octets), void *user)
{
	char raw[RAW], out[OUT];
	struct piece p = { .raw.at = raw, .out = out };
	enum maildrop_got got;
	size_t taken;

	if (!r->left)
		return MAILDROP_END;
	if (!have_reader(drop))
		return MAILDROP_GONE;
	got = open_message(drop, r->number, wait);
	if (got == MAILDROP_MORE)
		got = read_some(drop->mdir->reader, r->skip, wait, raw, sizeof raw, &p.raw.len);
	if (got == MAILDROP_GONE)
		return gone(drop, r->number);
	if (got == MAILDROP_ABSENT)
		return got;
	convert(r, &p, sizeof out);
	if (!fits(drop, r, &p))
		return another(drop, r->number);
	taken = use(user, (struct span){ out, p.n });
	assert(taken <= p.n);
	advance(r, &p, taken);
	if (r->left)
		return MAILDROP_MORE;
	mdir_stop(drop);
	return MAILDROP_END;
}

/* Who reads one message reads the next: the disk gets them together, and nobody waits for it here. */
static void look_ahead(const struct maildrop *drop, uint32_t number)
{
	struct mdir *m = drop->mdir;
	uint32_t next = m->ahead > number ? m->ahead : number + 1;
	uint64_t octets = 0;

	if (m->ahead > number + AHEAD / 2 && m->ahead <= number + AHEAD + 1)
		return;
	if (m->ahead > number + AHEAD + 1)	/* back to where it was before */
		next = number + 1;
	for (; next <= drop->count && next <= number + AHEAD && octets < AHEAD_OCTETS; next++) {
		int fd = drop_flags(message(drop, next)) & DROP_DELETED ? -1 : open_as_known(drop, next, true, false);

		if (fd < 0)
			continue;
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
		(void)close(fd);
		octets += drop_octets(message(drop, next));
	}
	m->ahead = next;
}

void mdir_touch(const struct maildrop *drop, const struct maildrop_reading *r, uint64_t octets)
{
	struct mdir_reader *at;
	uint64_t from = r->skip;
	char raw[OUT];
	size_t n;

	if (!r->left || !have_reader(drop) || open_message(drop, r->number, true) != MAILDROP_MORE)
		return;
	at = drop->mdir->reader;
	if (octets > at->size - from)
		octets = at->size - from;
	/* All of it at once: a disk that is asked for one page after another takes longer. */
	(void)posix_fadvise(at->fd, (off_t)from, (off_t)octets, POSIX_FADV_WILLNEED);
	while (from - r->skip < octets) {
		if (read_some(at, from, true, raw, sizeof raw, &n) != MAILDROP_MORE) {
			(void)gone(drop, r->number);
			return;
		}
		if (!n) {
			(void)another(drop, r->number);
			return;
		}
		from += n;
	}
	if (from > at->ready)
		at->ready = from;
	if (!r->skip)
		look_ahead(drop, r->number);
}
