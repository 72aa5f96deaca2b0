/* SPDX-License-Identifier: Apache-2.0 */
#include "store/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { TRIES = 100 };

#define ASIDE "store.before-restore-"

static bool sync_at(int at, const char *directory, struct err *e)
{
	int fd = openat(at, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd >= 0 && fsync(fd) == 0;

	if (!good)
		(void)err_errno(e, ERR_LOCAL, "%s cannot be synced", directory);
	if (fd >= 0)
		(void)close(fd);
	return good;
}

static bool there(int at, const char *path)
{
	return faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool gone(int at, const char *path, int flags, struct err *e)
{
	return unlinkat(at, path, flags) == 0 || errno == ENOENT ? true : err_errno(e, ERR_LOCAL, "%s cannot be removed", path);
}

/* new/data.mdb last, since it is what says that nothing was decided. */
static bool go_back(int at, struct err *e)
{
	return gone(at, SETTLE_STAGE "/data.mdb", 0, e) && gone(at, SETTLE_STAGE "/secret.key", 0, e) && gone(at, SETTLE_NEW "/secret.key", 0, e) &&
		gone(at, SETTLE_NEW "/lock.mdb", 0, e) && sync_at(at, SETTLE_NEW, e) && sync_at(at, SETTLE_STAGE, e) &&
		gone(at, SETTLE_NEW "/data.mdb", 0, e) && gone(at, SETTLE_NEW, AT_REMOVEDIR, e) && gone(at, SETTLE_STAGE, AT_REMOVEDIR, e) &&
		sync_at(at, ".", e);
}

/* Once more is no harm: with the new key in place nothing is left in new/. */
static bool place_key(int at, struct err *e)
{
	if (!there(at, SETTLE_NEW "/secret.key"))
		return true;
	if (linkat(at, "secret.key", at, SETTLE_STAGE "/secret.key", 0) != 0 && errno != ENOENT && errno != EEXIST)
		return err_errno(e, ERR_LOCAL, "secret.key cannot be kept");
	if (!sync_at(at, SETTLE_STAGE, e))
		return false;
	if (renameat(at, SETTLE_NEW "/secret.key", at, "secret.key") != 0)
		return err_errno(e, ERR_LOCAL, "secret.key cannot be put in place");
	return sync_at(at, ".", e);
}

static bool put_aside(int at, char aside[SETTLE_ASIDE_MAX], struct err *e)
{
	char moment[MOMENT_TEXT], compact[MOMENT_TEXT];
	size_t n = 0;

	for (const char *p = moment_text(clock_now_s(), moment); *p; p++)
		if (*p != '-' && *p != ':')
			compact[n++] = *p;
	compact[n] = '\0';
	for (int more = 0; more < TRIES; more++) {
		(void)snprintf(aside, SETTLE_ASIDE_MAX, ASIDE "%s", compact);
		if (more)
			(void)snprintf(aside, SETTLE_ASIDE_MAX, ASIDE "%s.%d", compact, more);
		if (there(at, aside))
			continue;
		if (renameat(at, SETTLE_STAGE, at, aside) == 0)
			return sync_at(at, ".", e);
		break;
	}
	return err_errno(e, ERR_LOCAL, "%s cannot be named %s", SETTLE_STAGE, aside);
}

static bool go_on(int at, enum settled *what, char aside[SETTLE_ASIDE_MAX], struct err *e)
{
	bool old = there(at, SETTLE_STAGE "/data.mdb") || there(at, SETTLE_STAGE "/secret.key");

	/* Two empty directories may as well be all that there was of it. */
	*what = old || there(at, SETTLE_NEW "/secret.key") ? SETTLED_ON : SETTLED_NOTHING;
	if ((there(at, "store") && !sync_at(at, "store", e)) || !place_key(at, e) || !gone(at, SETTLE_NEW "/lock.mdb", 0, e) ||
	    !gone(at, SETTLE_NEW, AT_REMOVEDIR, e))
		return false;
	if (old || there(at, SETTLE_STAGE "/secret.key"))
		return put_aside(at, aside, e);
	return gone(at, SETTLE_STAGE, AT_REMOVEDIR, e) && sync_at(at, ".", e);
}

/* A power cut may leave one file with the name that it had and the one that it got. */
static bool decided(int at, struct err *e)
{
	struct stat was, is;

	if (fstatat(at, SETTLE_NEW "/data.mdb", &was, AT_SYMLINK_NOFOLLOW) != 0)
		return true;
	return fstatat(at, "store/data.mdb", &is, AT_SYMLINK_NOFOLLOW) == 0 && was.st_dev == is.st_dev && was.st_ino == is.st_ino &&
		gone(at, SETTLE_NEW "/data.mdb", 0, e);
}

bool settle(const char *state, enum settled *what, char aside[SETTLE_ASIDE_MAX], struct err *e)
{
	int at = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = true;

	aside[0] = '\0';
	*what = SETTLED_NOTHING;
	if (at < 0)
		return err_errno(e, ERR_LOCAL, "%s", state);
	if (there(at, SETTLE_STAGE)) {
		if (decided(at, e)) {
			good = go_on(at, what, aside, e);
		} else {
			*what = SETTLED_BACK;
			good = go_back(at, e);
		}
	}
	(void)close(at);
	return good ? true : err_in(e, "%s: a restore that was cut off", state);
}

static bool decide(int at, struct err *e)
{
	if (linkat(at, "store/data.mdb", at, SETTLE_STAGE "/data.mdb", 0) != 0 && errno != ENOENT)
		return err_errno(e, ERR_LOCAL, "store/data.mdb cannot be kept");
	if (!sync_at(at, SETTLE_NEW, e) || !sync_at(at, SETTLE_STAGE, e) || !sync_at(at, ".", e))
		return false;
	if (renameat(at, SETTLE_NEW "/data.mdb", at, "store/data.mdb") != 0)
		return err_errno(e, ERR_LOCAL, "store/data.mdb cannot be put in place");
	/* In this order: a name that is gone from new/ must be there in store/. */
	return sync_at(at, "store", e) && sync_at(at, SETTLE_NEW, e);
}

bool settle_decide(const char *state, struct err *e)
{
	int at = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good;

	if (at < 0)
		return err_errno(e, ERR_LOCAL, "%s", state);
	good = decide(at, e);
	(void)close(at);
	return good ? true : err_in(e, "%s", state);
}
