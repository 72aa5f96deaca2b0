/* SPDX-License-Identifier: Apache-2.0
 *
 * The mbox file format, mboxrd: a "From " line before each message, an empty
 * line after it, ">" before every line that is ">"s and "From ", LF line ends.
 *
 * Out: mbox_out_open → (mbox_out_begin → mbox_out_add… → mbox_out_end)… →
 * mbox_out_close, which makes the file durable.  CRLF becomes LF; a message
 * without a final line end gets one, since the format cannot say otherwise.
 *
 * In: mbox_in_next tells what comes, borrowing the reader's memory until the
 * next call.  A "From " line counts at the file's beginning and behind an
 * empty line; elsewhere it is body (files of others are not always quoted). */
#pragma once

#include "base/err.h"

struct mbox_out;

[[nodiscard]] bool mbox_out_open(const char *path, struct mbox_out **out, struct err *e);	/* must not be there */
void mbox_out_begin(struct mbox_out *out, const char *sender, int64_t arrived);
[[nodiscard]] bool mbox_out_add(struct mbox_out *out, struct span octets);	/* false: the disk failed */
void mbox_out_end(struct mbox_out *out);
/* e NULL: something failed before, and that is what is told. */
bool mbox_out_close(struct mbox_out **out, struct err *e);

struct mbox_in;

enum mbox_got { MBOX_MESSAGE, MBOX_OCTETS, MBOX_END, MBOX_FAILED };

[[nodiscard]] bool mbox_in_open(const char *path, struct mbox_in **in, struct err *e);
/* MBOX_MESSAGE: one begins, *arrived is its date (0: not told); MBOX_OCTETS:
 * of its body, as in the file but unquoted. */
enum mbox_got mbox_in_next(struct mbox_in *in, struct span *octets, int64_t *arrived, struct err *e);
void mbox_in_close(struct mbox_in **in);
