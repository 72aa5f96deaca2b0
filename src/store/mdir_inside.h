/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: what a maildrop is made of, and how one over a Maildir (mdir.h) finds its files.
 *
 * maildrop.c has the functions of maildrop.h; where `mdir` is set they hand on to those of the same name here (mdir_read.c).
 * A message's drop_message.body is where its name lies in mdir->names, and which folder: only
 * mdir_locate looks at it.  The index is a cache: the file may have gone, or have got another name, since;
 * its octets are converted to CRLF on the way out, and are as many as drop_octets says, less 2 with DROP_NO_END
 * (whoever reads adds that CRLF, as with the store's own). */
#pragma once

#include <limits.h>

#include "store/below.h"
#include "store/box.h"
#include "store/mdir.h"

struct mdir_reader;	/* mdir_read.c's */

struct mdir {
	struct mdir_reader *reader;	/* NULL at first; mdir_close's to end */
	uint32_t ahead;			/* mdir_read.c's: messages before this one were asked of the disk */
	struct store *store;
	char *path;
	size_t account_len;		/* of it (below.h); 0: all */
	char *names;			/* each ends with NUL; texts are among them */
	size_t names_len;
	const char **texts;		/* NULL: there are none */
};

struct maildrop {
	struct engine *engine;
	engine_part part;
	uint32_t count;
	uint64_t octets;
	struct box_head head;		/* as it was; not of a Maildir */
	struct drop_message *messages;
	struct mdir *mdir;		/* NULL: of the store */
};

enum mdir_dir { MDIR_NEW, MDIR_CUR };

struct mdir_file {
	enum mdir_dir dir;
	char name[NAME_MAX + 1];
};

const char *mdir_dir_name(enum mdir_dir dir);	/* "new", "cur" */
/* Where the file of a message is: as the index had it, from memory; with `search` as the folders have it now (blocks):
 * other flags, moved from new to cur.  False: it is gone; or the index is damaged. */
[[nodiscard]] bool mdir_locate(const struct maildrop *drop, uint32_t number, bool search, struct mdir_file *file);
struct below mdir_below(const struct maildrop *drop);
/* The folder, opened O_DIRECTORY and through no link: the caller's to close; -1 with errno.  Blocks. */
int mdir_folder(const struct maildrop *drop, enum mdir_dir dir);
/* The file is not of the size that the index has: who opens the Maildir next counts it anew.  Any thread, returns at once. */
void mdir_distrust(const struct maildrop *drop, uint32_t number);

void mdir_free(struct maildrop *drop);		/* maildrop_close's */

/* mdir_read.c: as those of maildrop.h. */
bool mdir_there(const struct maildrop *drop, uint32_t number);
void mdir_start(const struct maildrop *drop, uint32_t number, struct maildrop_reading *r);
enum maildrop_got mdir_piece(const struct maildrop *drop, struct maildrop_reading *r, bool wait,
	size_t (*use)(void *user, struct span octets), void *user);
void mdir_touch(const struct maildrop *drop, const struct maildrop_reading *r, uint64_t octets);
void mdir_stop(const struct maildrop *drop);
void mdir_close(struct maildrop *drop);		/* and what it was read with */

/* mdir_edit.c: the name with the flag S, in cur; info that is not ":2," stays before it.  False: it has it, or no room for it. */
bool mdir_name_seen(const char *name, char out[NAME_MAX + 1]);
