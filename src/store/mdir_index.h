/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: the index of a Maildir, in memory and at rest.
 *
 * At rest, in the partition ("maildir", path): "h" the head; "p" GENERATION NUMBER a page of at most MDIR_PAGE entries in
 * order, which need not be full; a page's names and texts stand behind its entries, NUL behind each, so that they are taken in one
 * piece.  Pages of another generation than the head's are what a rewriting has left, or is about to put.
 * All is a cache, and input: what is damaged is told, never believed, and is made anew out of the Maildir.
 *
 * In memory: a list of entries in order.  What changed is written into pages that it concerns by mdir_index_save, in one
 * batch, under the condition that the head is as it was read; if that is too much, or pages have become sparse, a new generation
 * is put first and the head turned to it.
 * Threads: any; a list is for one at a time. */
#pragma once

#include "store/engine.h"
#include "wire/drop.h"

enum {
	MDIR_PAGE = 64,
	MDIR_TEXT_MAX = 70,		/* RFC 1939: a unique-id */
	MDIR_HEAD = 2 + 3 * 4 + 3 * 8 + 2 * 24,
	MDIR_PAGE_ENTRY = 8 + 8 + 2 + 2,
	MDIR_IN_CUR = 32,		/* entry flags beside DROP_*: where it lies */
	MDIR_UNCOUNTED = 64,		/* its size proved wrong: it is to be counted */
};
#define MDIR_FRESH UINT32_MAX		/* page of an entry that is in none yet */

struct mdir_stamp {			/* a folder, as it was; all zero: it is not there */
	uint64_t changed_ns, inode, device;
};

struct mdir_head {
	bool trusted;			/* the stamps were old enough when the folders were read */
	bool dovecot;			/* whose unique-ids it has */
	uint32_t count, texts, pages;	/* texts: entries that have one */
	uint64_t octets, names, generation;	/* names: octets of all pages' names */
	struct mdir_stamp folder[2];	/* by enum mdir_dir */
};

struct mdir_entry {
	uint64_t uid, octets;		/* octets: its inode, until it is counted */
	uint32_t name, text;		/* in names; text 0: none */
	uint32_t page;			/* which of list->pages */
	uint32_t uidlist, order;	/* Dovecot's, of a fresh one; 0: none */
	uint8_t flags;
	bool found;			/* by a look */
	bool leaves;			/* is to be taken out */
};

struct mdir_page {
	uint32_t number;
	bool dirty;
};

struct mdir_list {
	struct mdir_entry *entries;
	uint32_t count, cap;
	char *names;			/* begins with an empty one */
	uint32_t names_len, names_cap;
	struct mdir_page *pages;
	uint32_t page_count, page_cap;
	struct mdir_head was;		/* as it was read; zeros: there was none */
	char raw[MDIR_HEAD];		/* the same, as it is at rest */
	bool there, known;		/* there is a head at rest; `raw` is it (a damaged one may have another length) */
};

struct span mdir_page_key(char key[13], uint64_t generation, uint32_t number);
void mdir_head_pack(char at[MDIR_HEAD], const struct mdir_head *head);
[[nodiscard]] bool mdir_head_unpack(struct span value, struct mdir_head *head);
/* Is it whole?  *count entries, and names that end with NUL, behind them. */
[[nodiscard]] bool mdir_page_good(struct span page, uint32_t *count, struct span *names);
struct mdir_rest { uint64_t uid; uint64_t octets_flags; uint32_t name, text; };	/* name, text: in the page's names; text UINT32_MAX: none */
/* The n-th of a good page; false: it is damaged. */
[[nodiscard]] bool mdir_page_at(struct span page, struct span names, uint32_t n, struct mdir_rest *entry);

void mdir_list_start(struct mdir_list *list);
void mdir_list_end(struct mdir_list *list);
/* What is at rest.  False: damaged, or out of memory; the list is empty then. */
[[nodiscard]] bool mdir_index_load(struct view *v, engine_part part, struct mdir_list *list);
/* Room for `more` items beyond *len; false: there is none. */
[[nodiscard]] bool mdir_grown(void **at, uint32_t len, uint32_t more, uint32_t *cap, size_t size);
/* A fresh entry, behind all others; NULL: out of memory, or more than 2^31 octets of names. */
struct mdir_entry *mdir_list_add(struct mdir_list *list);
[[nodiscard]] bool mdir_list_name(struct mdir_list *list, struct span name, uint32_t *at);
static inline const char *mdir_list_text(const struct mdir_list *list, uint32_t at)
{
	return list->names + at;
}
/* Entries that leave are taken out, and their pages are dirty. */
void mdir_list_leave(struct mdir_list *list);

/* The list at rest, as `head` says (count and what follows from the list is filled in).  `wait`: until it is durable;
 * else it may come to nothing, which the next reader finds out.  ERR_BUSY: the head is not as it was read. */
[[nodiscard]] bool mdir_index_save(struct engine *g, engine_part part, struct mdir_list *list, struct mdir_head *head, bool wait, struct err *e);
/* Takes an index away; waits. */
[[nodiscard]] bool mdir_index_forget(struct engine *g, engine_part part, struct err *e);
