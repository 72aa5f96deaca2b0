/* SPDX-License-Identifier: Apache-2.0
 *
 * Importers: whatever the other tool's file is, reading it ends; what is written is
 * text, and settings_read takes it, but for files that are not there.  Each harness
 * is this with its format. */
#pragma once

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/import.h"
#include "config/read.h"
#include "fuzz.h"

enum { IMPORT_INPUT_MAX = 1 << 14, IMPORT_REPORT_MAX = 1 << 20 };

static inline void import_is_taken(struct span conf)
{
	int fd = memfd_create("c.conf", MFD_CLOEXEC);
	struct settings s;
	struct buf report;
	struct span rest, line;
	char path[64];

	assert(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, conf.at, conf.len) == (ssize_t)conf.len);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	buf_start(&report, IMPORT_REPORT_MAX);
	if (settings_read(path, &s, &report)) {
		settings_end(&s);
	} else {
		rest = buf_span(&report);
		while (import_line(&rest, &line))
			if (!memmem(line.at, line.len, "cannot be read", 14)) {
				(void)fprintf(stderr, "%.*s\n%.*s\n", (int)line.len, line.at, (int)conf.len, conf.at);
				abort();
			}
	}
	buf_end(&report);
	(void)close(fd);
}

static inline int import_fuzz(enum import_format format, const uint8_t *data, size_t size)
{
	struct buf out;
	struct err e = { 0 };

	if (size > IMPORT_INPUT_MAX)
		return 0;
	buf_start(&out, IMPORT_OUT_MAX);
	if (!import_read(format, "rc", (struct span){ (const char *)data, size }, &out, &e)) {
		assert(e.kind == ERR_CONFIG && strncmp(e.text, "rc:", 3) == 0);
	} else {
		import_is_taken(buf_span(&out));
	}
	buf_end(&out);
	return 0;
}
