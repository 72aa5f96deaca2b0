/* SPDX-License-Identifier: Apache-2.0 */
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include "store/fixture.h"

static void network_file_systems_are_known(void **state)
{
	static const struct row { uint64_t type; bool network; } rows[] = {
		{ NFS_SUPER_MAGIC, true },  { SMB_SUPER_MAGIC, true },  { CIFS_SUPER_MAGIC, true }, { SMB2_SUPER_MAGIC, true },
		{ CEPH_SUPER_MAGIC, true }, { V9FS_MAGIC, true },       { AFS_SUPER_MAGIC, true },  { CODA_SUPER_MAGIC, true },
		{ NCP_SUPER_MAGIC, true },  { OCFS2_SUPER_MAGIC, true }, { EXT4_SUPER_MAGIC, false }, { XFS_SUPER_MAGIC, false },
		{ BTRFS_SUPER_MAGIC, false }, { TMPFS_MAGIC, false },   { OVERLAYFS_SUPER_MAGIC, false }, { F2FS_SUPER_MAGIC, false },
		{ 0xffffffffff534d42, true },	/* f_type is signed and wider than the constant */
	};

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		if (disk_is_network(r->type) != r->network)
			fail_msg("%llx", (unsigned long long)r->type);
}

static void directories_are_made_with_their_parents(void **state)
{
	const char *directory = fixture_directory();
	static const char *const made[] = { "a", "a/b/c", "d/", "e//f", "a/b" };
	char path[300], file[256];
	struct stat st;
	int fd;

	(void)state;
	for (size_t i = 0; i < COUNT(made); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", directory, made[i]);
		must(disk_directory(path, &fixture_err));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
		must(disk_refuse_network(path, &fixture_err));
	}
	(void)snprintf(file, sizeof file, "%s/file", directory);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	(void)close(fd);
	(void)snprintf(path, sizeof path, "%s/below", file);
	assert_false(disk_directory(file, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_LOCAL);
	assert_false(disk_directory(path, &fixture_err));
	assert_false(disk_directory("", &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_false(disk_sync_directory(file, &fixture_err));
	fixture_remove(directory);
}

static void writing_is_all_or_an_error(void **state)
{
	int full = open("/dev/full", O_WRONLY), null = open("/dev/null", O_WRONLY);

	(void)state;
	errno = 0;
	assert_false(disk_write(full, SPAN("octets")));
	assert_int_equal(errno, ENOSPC);
	assert_true(disk_write(full, SPAN("")));
	assert_true(disk_write(null, SPAN("octets")));
	(void)close(full);
	(void)close(null);
}

/* The full one is test/e2e/test_poison.py's, which mounts it. */
static void what_nobody_knows_is_no_full_disk(void **state)
{
	(void)state;
	assert_true(disk_has_spare("/tmp"));
	assert_true(disk_has_spare("/proc"));		/* none of its sizes means anything */
	assert_true(disk_has_spare("/nowhere/at/all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(network_file_systems_are_known),
		cmocka_unit_test(directories_are_made_with_their_parents),
		cmocka_unit_test(writing_is_all_or_an_error),
		cmocka_unit_test(what_nobody_knows_is_no_full_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
