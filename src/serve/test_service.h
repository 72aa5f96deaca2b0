/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: the whole service in this process, with a store of its own, and hands
 * on what it does inside.
 *
 *     service_make(); service_put(octets)…; service.pop3.… = …; service_open(loops);
 *     guests (test_guest.h) … service_on_home(work, user) … service_close(); service_end()
 * Home and the loops have threads of their own, so the test's thread is the client's and
 * may block.  Before service_open and after service_close the store is the test's; between
 * them it is home's: service_on_home.  The account is bob, with the password "geheim" and
 * all keys; mail lies in bob/INBOX.  Listeners: "clear" (STLS, passwords in clear are allowed)
 * on 127.0.0.1, "tls" on 127.0.0.2.
 * Programs with this in them are linked with SERVICE_WRAPS: the calls below are caught. */
#pragma once

#include <stdatomic.h>

#include "net/test_pki.h"
#include "serve/serve.h"
#include "serve/submissions.h"
#include "serve/worker.h"
#include "store/mailbox.h"

struct service {
	const char *directory;
	struct store *store;
	struct tls_contexts *contexts;
	struct loops *home_thread, *loops;
	struct loop *home;
	struct wake *answers;
	struct serve *serve;
	struct worker *workers[8];
	struct inherited inherited;
	/* Settings, made as PRODUCT 2.4 has them, but for delays after failed logins; a test changes them. */
	struct settings settings;
	struct pop3_settings pop3;
	struct pop3_listener listeners[3];
	struct pki authority, client;	/* the client's is for bob */
	char certificate[96], authorities[96];
	/* What is caught: */
	atomic_uint absent;		/* so many pieces are "not in memory", */
	atomic_uint touched;		/* and so many jobs fetched some */
	atomic_bool hold_touch, hold_open;	/* jobs wait while it is set; */
	atomic_uint held;		/* so many do now */
	atomic_bool no_box;		/* home cannot open the mailbox: commits fail */
	atomic_bool no_outcome;		/* a held message that was delivered cannot be removed: */
	atomic_uint outcomes;		/* so often */
	_Atomic(const char *) vanishes;	/* a Maildir: the next file goes from its tmp before it is renamed, and that it did cannot be written */
	atomic_uint others;		/* answers of the store for others */
};

extern struct service service;

void service_make(void);
void service_put(struct span octets);		/* one more message */
/* Octets of a mail that wants stuffing all over; from malloc. */
char *service_dots(size_t len, unsigned seed);
void service_open(unsigned loops);
void service_close(void);
void service_end(void);

void service_on_home(void (*work)(void *user), void *user);
void service_hold_home(bool on);
/* On the loop of that worker. */
void service_on_worker(unsigned index, void (*work)(struct worker *w, void *user), void *user);
uint64_t service_count(void);			/* messages in bob/INBOX now, in the store */
bool service_seen(uint64_t position);
void service_reclaim(void);			/* what was removed is gone for good */
uint64_t service_sessions(void);
/* Waits for it; a test that waits for too long fails. */
void service_until(bool (*holds)(void));
bool service_empty(void);			/* no session is left */
bool service_holding(void);			/* a job is held */
