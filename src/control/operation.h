/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the API: what an operation is made of, and what its functions find.
 *
 * A new operation is a row in the table of its subject's file (api_account.c …),
 * whose tables api.c knows.  `run` gets arguments that were checked against `args`; it
 * sets c->answer, or c->later (then a ticket's answer finishes it), or fails. */
#pragma once

#include "control/api.h"
#include "control/request.h"
#include "store/place.h"

struct operation {
	const char *name;
	const struct arg *args;
	bool (*run)(struct api_call *c, struct err *e);
	/* Octets behind the request; NULL: it takes none.  After the last one `took`. */
	bool (*take)(struct api_call *c, struct span octets, struct err *e);
	bool (*took)(struct api_call *c, struct err *e);
	bool (*full)(const struct api_call *c);
	bool (*give)(struct api_call *c, struct buf *out, struct err *e);
	bool (*did)(struct api_call *c, struct err *e);	/* its ticket's answer was good, and only now c->answer can be set; NULL: it is */
	void (*end)(struct api_call *c);	/* the call ends, answered or not; NULL = nothing to do */
	bool takes_fd;
	bool together;			/* the next of its kind may be asked for before it is answered */
	bool quiet;			/* no line in the log: it changes nothing, or comes by the thousand */
};

struct api {
	struct store *store;
	char *main_domain;		/* NULL = none */
	struct api_hooks hooks;
	bool running;			/* the hooks are somebody's */
	struct api_call *calls;		/* all that are not ended */
	uint64_t last_ticket;
};

struct api_call {
	struct api *api;
	struct api_call *next, **at;
	const struct operation *op;
	json_t *args;
	struct api_asker who;
	uint64_t wants, octets;
	uint64_t ticket;		/* 0 = none is under way */
	bool later, done;
	json_t *answer;
	struct err why;
	void *mine;			/* the operation's own */
};

extern const struct operation api_accounts[], api_alerts[], api_domains[], api_mailboxes[], api_messages[], api_histories[], api_certificates[], api_services[],
	api_blocks[], api_backups[], api_visits[], api_acls[], api_routes[], api_held[], api_schedules[], api_secrets[], api_tokens[], api_trusted[];

/* Arguments; NULL, `otherwise` or false when not given. */
const char *call_text(const struct api_call *c, const char *name);
uint64_t call_number(const struct api_call *c, const char *name, uint64_t otherwise);
bool call_flag(const struct api_call *c, const char *name);
bool call_has(const struct api_call *c, const char *name);
/* The name of an account, by the rules for names (main_domain, case). */
[[nodiscard]] bool call_account(const struct api_call *c, char name[ACCOUNT_NAME_MAX + 1], struct err *e);
/* ACCOUNT/BOX, the account by the same rules. */
#define ARG_MAILBOX { "mailbox", ARG_TEXT, true, 1024 }
[[nodiscard]] bool call_mailbox(const struct api_call *c, char name[MAILBOX_NAME_MAX + 1], struct err *e);
uint64_t call_ticket(struct api_call *c);	/* the answer to it finishes the call */
/* The answer is this (taken over); for `return call_answer(c, json_pack(…), e)`. */
bool call_answer(struct api_call *c, json_t *answer, struct err *e);
/* False, and the error says so: this needs a running instance. */
bool call_running(const struct api_call *c, bool built, struct err *e);

/* Of accounts and domains: what the arguments change of them, and as members of a row. */
void call_limits(const struct api_call *c, struct account_limits *limits);
void limits_json(json_t *row, const struct account_limits *limits);
/* "maildir" of a row: the setting of an account or of "@DOMAIN", null for none of its own. */
void place_json(json_t *row, struct store *s, const char *who);
#define ARG_MAILDIR { "maildir", ARG_TEXT, false, TEMPLATE_MAX }
#define ARGS_LIMITS { "quota", ARG_NUMBER_OR_NULL, false, INT64_MAX }, { "max_sessions", ARG_NUMBER_OR_NULL, false, ACCOUNT_SESSIONS_DEFAULT - 1 }
/* Of every list. */
enum { CURSOR_MAX = 3 * 2048 };
#define ARGS_PAGE { "after", ARG_TEXT, false, CURSOR_MAX }, { "limit", ARG_NUMBER, false, API_ROWS_MAX }
#define ARGS_END { .name = NULL }

/* A page of a list.  `after` and the rows' cursors are texts of ours: octets that are no
 * printable ASCII, and "%", are written %XX there, so that every name can be one.
 *     page_start(&p, c, cursor, sizeof cursor, &e) … while (page_room(&p) && each(cursor)) page_add(&p, row) … page_end(&p, cursor, &e) */
struct page {
	struct api_call *call;
	json_t *rows;
	size_t octets, left;
};
[[nodiscard]] bool page_start(struct page *p, struct api_call *c, char *cursor, size_t size, struct err *e);
bool page_room(const struct page *p);
void page_add(struct page *p, json_t *row);	/* taken over */
bool page_end(struct page *p, const char *cursor, struct err *e);

/* The form of a cursor, and back; false: it is none, or too long. */
json_t *token_of(struct span octets);
[[nodiscard]] bool token_read(const char *token, char *out, size_t size);
