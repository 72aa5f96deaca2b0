/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and replies as lines of JSON, and arguments held against a table.
 *
 *     {"v":1,"op":"account.show","args":{"account":"anna"}}
 *     {"v":1,"answer":{"account":"anna",…}}
 *     {"v":1,"error":{"kind":"config","text":"there is no account anna"}}
 * "octets":N in either says that N octets follow the line.  A line has at most
 * REQUEST_MAX octets, its line end not counted.
 *
 * Whatever comes from outside is hostile: no doubled members, nothing behind the
 * object, no U+0000, no members that are not known, numbers whole and within
 * limits.  Errors: ERR_PEER for what is no request or reply at all, ERR_CONFIG for one
 * that asks for what there is not, naming the member. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

enum { REQUEST_MAX = 1 << 20, REQUEST_OP_MAX = 64 };
#define REQUEST_OCTETS_MAX ((uint64_t)1 << 40)	/* behind one line */

struct request {
	json_t *root;
	const char *op;		/* borrow of root: */
	json_t *args;		/* an object; NULL = none */
	uint64_t octets;
};

[[nodiscard]] bool request_read(struct span line, struct request *r, struct err *e);
void request_end(struct request *r);
/* Adds a line with its line end.  `args` NULL = none.  ERR_CONFIG: it is too long. */
[[nodiscard]] bool request_write(struct buf *out, const char *op, json_t *args, uint64_t octets, struct err *e);
[[nodiscard]] bool reply_write(struct buf *out, json_t *answer, uint64_t octets, struct err *e);
[[nodiscard]] bool reply_write_error(struct buf *out, const struct err *why);
/* The answer is the caller's.  False: the reply is an error, or none at all. */
[[nodiscard]] bool reply_read(struct span line, json_t **answer, uint64_t *octets, struct err *e);

/* An operation's arguments, the table ended by a NULL name. */
enum arg_type {
	ARG_TEXT,		/* at most `max` octets of UTF-8 */
	ARG_NUMBER,		/* 0 to `max` */
	ARG_NUMBER_OR_NULL,
	ARG_FLAG,
	ARG_TEXTS,		/* at most `max` texts of ARG_TEXTS_EACH octets */
	ARG_NUMBERS,		/* at most `max` numbers */
	ARG_TYPES
};
enum { ARG_TEXTS_EACH = 128 };

struct arg {
	const char *name;
	enum arg_type type;
	bool must;
	uint64_t max;
};

[[nodiscard]] bool args_check(const struct arg *table, const json_t *args, struct err *e);
