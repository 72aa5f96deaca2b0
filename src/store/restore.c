/* SPDX-License-Identifier: Apache-2.0 */
#include "store/restore.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/digest.h"
#include "store/disk.h"
#include "store/epoch.h"
#include "store/holder.h"

enum { CHUNK = 256 * 1024, FLUSH = 32 << 20 };

static_assert(FLUSH % CHUNK == 0, "whole chunks");

/* One run of restore_into. */
struct restoring {
	const char *from, *state;
	uint64_t map_size;
	struct backup_progress *progress;
	struct restored *result;
	uid_t uid;		/* whose the state directory is */
	gid_t gid;
};

static char *path_of(const char *directory, const char *name, struct err *e)
{
	char *path;

	if (asprintf(&path, "%s/%s", directory, name) >= 0)
		return path;
	(void)err_set(e, ERR_LOCAL, "out of memory for a path");
	return NULL;
}

/* Reads all of a file into the digest and, unless it is -1, into `to`. */
static bool pass(int from, int to, struct digest *d, struct backup_progress *progress, uint64_t *octets, struct err *e)
{
	char *chunk = malloc(CHUNK);
	bool good = chunk || err_set(e, ERR_LOCAL, "out of memory for a copy");

	while (good) {
		ssize_t n = read(from, chunk, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			good = err_errno(e, ERR_LOCAL, "cannot be read");
		if (n <= 0)
			break;
		digest_add(d, (struct span){ chunk, (size_t)n });
		if (to >= 0 && !disk_write(to, (struct span){ chunk, (size_t)n }))
			good = err_errno(e, ERR_LOCAL, "its copy cannot be written");
		*octets += (uint64_t)n;
		/* Begins to be written, so that the fsync at the end does not wait for all of it. */
		if (to >= 0 && *octets % FLUSH == 0)
			(void)sync_file_range(to, 0, 0, SYNC_FILE_RANGE_WRITE);
		(void)atomic_fetch_add(&progress->octets, (uint64_t)n);
		if (good && atomic_load(&progress->stop))
			good = err_set(e, ERR_LOCAL, "reading it was stopped");
	}
	free(chunk);
	return good;
}

/* Is DIRECTORY/name what the manifest says?  Copies it on the way, unless `to` is -1. */
static bool check_file(const char *directory, const char *name, const struct manifest_file *f, int to, struct backup_progress *progress, struct err *e)
{
	char *path = path_of(directory, name, e);
	int from = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	struct digest *d = NULL;
	uint8_t sum[MANIFEST_DIGEST];
	uint64_t octets = 0;
	bool good;

	if (path && from < 0)
		(void)err_errno(e, ERR_LOCAL, "cannot be read");
	good = from >= 0 && (d = digest_new(e)) && pass(from, to, d, progress, &octets, e);
	if (good)
		digest_end(d, sum);
	if (good && octets != f->size)
		good = err_set(e, ERR_LOCAL, "it has %llu octets, and its manifest says %llu", (unsigned long long)octets, (unsigned long long)f->size);
	else if (good && memcmp(sum, f->digest, sizeof sum) != 0)
		good = err_set(e, ERR_LOCAL, "it is damaged: its SHA-256 is not that of its manifest");
	digest_free(&d);
	if (from >= 0)
		(void)close(from);
	if (!good && path)
		(void)err_in(e, "%s", path);
	free(path);
	return good;
}

static bool audit_file(const char *path, struct audit *found, struct err *e)
{
	struct engine *g;
	bool good;

	if (!engine_open_still(path, &g, e))
		return false;
	good = audit_store(g, found, e);
	engine_close(&g);
	return good ? true : err_in(e, "%s", path);
}

bool restore_verify(const char *directory, struct backup_progress *progress, struct restored *r, struct err *e)
{
	const struct manifest *m = &r->manifest;
	char *path;
	bool good;

	*r = (struct restored){ 0 };
	if (!backup_manifest(directory, &r->manifest, e))
		return false;
	atomic_store(&progress->size, m->store.size);
	if (!check_file(directory, MANIFEST_STORE, &m->store, -1, progress, e) ||
	    (m->key.there && !check_file(directory, MANIFEST_KEY, &m->key, -1, progress, e)))
		return false;
	r->key = m->key.there;
	path = path_of(directory, MANIFEST_STORE, e);
	good = path && audit_file(path, &r->audit, e);
	free(path);
	return good;
}

static bool file_there(const char *state, const char *name)
{
	struct err e;
	char *path = path_of(state, name, &e);
	bool there = path && access(path, F_OK) == 0;

	free(path);
	return there;
}

static bool make_directory(const struct restoring *r, const char *name, struct err *e)
{
	char *path = path_of(r->state, name, e);
	bool good = path && mkdir(path, 0700) == 0 && (geteuid() != 0 || chown(path, r->uid, r->gid) == 0);

	if (path && !good)
		(void)err_errno(e, ERR_LOCAL, "%s cannot be made", path);
	free(path);
	return good;
}

static bool stage_file(const struct restoring *r, const char *name, const struct manifest_file *f, struct err *e)
{
	char *stage = path_of(r->state, SETTLE_NEW, e), *path = stage ? path_of(stage, name, e) : NULL;
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	bool good = fd >= 0 && (geteuid() != 0 || fchown(fd, r->uid, r->gid) == 0);

	if (path && !good)
		(void)err_errno(e, ERR_LOCAL, "%s cannot be made", path);
	/* Its name is durable before the next file's: settle goes by it. */
	good = good && disk_sync_directory(stage, e) && check_file(r->from, name, f, fd, r->progress, e);
	if (good && fsync(fd) != 0)
		good = err_errno(e, ERR_LOCAL, "%s cannot be made durable", path);
	if (fd >= 0)
		(void)close(fd);
	free(path);
	free(stage);
	return good;
}

static bool raise_epoch(const struct restoring *r, struct err *e)
{
	char *stage = path_of(r->state, SETTLE_NEW, e), *old = path_of(r->state, "store/" MANIFEST_STORE, e);
	int64_t now = clock_now_s(), made = r->result->manifest.made, last = old && access(old, F_OK) == 0 ? epoch_last(old) : 0;
	struct engine *g;
	bool good = stage && old && engine_open(stage, r->map_size, &g, e);

	if (made < now)
		made = now;
	if (good) {
		good = epoch_raise(g, last > made ? last : made, &r->result->epoch, e);
		engine_close(&g);
	}
	free(old);
	free(stage);
	return good;
}

/* Everything that may fail: what was is untouched by it. */
static bool stage(const struct restoring *r, struct err *e)
{
	const struct manifest *m = &r->result->manifest;
	char *path;
	bool good;

	if (!make_directory(r, SETTLE_STAGE, e) || !make_directory(r, SETTLE_NEW, e) || !stage_file(r, MANIFEST_STORE, &m->store, e) ||
	    (m->key.there && !stage_file(r, MANIFEST_KEY, &m->key, e)))
		return false;
	path = path_of(r->state, SETTLE_NEW "/" MANIFEST_STORE, e);
	good = path && audit_file(path, &r->result->audit, e) && raise_epoch(r, e);
	free(path);
	return good && (file_there(r->state, "store") || make_directory(r, "store", e));
}

static bool restore_locked(const struct restoring *r, bool replace, struct err *e)
{
	enum settled what;
	struct err late;
	char aside[SETTLE_ASIDE_MAX];

	if (!settle(r->state, &what, r->result->earlier, e))
		return false;
	if (!replace && file_there(r->state, "store/" MANIFEST_STORE))
		return err_set(e, ERR_CONFIG, "%s has a store; --replace restores all the same, and keeps that one aside", r->state);
	if (!stage(r, e) || !settle_decide(r->state, e)) {
		(void)!settle(r->state, &what, aside, &late);
		return false;
	}
	if (!settle(r->state, &what, r->result->aside, e))
		return err_in(e, "the store is restored, but");
	r->result->key = file_there(r->state, MANIFEST_KEY);
	return true;
}

bool restore_into(const char *directory, const char *state, uint64_t map_size, bool replace, const char *what,
	struct backup_progress *progress, struct restored *result, struct err *e)
{
	struct restoring r = { .from = directory, .state = state, .map_size = map_size, .progress = progress, .result = result };
	char *path, *subject = NULL;
	struct stat st;
	int lock = -1;
	bool good;

	*result = (struct restored){ 0 };
	if (!backup_manifest(directory, &result->manifest, e) || !disk_directory(state, e) || !disk_refuse_network(state, e))
		return false;
	if (stat(state, &st) != 0)
		return err_errno(e, ERR_LOCAL, "%s", state);
	r.uid = st.st_uid;
	r.gid = st.st_gid;
	atomic_store(&progress->size, result->manifest.store.size);
	path = path_of(state, "run.lock", e);
	good = path && asprintf(&subject, "state %s", state) >= 0 && holder_take(path, subject, what, &lock, e);
	if (good && geteuid() == 0)
		good = fchown(lock, r.uid, r.gid) == 0 || err_errno(e, ERR_LOCAL, "%s", path);
	good = good && restore_locked(&r, replace, e);
	holder_drop(&lock);
	free(subject);
	free(path);
	return good;
}
