/* SPDX-License-Identifier: Apache-2.0
 * The copying half of a backup, in the process that has the store open. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/backup.h"
#include "store/digest.h"
#include "store/disk.h"

/* What waits in memory to be written: a commit's fsync may have to wait for all
 * of it, whosever it is.  Written parts leave the cache, which the store needs. */
enum { STEP = 4 << 20 };

struct writing {
	int fd;
	struct backup_progress *progress;
	struct digest *digest;
	off_t written, stepped;
};

/* One step is on its way to the disk while the next one is filled. */
static void step(struct writing *w)
{
	off_t before = w->stepped - STEP;

	(void)sync_file_range(w->fd, w->stepped, STEP, SYNC_FILE_RANGE_WRITE);
	if (before >= 0) {
		(void)sync_file_range(w->fd, before, STEP, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
		(void)posix_fadvise(w->fd, before, STEP, POSIX_FADV_DONTNEED);
	}
	w->stepped += STEP;
}

static bool take(void *user, struct span octets, struct err *e)
{
	struct writing *w = user;

	if (atomic_load(&w->progress->stop))
		return err_set(e, ERR_LOCAL, "the copy of the store was stopped");
	digest_add(w->digest, octets);
	if (!disk_write(w->fd, octets))
		return err_errno(e, ERR_LOCAL, "the copy of the store cannot be written");
	w->written += (off_t)octets.len;
	atomic_store(&w->progress->octets, (uint64_t)w->written);
	while (w->written - w->stepped >= STEP)
		step(w);
	return true;
}

static bool again(struct writing *w, struct err *e)
{
	if (ftruncate(w->fd, 0) != 0 || lseek(w->fd, 0, SEEK_SET) != 0)
		return err_errno(e, ERR_LOCAL, "the copy of the store cannot be written");
	digest_again(w->digest);
	w->written = w->stepped = 0;
	atomic_store(&w->progress->octets, 0);
	return true;
}

/* Free pages are left out, unless there are pages that are neither used nor free. */
static bool copy(struct engine *g, struct writing *w, bool *packed, struct err *e)
{
	*packed = true;
	if (engine_copy(g, ENGINE_COPY_PACKED, take, w, e))
		return true;
	if (e->kind != ERR_CONFIG)
		return false;
	log_warn(NULL, "%s; all of it is copied", e->text);
	*packed = false;
	return again(w, e) && engine_copy(g, ENGINE_COPY_PAGES, take, w, e);
}

bool backup_write(struct engine *g, int fd, struct backup_progress *progress, struct backup_written *out, struct err *e)
{
	struct writing w = { .fd = fd, .progress = progress };
	struct stat st;
	bool good;

	if (fstat(fd, &st) != 0)
		return err_errno(e, ERR_LOCAL, "the copy of the store cannot be written");
	if (!S_ISREG(st.st_mode) || st.st_size)
		return err_set(e, ERR_CONFIG, "a copy of the store is written to an empty regular file");
	w.digest = digest_new(e);
	if (!w.digest)
		return false;
	*out = (struct backup_written){ .began = clock_now_s() };
	atomic_store(&progress->size, engine_size(g));
	good = copy(g, &w, &out->packed, e);
	if (good && fsync(fd) != 0)
		good = err_errno(e, ERR_LOCAL, "the copy of the store cannot be made durable");
	out->octets = (uint64_t)w.written;
	if (good)
		digest_end(w.digest, out->digest);
	digest_free(&w.digest);
	return good;
}
