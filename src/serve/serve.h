/* SPDX-License-Identifier: Apache-2.0
 *
 * The POP3 service (PRODUCT section 3): addresses, sessions and what they share.
 *
 *     serve_new(&with, settings, &s, &e) → serve_start(s, &e) … serve_reload, serve_stop,
 *     serve_start … → serve_stop; when serve_sessions is 0, or one's patience has an end:
 *     loops_drain or loops_stop, loops_join → serve_free(&s) → loops_free
 * All calls are for one thread, that of the store and of the `home` loop, which must
 * run: there QUIT's deletions are handed to the store.  Who drains store_next gives
 * every answer with a ticket of serve's (serve_ticket) to serve_answered.
 *
 * serve_start opens every address or none.  serve_stop closes them at once; sessions
 * that are amid an answer, or whose QUIT is on its way to the disk, get to its end,
 * the others are closed: as RFC 1939 has it, nothing of theirs is deleted.  It
 * returns at once.
 * serve_reload takes new settings, or refuses them and all stays as it was.  Sessions
 * go on under the settings that they began with; an address that stays is not closed for
 * a moment.  `settings` are read during the call only.
 *
 * Errors: ERR_CONFIG (an address, a certificate: with the place in the configuration), ERR_LOCAL. */
#pragma once

#include "config/settings_pop3.h"
#include "net/inherited.h"
#include "net/loops.h"
#include "serve/admission.h"
#include "serve/elsewhere.h"
#include "store/account.h"

#define SERVE_TICKETS (UINT64_C(1) << 56)	/* our tickets have this bit, and none above it */

struct serve;

struct serve_with {		/* all borrowed, and outlive the service */
	struct loops *loops;
	struct loop *home;
	struct store *store;
	struct tls_contexts *contexts;
	const struct inherited *inherited;	/* NULL = none; a listener takes the one of its name */
	const struct elsewhere *pam;	/* judges pam:SERVICE; NULL: nobody does */
	const uint32_t *sessions_fit;	/* for more there are no descriptors; read by serve_new and serve_reload; NULL = no such limit */
};

struct serve_counts {		/* since serve_new, but for what is open now */
	uint64_t sessions_now, logged_in_now;
	uint64_t connections, refused, logins, failed_logins;
	uint64_t messages, octets, tops, deleted;
};

/* `settings`->pop3 is there (asserted). */
[[nodiscard]] bool serve_new(const struct serve_with *with, const struct settings *settings, struct serve **serve, struct err *e);
[[nodiscard]] bool serve_start(struct serve *s, struct err *e);
void serve_stop(struct serve *s);
bool serve_running(const struct serve *s);
[[nodiscard]] bool serve_reload(struct serve *s, const struct settings *settings, struct err *e);
void serve_counts(const struct serve *s, struct serve_counts *counts);
uint64_t serve_sessions(const struct serve *s);		/* those that are there still */
struct admission *serve_admission(struct serve *s);
/* The port of the listener `name`, 0: it is not open. */
uint16_t serve_port(const struct serve *s, const char *name);
static inline bool serve_ticket(uint64_t ticket)
{
	return ticket >> 56 == 1;
}
void serve_answered(struct serve *s, const struct store_done *done);
/* What clients submit, and what is held of it.  submissions_turn whenever store_next was drained; with
 * submissions_waiting the service has not ended yet, submissions_hurry makes it short: programs are ended, and what
 * they had is held; submissions_kick: held messages that are due are tried now, not in some seconds. */
struct submissions;
struct submissions *serve_submissions(const struct serve *s);
void serve_free(struct serve **serve);

/* One session as it is now. */
struct serve_session {
	uint64_t id;			/* grows, never 0 */
	char account[ACCOUNT_NAME_MAX + 1];	/* "" before the login */
	char peer[ADDRESS_TEXT];	/* with the port */
	char listener[SETTINGS_NAME_MAX + 1];
	bool tls;
	uint64_t age_ms, messages, octets;
};

/* Up to `max` sessions with an id above `after`, in the order of their ids.  Returns how many. */
size_t serve_each_session(struct serve *s, uint64_t after, struct serve_session *out, size_t max);
