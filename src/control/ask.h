/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking: the API as a command uses it, wherever the store is.
 *
 *     ask_open(&with, &a, &e) … ask_call(a, "account.show", args, &reply, &e) … ask_close(&a)
 * ask_open takes the store when nobody has it (run.lock).  When `postrider run`
 * has it, all goes through its control socket; when another command does, that is
 * ERR_BUSY and names it.  A `run` that just starts is waited for, ASK_PATIENCE_MS; one whose
 * socket does not answer is ERR_BUSY too, and the text says so.
 *
 * `args` is taken over, and may be NULL; the reply is the caller's.  Errors of an operation
 * come as they are.  Requests may hold passwords: nothing of them is kept. */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "store/store.h"

enum { ASK_PATIENCE_MS = 3000, ASK_TIMEOUT_MS = 60 * 1000 };

struct ask;

struct ask_with {
	const char *state;
	uint64_t store_map;
	const char *main_domain;	/* NULL = none */
	const char *maildirs;		/* the key pop3.maildir, as store_maildirs takes it; NULL = none */
	const char *what;		/* "postrider account", as store_open takes it */
};

[[nodiscard]] bool ask_open(const struct ask_with *with, struct ask **a, struct err *e);
/* The same, but only of a running instance that answers at once; false: there is none.  Nobody's store is touched. */
[[nodiscard]] bool ask_running(const struct ask_with *with, struct ask **a);
void ask_close(struct ask **a);
/* The store, when this process has it; NULL: a running instance does. */
struct store *ask_store(const struct ask *a);

[[nodiscard]] bool ask_call(struct ask *a, const char *op, json_t *args, json_t **reply, struct err *e);
/* The same with an open file, which the other side gets, too; it stays the caller's. */
[[nodiscard]] bool ask_call_with(struct ask *a, const char *op, json_t *args, int fd, json_t **reply, struct err *e);
/* The rows of a list, page by page; args as for the first one.  `each` borrows; false ends it early, which is no error. */
[[nodiscard]] bool ask_rows(struct ask *a, const char *op, json_t *args, bool (*each)(void *user, json_t *row), void *user, struct err *e);

/* An operation with octets behind its answer, which `take` gets in pieces; false of it is an error, and e is its. */
typedef bool ask_take(void *user, struct span octets, struct err *e);
[[nodiscard]] bool ask_octets(struct ask *a, const char *op, json_t *args, ask_take *take, void *user, struct err *e);

/* Mailboxes of a running instance (not with ask_store), by the files of exchange.h. */
[[nodiscard]] bool ask_import(struct ask *a, const char *mailbox, const char *source, uint64_t *count, struct err *e);
[[nodiscard]] bool ask_export(struct ask *a, const char *mailbox, const char *target, uint64_t *count, struct err *e);

/* The store, copied into an empty file by whoever has it (backup.h); takes as long as the disk does.  From another
 * thread meanwhile: how far it is is the file's size, and ask_break ends it where a running instance has the store. */
struct backup_written;
[[nodiscard]] bool ask_backup(struct ask *a, int fd, struct backup_written *w, struct err *e);
void ask_break(struct ask *a);	/* nothing can be asked afterwards */
