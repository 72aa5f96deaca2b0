/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a folder of their own that they stand in, and files in it.
 * scratch_start makes it and goes there; scratch_end removes it with all files
 * (one folder deep).  Paths are relative, so that messages are always the same. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/read.h"

static char scratch_folder[64];

static inline int scratch_start(void **state)
{
	(void)state;
	(void)snprintf(scratch_folder, sizeof scratch_folder, "/tmp/postrider-config-XXXXXX");
	return !mkdtemp(scratch_folder) || chdir(scratch_folder) != 0;
}

static inline void scratch_clear(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d))) {
		char path[600];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		assert_true(snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path);
		if (entry->d_type == DT_DIR)
			scratch_clear(path);
		assert_int_equal(entry->d_type == DT_DIR ? rmdir(path) : unlink(path), 0);
	}
	assert_int_equal(closedir(d), 0);
}

static inline int scratch_end(void **state)
{
	(void)state;
	scratch_clear(scratch_folder);
	return chdir("/") != 0 || rmdir(scratch_folder) != 0;
}

static inline void scratch_write(const char *path, struct span text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	if (text.len)
		assert_int_equal(fwrite(text.at, 1, text.len, f), text.len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* Reads c.conf with this text; the report as one text, "" when all is good. */
static inline const char *scratch_read(struct span text, mode_t mode, struct settings *s)
{
	static char memory[16384];
	struct buf report;
	bool good;

	scratch_write("c.conf", text, mode);
	buf_lend(&report, memory, sizeof memory);
	good = settings_read("c.conf", s, &report);
	assert_true(buf_terminate(&report));
	assert_int_equal(good, !report.len);
	return memory;
}
