/* SPDX-License-Identifier: Apache-2.0 */
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

bool disk_sync_directory(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd >= 0 && fsync(fd) == 0;

	if (!good)
		(void)err_errno(e, ERR_LOCAL, "%s cannot be synced", path);
	if (fd >= 0)
		(void)close(fd);
	return good;
}

bool disk_has_spare(const char *path)
{
	struct statvfs disk;

	return statvfs(path, &disk) < 0 || !disk.f_blocks || (uint64_t)disk.f_bavail * disk.f_frsize >= DISK_SPARE;
}

/* `path` is written to, and put back, at each of its slashes. */
static bool make_one(char *path, struct err *e)
{
	char *slash = strrchr(path, '/');
	bool good;

	if (mkdir(path, 0700) != 0)
		return errno == EEXIST ? true : err_errno(e, ERR_LOCAL, "directory %s cannot be made", path);
	if (!slash)
		return disk_sync_directory(".", e);
	if (slash == path)
		return disk_sync_directory("/", e);
	*slash = '\0';
	good = disk_sync_directory(path, e);
	*slash = '/';
	return good;
}

bool disk_directory(const char *path, struct err *e)
{
	char copy[PATH_MAX];
	size_t len = strlen(path);
	struct stat st;

	if (!len || len >= sizeof copy)
		return err_set(e, ERR_CONFIG, "\"%.60s\" cannot be a directory: its name is %s", path, len ? "too long" : "empty");
	memcpy(copy, path, len + 1);
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	if (stat(copy, &st) == 0) {
		errno = ENOTDIR;
		return S_ISDIR(st.st_mode) ? true : err_errno(e, ERR_LOCAL, "%s cannot be used", copy);
	}
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		bool there;

		*slash = '\0';
		there = access(copy, F_OK) == 0 || make_one(copy, e);
		*slash = '/';
		if (!there)
			return false;
	}
	return make_one(copy, e);
}

bool disk_write(int fd, struct span octets)
{
	while (octets.len) {
		ssize_t n = write(fd, octets.at, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		octets = span_from(octets, (size_t)n);
	}
	return true;
}

/* statfs(2)'s constants; linux/magic.h has only some of them. */
static const struct network {
	uint32_t type;
	const char *name;
} networks[] = {
	{ 0x6969, "NFS" },
	{ 0xff534d42, "CIFS" },
	{ 0xfe534d42, "SMB2" },
	{ 0x517b, "SMB" },
	{ 0x00c36400, "Ceph" },
	{ 0x01021997, "9P" },
	{ 0x5346414f, "AFS" },
	{ 0x6b414653, "kAFS" },
	{ 0x73757245, "Coda" },
	{ 0x564c, "NCP" },
	{ 0x0bd00bd0, "Lustre" },
	{ 0x7461636f, "OCFS2" },
	{ 0x01161970, "GFS2" },
};

static const char *network_name(uint64_t type)
{
	for (const struct network *n = networks; n < networks + COUNT(networks); n++)
		if ((uint32_t)type == n->type)
			return n->name;
	return NULL;
}

bool disk_is_network(uint64_t type)
{
	return network_name(type) != NULL;
}

bool disk_refuse_network(const char *path, struct err *e)
{
	struct statfs fs;
	const char *name;

	if (statfs(path, &fs) != 0)
		return err_errno(e, ERR_LOCAL, "%s cannot be examined", path);
	name = network_name((uint64_t)fs.f_type);
	if (name)
		return err_set(e, ERR_CONFIG, "%s is on a network file system (%s), which can lose mail: put `state` on a local disk", path, name);
	return true;
}
