/* SPDX-License-Identifier: Apache-2.0
 *
 * A message taken apart into body and attachments (RFC 2045 to 2049), decoded, by GMime: each into a file of whoever asked.
 *
 * The first text/plain and the first text/html that are no attachments are the body: "body.txt" and "body.html", in
 * UTF-8 where their charset is known.  All else is "N.NAME", N = 1, 2, …, NAME what the message calls it, made safe (split_name),
 * or a word by its type.  Multiparts are opened, messages in messages are not: they are one part each, "N.eml".
 *
 * A message that would cost too much is not split, and loses nothing by it: a header of it, or of a part, of more than
 * SPLIT_HEADER octets, more than SPLIT_LINES lines that could be boundaries, more than SPLIT_PARTS parts.
 * Memory is for headers and the tree of parts; octets go from file to file.  One message at a time in the process, the others wait.
 * Blocks (jobs). */
#pragma once

#include "base/err.h"

enum { SPLIT_HEADER = 256 * 1024, SPLIT_LINES = 1000, SPLIT_PARTS = 500, SPLIT_NAME = 100, SPLIT_SUFFIX = SPLIT_NAME + 8, SPLIT_TEXT = 256 };

enum split_done { SPLIT_DONE, SPLIT_NOT, SPLIT_FAILED };

struct split_part {
	char suffix[SPLIT_SUFFIX + 1];	/* "body.txt", "2.invoice.pdf" */
	char type[SPLIT_TEXT], name[SPLIT_TEXT], id[SPLIT_TEXT], charset[64];	/* safe to show; "" = not said.  charset: of the file */
	bool body, attachment;		/* attachment: the message calls it one */
	uint64_t octets;		/* of the file */
};

struct split_sink {
	/* A file for this part, whose octets are not known yet; -1: it failed.  `written` takes it back, with all known. */
	int (*begin)(void *user, const struct split_part *part, struct err *e);
	bool (*written)(void *user, const struct split_part *part, int fd, struct err *e);
	void *user;
};

bool split_built(void);
/* `fd`: a file with the message, all of it.  NOT: `why` says why, nothing was begun.  FAILED: our disk or memory. */
enum split_done split_message(int fd, const struct split_sink *sink, char why[SPLIT_TEXT], struct err *e);
/* A name out of a message as part of a file's: letters, digits, '.', '-', '_' and what is above ASCII stay, all else
 * becomes '_', so does a '.' in front; cut in the middle at SPLIT_NAME octets, the ending stays.  "" when nothing is left. */
void split_name(const char *given, char name[SPLIT_NAME + 1]);
