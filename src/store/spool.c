/* SPDX-License-Identifier: Apache-2.0 */
#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/digest.h"
#include "store/disk.h"

enum { FIRST_CAP = 4096, READ_PIECE = 32 * 1024, ASK_EVERY = 1024 * 1024 };

struct spool {
	char *memory;		/* the message's beginning, */
	size_t len, cap;
	int fd;			/* and the rest; -1: none */
	uint64_t size;		/* of the message */
	char *lead;
	size_t lead_len;
	uint64_t asked_at;	/* octets in the file when its disk was last asked for room */
	int broken;		/* errno: octets are missing; 0: none */
	bool digested;
	struct digest *digest;
	uint8_t result[32];
	char state[];
};

static _Atomic size_t in_memory;	/* of all spools */

struct spool *spool_new(const char *state, struct err *e)
{
	size_t len = strlen(state);
	struct spool *s = calloc(1, sizeof *s + len + 1);

	if (!s) {
		(void)err_set(e, ERR_LOCAL, "out of memory for a spool");
		return NULL;
	}
	memcpy(s->state, state, len);
	s->fd = -1;
	s->digest = digest_new(e);
	if (!s->digest)
		spool_free(&s);
	return s;
}

/* Takes `n` more octets of the common allowance. */
static bool allowed(size_t n)
{
	if (atomic_fetch_add(&in_memory, n) + n <= SPOOL_ALL)
		return true;
	(void)atomic_fetch_sub(&in_memory, n);
	return false;
}

static bool room(struct spool *s, size_t n)
{
	size_t need = s->len + n, cap = s->cap * 2 > need ? s->cap * 2 : need;
	char *more;

	if (need > SPOOL_MEMORY)
		return false;
	if (need <= s->cap)
		return true;
	if (cap < FIRST_CAP)
		cap = FIRST_CAP;
	if (cap > SPOOL_MEMORY)
		cap = SPOOL_MEMORY;
	if (!allowed(cap - s->cap))
		return false;
	more = realloc(s->memory, cap);
	if (!more) {
		(void)atomic_fetch_sub(&in_memory, cap - s->cap);
		return false;
	}
	s->memory = more;
	s->cap = cap;
	return true;
}

/* A file without a name: what a crash leaves behind is nothing. */
static int nameless(const char *state)
{
	char path[4096];
	int fd = open(state, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (snprintf(path, sizeof path, "%s/spool.XXXXXX", state) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static bool spare(struct spool *s)
{
	uint64_t in_file = s->size - s->len;

	if (in_file && in_file - s->asked_at < ASK_EVERY)
		return true;
	s->asked_at = in_file;
	if (disk_has_spare(s->state))
		return true;
	errno = ENOSPC;
	return false;
}

static bool add_to_file(struct spool *s, struct span octets)
{
	if (s->fd < 0)
		s->fd = nameless(s->state);
	if (s->fd >= 0 && spare(s) && disk_write(s->fd, octets))
		return true;
	s->broken = errno ? errno : EIO;
	if (s->fd >= 0)
		(void)close(s->fd);	/* the others may need the room */
	s->fd = -1;
	return false;
}

static bool fail(const struct spool *s, struct err *e)
{
	errno = s->broken;
	return err_errno(e, ERR_LOCAL, "spool file in %s", s->state);
}

bool spool_add(struct spool *s, struct span octets, struct err *e)
{
	if (!octets.len)
		return true;
	if (!s->broken && s->fd < 0 && room(s, octets.len)) {
		memcpy(s->memory + s->len, octets.at, octets.len);
		s->len += octets.len;
	} else if (!s->broken) {
		(void)add_to_file(s, octets);
	}
	s->size += octets.len;
	digest_add(s->digest, octets);
	return !s->broken || fail(s, e);
}

bool spool_lead(struct spool *s, struct span lead, struct err *e)
{
	free(s->lead);
	s->lead = NULL;
	s->lead_len = 0;
	if (!lead.len)
		return true;
	s->lead = malloc(lead.len);
	if (!s->lead)
		return err_set(e, ERR_LOCAL, "out of memory for what goes before a message");
	memcpy(s->lead, lead.at, lead.len);
	s->lead_len = lead.len;
	return true;
}

uint64_t spool_size(const struct spool *s)
{
	return s->lead_len + s->size;
}

uint64_t spool_own_size(const struct spool *s)
{
	return s->size;
}

void spool_digest(struct spool *s, uint8_t digest[32])
{
	if (!s->digested)
		digest_end(s->digest, s->result);
	s->digested = true;
	memcpy(digest, s->result, sizeof s->result);
}

size_t spool_in_memory(const struct spool *s)
{
	return s->len;
}

static bool read_file(const struct spool *s, spool_use *use, void *user, struct err *e)
{
	char piece[READ_PIECE];
	uint64_t left = s->size - s->len;

	for (off_t at = 0; left;) {
		ssize_t n = pread(s->fd, piece, left < sizeof piece ? (size_t)left : sizeof piece, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(e, ERR_LOCAL, "spool file in %s cannot be read", s->state);
		if (!use(user, (struct span){ piece, (size_t)n }))
			return err_set(e, ERR_LOCAL, "reading the spool was ended");
		at += n;
		left -= (uint64_t)n;
	}
	return true;
}

bool spool_own_read(const struct spool *s, spool_use *use, void *user, struct err *e)
{
	if (s->broken)
		return fail(s, e);
	if (s->len && !use(user, (struct span){ s->memory, s->len }))
		return err_set(e, ERR_LOCAL, "reading the spool was ended");
	return s->fd < 0 || read_file(s, use, user, e);
}

bool spool_read(const struct spool *s, spool_use *use, void *user, struct err *e)
{
	if (s->broken)
		return fail(s, e);
	if (s->lead_len && !use(user, (struct span){ s->lead, s->lead_len }))
		return err_set(e, ERR_LOCAL, "reading the spool was ended");
	return spool_own_read(s, use, user, e);
}

bool spool_own_at(const struct spool *s, uint64_t at, char *out, size_t room, size_t *n, struct err *e)
{
	uint64_t left = at < s->size ? s->size - at : 0;
	ssize_t got;

	*n = 0;
	if (s->broken)
		return fail(s, e);
	if (at < s->len) {
		*n = s->len - (size_t)at < room ? s->len - (size_t)at : room;
		memcpy(out, s->memory + at, *n);
	}
	if (*n || !left)
		return true;
	do
		got = pread(s->fd, out, left < room ? (size_t)left : room, (off_t)(at - s->len));
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return err_errno(e, ERR_LOCAL, "spool file in %s cannot be read", s->state);
	*n = (size_t)got;
	return true;
}

bool spool_at(const struct spool *s, uint64_t at, char *out, size_t room, size_t *n, struct err *e)
{
	if (s->broken) {
		*n = 0;
		return fail(s, e);
	}
	if (at >= s->lead_len)
		return spool_own_at(s, at - s->lead_len, out, room, n, e);
	*n = s->lead_len - (size_t)at < room ? s->lead_len - (size_t)at : room;
	memcpy(out, s->lead + at, *n);
	return true;
}

struct writing {
	int fd, failed;
};

static bool write_on(void *user, struct span octets)
{
	struct writing *w = user;

	w->failed = disk_write(w->fd, octets) ? 0 : errno ? errno : EIO;
	return !w->failed;
}

int spool_file(const struct spool *s, struct err *e)
{
	struct writing w = { .fd = nameless(s->state) };
	bool good = true;

	if (w.fd < 0)
		w.failed = errno;
	else if (!disk_has_spare(s->state))
		w.failed = ENOSPC;
	else
		good = spool_read(s, write_on, &w, e);
	if (good && !w.failed && lseek(w.fd, 0, SEEK_SET) == 0)
		return w.fd;
	if (w.failed || good) {
		errno = w.failed ? w.failed : errno;
		(void)err_errno(e, ERR_LOCAL, "a file in %s", s->state);
	}
	if (w.fd >= 0)
		(void)close(w.fd);
	return -1;
}

void spool_free(struct spool **s)
{
	if (!*s)
		return;
	(void)atomic_fetch_sub(&in_memory, (*s)->cap);
	if ((*s)->fd >= 0)
		(void)close((*s)->fd);
	digest_free(&(*s)->digest);
	free((*s)->memory);
	free((*s)->lead);
	free(*s);
	*s = NULL;
}
