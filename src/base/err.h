/* SPDX-License-Identifier: Apache-2.0
 *
 * An error: what failed, where, and what to do about it.
 *
 * A function that can fail returns bool and takes `struct err *` last.  On
 * false the err is filled, on true it is untouched.  The kind decides policy
 * (try again, give up, disable); the text is for people and reads from the
 * outside in: err_in puts the place in front.  A peer's words are added with
 * err_peer, which keeps them apart from ours and takes quotes, control octets
 * and what is not UTF-8 out, so that they can neither forge a log line nor
 * pass for our own text.
 * Nothing is allocated, so "out of memory" can be reported.  Text that does
 * not fit is cut at the end. */
#pragma once

#include "base/span.h"

enum err_kind {
	ERR_NONE,
	ERR_BUSY,   /* the mailbox or a lock is in use: try later, not counted */
	ERR_NET,    /* no name, no route, a broken or silent connection: try later, counted */
	ERR_PEER,   /* the server broke its protocol or refused: counted */
	ERR_TLS,    /* certificate, host name, protocol version: ends the visit */
	ERR_AUTH,   /* credentials refused: fatal for the connection */
	ERR_LOCAL,  /* our disk, our memory, our store */
	ERR_CONFIG, /* the settings cannot work: fatal */
	ERR_KINDS
};

struct err {
	enum err_kind kind;
	char text[512];
};

/* "busy", "net", … as they stand in logs and JSON. */
const char *err_kind_name(enum err_kind kind);
/* Fills *e; returns false, so that a caller can `return err_set(…)`. */
bool err_set(struct err *e, enum err_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Puts "format: " in front of the text; returns false. */
bool err_in(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds `: server said "words"`, cut at 200 octets; returns false. */
bool err_peer(struct err *e, struct span words);
/* The same for another than a server: `: WHO said "words"`. */
bool err_said(struct err *e, const char *who, struct span words);
/* err_set with ": " and strerror(errno) at the end; returns false. */
bool err_errno(struct err *e, enum err_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
