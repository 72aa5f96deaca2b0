/* SPDX-License-Identifier: Apache-2.0
 *
 * What only a running instance can tell or do, handed to the API by whoever
 * runs it (`postrider run`); a command that opened the store itself has none,
 * and then these operations answer that postrider is not running.
 *
 * Every function is called on the main loop's thread and answers at once:
 * what takes longer (a service that drains its sessions) is begun, and its
 * state tells how far it is.  A function that is NULL is not built.  Texts that are pointers
 * are borrowed until the next turn of the loop; moments are seconds since 1970. */
#pragma once

#include "collect/device_logins.h"
#include "collect/schedule.h"
#include "collect/visits.h"
#include "config/settings.h"
#include "net/network.h"
#include "store/account.h"

enum { HOOKS_SERVICES_MAX = 8, HOOKS_CERTIFICATES_MAX = 32, HOOKS_WHY_MAX = 256 };

enum hooks_state { HOOKS_STOPPED, HOOKS_STARTING, HOOKS_RUNNING, HOOKS_DRAINING, HOOKS_FAILED, HOOKS_STATES };
enum hooks_action { HOOKS_START, HOOKS_STOP, HOOKS_RESTART, HOOKS_ACTIONS };

struct hooks_service {
	const char *name;		/* pop3, collect, console */
	enum hooks_state state;
	int64_t since;			/* of this state */
	char why[HOOKS_WHY_MAX];	/* HOOKS_FAILED; "" else */
};

struct hooks_pop3 {			/* since the instance started, but for the three that say now */
	uint64_t sessions_now, logged_in_now, blocked_now;
	uint64_t sessions, logins, failed_logins, denied, messages, octets, deleted;
};

struct hooks_certificate {
	const char *where;		/* the listener, or the file */
	int64_t not_after;
};

struct hooks_status {
	int64_t started;		/* the instance */
	struct hooks_service services[HOOKS_SERVICES_MAX];
	size_t service_count;
	struct hooks_pop3 pop3;
	struct visits_counts visits;
	struct hooks_certificate certificates[HOOKS_CERTIFICATES_MAX];
	size_t certificate_count;
};

struct hooks_session {
	uint64_t id;			/* grows with every session, never 0 */
	char address[ADDRESS_TEXT];	/* with the port */
	char listener[SETTINGS_NAME_MAX + 1];
	char account[ACCOUNT_NAME_MAX + 1];	/* "" before login */
	bool tls;
	int64_t since;
	uint64_t messages, octets;	/* sent */
};

struct hooks_block {
	struct network network;
	int64_t since, until;		/* until 0 = for ever */
	uint64_t hits;			/* connections and logins refused by it */
	bool by_hand;			/* else after failed logins */
	char why[HOOKS_WHY_MAX];
};

struct api_hooks {
	void *user;
	void (*status)(void *user, struct hooks_status *status);	/* *status is zeroed */
	/* Begins it; *state is what the service is in now.  ERR_CONFIG: there is none of that name. */
	bool (*service)(void *user, const char *name, enum hooks_action action, enum hooks_state *state, struct err *e);
	/* Up to `max` sessions with ids above `after`, in order of ids; returns how many. */
	size_t (*sessions)(void *user, uint64_t after, struct hooks_session *rows, size_t max);
	/* Up to `max` blocks in force (by hand or not) from *cursor on, which is 0 at first and then moves; *count
	 * is how many, 0 behind the last.  What comes or goes between two calls may be missed, or be there twice.
	 * False: nothing is in force now, since the service is stopped; those in the store are shown then. */
	bool (*blocks)(void *user, uint64_t *cursor, struct hooks_block *rows, size_t max, size_t *count);
	/* The store has it, or has it no more: what holds at once (admission_block_add, admission_block_remove).
	 * A stopped service does nothing, and is good. */
	bool (*block_add)(void *user, const struct hooks_block *block, struct err *e);
	size_t (*block_remove)(void *user, const struct network *network);	/* how many ended, those after failed logins too */
	void (*held_retry)(void *user);	/* submitted messages that are held became due: they are tried now */
	void (*held_kick)(void *user, const char *connection);	/* the same of this connection's */
	/* Visits, as visits.h has them. */
	const char *(*visit_each)(void *user, const char *after);
	bool (*visit_may)(void *user, const char *name, enum visit_what what, struct err *e);
	bool (*visit_start)(void *user, const char *name, enum visit_what what, uint64_t *id, struct err *e);
	void (*visit_only)(void *user, uint64_t id, const char *mailbox);
	bool (*visit_show)(void *user, uint64_t id, struct visits_shown *shown);
	const struct visit_step *(*visit_step)(void *user, uint64_t id, size_t n);
	void (*visit_stop)(void *user, uint64_t id);
	/* Connections in the order of the configuration, the first for NULL; as schedule.h has it. */
	bool (*schedule_each)(void *user, const char *after, struct schedule_shown *shown);
	/* Access tokens, as collect/tokens.h has them. */
	bool (*tokens_changing)(void *user, const char *connection);
	void (*tokens_changed)(void *user, const char *connection);
	int64_t (*token_expires)(void *user, const char *connection);	/* 0: there is none */
	/* Logins by a device code, as collect/device_logins.h has them. */
	bool (*device_start)(void *user, const char *connection, uint64_t *id, struct err *e);
	bool (*device_show)(void *user, uint64_t id, struct device_logins_shown *shown);
	void (*device_stop)(void *user, uint64_t id);
	void (*trust_changed)(void *user);	/* the store has it: the next handshake is judged by it, and what goes on to servers that lost it ends */
	bool (*reload)(void *user, struct err *e);	/* as SIGHUP does; ERR_CONFIG: nothing has changed, and why */
};
