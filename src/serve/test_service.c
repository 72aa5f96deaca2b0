/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/test_service.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/tls.h"
#include "store/fixture.h"
#include "store/held.h"
#include "store/maildrop.h"

enum { PATIENCE_MS = 60000 };

struct service service;
static atomic_bool home_held;

static void rest(void)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

void service_until(bool (*holds)(void))
{
	uint64_t began = clock_mono_ms();

	while (!holds()) {
		if (clock_mono_ms() - began > PATIENCE_MS)
			fail_msg("what was waited for did not happen");
		rest();
	}
}

/* ---- what is caught */

struct worker *__real_worker_new(struct loop *l, unsigned index, struct err *e);
struct worker *__wrap_worker_new(struct loop *l, unsigned index, struct err *e);
enum maildrop_got __real_maildrop_piece(const struct maildrop *drop, struct maildrop_reading *r, bool wait,
	size_t (*use)(void *user, struct span octets), void *user);
enum maildrop_got __wrap_maildrop_piece(const struct maildrop *drop, struct maildrop_reading *r, bool wait,
	size_t (*use)(void *user, struct span octets), void *user);
void __real_maildrop_touch(const struct maildrop *drop, const struct maildrop_reading *r, uint64_t octets);
void __wrap_maildrop_touch(const struct maildrop *drop, const struct maildrop_reading *r, uint64_t octets);
bool __real_maildrop_open(struct store *s, const char *name, struct maildrop **drop, struct err *e);
bool __wrap_maildrop_open(struct store *s, const char *name, struct maildrop **drop, struct err *e);
bool __real_mailbox_open(struct store *s, const char *name, bool make, struct mailbox **box, struct err *e);
bool __wrap_mailbox_open(struct store *s, const char *name, bool make, struct mailbox **box, struct err *e);
bool __real_held_remove(struct store *s, uint64_t id, struct err *e);
bool __wrap_held_remove(struct store *s, uint64_t id, struct err *e);
bool __real_held_placing(struct store *s, uint64_t id, const char *name, struct err *e);
bool __wrap_held_placing(struct store *s, uint64_t id, const char *name, struct err *e);

struct worker *__wrap_worker_new(struct loop *l, unsigned index, struct err *e)
{
	service.workers[index] = __real_worker_new(l, index, e);
	return service.workers[index];
}

enum maildrop_got __wrap_maildrop_piece(const struct maildrop *drop, struct maildrop_reading *r, bool wait,
	size_t (*use)(void *user, struct span octets), void *user)
{
	if (!wait && r->left && service.absent) {
		service.absent--;
		return MAILDROP_ABSENT;
	}
	return __real_maildrop_piece(drop, r, wait, use, user);
}

static void hold_while(const atomic_bool *on)
{
	service.held++;
	while (*on)
		rest();
	service.held--;
}

void __wrap_maildrop_touch(const struct maildrop *drop, const struct maildrop_reading *r, uint64_t octets)
{
	service.touched++;
	hold_while(&service.hold_touch);
	__real_maildrop_touch(drop, r, octets);
}

bool __wrap_maildrop_open(struct store *s, const char *name, struct maildrop **drop, struct err *e)
{
	hold_while(&service.hold_open);
	return __real_maildrop_open(s, name, drop, e);
}

bool __wrap_mailbox_open(struct store *s, const char *name, bool make, struct mailbox **box, struct err *e)
{
	if (service.no_box)
		return err_set(e, ERR_LOCAL, "a test says that this fails");
	return __real_mailbox_open(s, name, make, box, e);
}

bool __wrap_held_remove(struct store *s, uint64_t id, struct err *e)
{
	service.outcomes += service.no_outcome;
	if (service.no_outcome)
		return err_set(e, ERR_LOCAL, "a test says that this fails");
	return __real_held_remove(s, id, e);
}

bool __wrap_held_placing(struct store *s, uint64_t id, const char *name, struct err *e)
{
	const char *vanishes = service.vanishes;
	char path[PATH_MAX];

	if (!vanishes)
		return __real_held_placing(s, id, name, e);
	if (!*name) {
		service.vanishes = NULL;
		return err_set(e, ERR_LOCAL, "a test says that this fails");
	}
	(void)snprintf(path, sizeof path, "%s/tmp/%s", vanishes, name);
	must(__real_held_placing(s, id, name, e));
	must(unlink(path) == 0);
	return true;
}

/* ---- settings and mail */

static void make_certificates(void)
{
	struct pki own;

	pki_make(&service.authority, &(struct pki_wish){ .name = "authority", .authority = true });
	pki_make(&own, &(struct pki_wish){ .name = "first", .names = "DNS:localhost", .issuer = &service.authority });
	pki_make(&service.client, &(struct pki_wish){ .name = "bob", .issuer = &service.authority });
	(void)snprintf(service.certificate, sizeof service.certificate, "%s/certificate.pem", service.directory);
	(void)snprintf(service.authorities, sizeof service.authorities, "%s/authorities.pem", service.directory);
	pki_write(service.certificate, 0600, &(struct pki_file){ .certs = { own.cert }, .key = own.key });
	pki_write(service.authorities, 0600, &(struct pki_file){ .certs = { service.authority.cert } });
	pki_free(&own);
}

void service_make(void)
{
	static const struct pop3_users internal = { POP3_USERS_INTERNAL, NULL };

	if (service.directory)		/* a test failed, and its threads are still at it */
		_exit(1);
	service = (struct service){ .directory = fixture_directory() };
	make_certificates();
	service.listeners[0] = (struct pop3_listener){ .name = "clear", .address = "127.0.0.1", .tls = POP3_TLS_STARTTLS, .allow_cleartext = true };
	service.listeners[1] = (struct pop3_listener){ .name = "tls", .address = "127.0.0.2", .tls = POP3_TLS_IMPLICIT };
	service.pop3 = (struct pop3_settings){
		.users = &internal, .user_count = 1,
		.listeners = service.listeners, .listener_count = 2, .certificate = service.certificate, .ca_certificates = service.authorities,
		.max_sessions = 10000, .mechanisms = (1U << SASL_MECHS) - 1, .hide_version = true, .idle_timeout_ms = 600000,
		.login_timeout_ms = 120000, .failed_block_ms = 900000, .after_retr_seen = true,
	};
	for (enum sasl_mech m = 0; m < SASL_MECHS; m++)
		if (!login_serves(m))
			service.pop3.mechanisms &= ~(1U << m);
	service.settings.pop3 = &service.pop3;
	service.contexts = tls_contexts_new(&fixture_err);
	must(service.contexts);
	service.store = fixture_store(service.directory);
	must(account_add(service.store, "bob", SPAN("geheim"), ACCOUNT_RECOVERABLE, &fixture_err));
}

void service_put(struct span octets)
{
	fixture_append(fixture_box(service.store, "bob/INBOX"), octets, NULL, 1);
	assert_int_equal(fixture_drain(service.store), 1);
}

char *service_dots(size_t len, unsigned seed)
{
	static const char *const parts[] = { ".", "\r\n", "\r\n.", "..", "a", "\r", "\n.", "\r\n..", "bcd", "\r\n\r\n", ".\r\n.\r\n", "e.f" };
	char *at = malloc(len + 8);
	size_t n = 0;

	assert_non_null(at);
	while (n < len) {
		const char *part;

		seed = seed * 1103515245 + 12345;
		part = parts[(seed >> 16) % COUNT(parts)];
		memcpy(at + n, part, strlen(part));
		n += strlen(part);
	}
	return at;
}

/* ---- threads */

static void on_answers([[maybe_unused]] void *user)
{
	struct store_done done;

	while (store_next(service.store, &done)) {
		if (!serve_ticket(done.ticket))
			service.others++;
		else if (service.serve)
			serve_answered(service.serve, &done);
	}
	if (service.serve)
		submissions_turn(serve_submissions(service.serve));
}

static void on_store([[maybe_unused]] void *user)	/* on the committer's thread */
{
	wake_send(service.answers);
}

struct home_work {
	void (*work)(void *user);
	void *user;
};

static void run_home(struct loop *l, [[maybe_unused]] unsigned index, void *user)
{
	struct home_work *w = user;

	service.home = l;
	w->work(w->user);
}

void service_on_home(void (*work)(void *user), void *user)
{
	loops_call(service.home_thread, 0, run_home, &(struct home_work){ work, user });
}

static void wait_held([[maybe_unused]] struct loop *l, [[maybe_unused]] unsigned index, [[maybe_unused]] void *user)
{
	while (home_held)
		rest();
}

void service_hold_home(bool on)
{
	home_held = on;
	if (on)
		assert_true(loops_post(service.home_thread, 0, wait_held, NULL));
}

struct worker_work {
	void (*work)(struct worker *w, void *user);
	void *user;
};

static void run_worker([[maybe_unused]] struct loop *l, unsigned index, void *user)
{
	struct worker_work *w = user;

	w->work(service.workers[index], w->user);
}

void service_on_worker(unsigned index, void (*work)(struct worker *w, void *user), void *user)
{
	loops_call(service.loops, index, run_worker, &(struct worker_work){ work, user });
}

static void open_here([[maybe_unused]] void *user)
{
	const struct serve_with with = { .loops = service.loops, .home = service.home, .store = service.store,
		.contexts = service.contexts, .inherited = &service.inherited };

	service.answers = wake_new(service.home, on_answers, NULL, &fixture_err);
	must(service.answers);
	store_on_wake(service.store, on_store, NULL);
	must(serve_new(&with, &service.settings, &service.serve, &fixture_err));
	must(serve_start(service.serve, &fixture_err));
}

void service_open(unsigned loops)
{
	service.home_thread = loops_new(1, &fixture_err);
	must(service.home_thread);
	service.loops = loops_new(loops, &fixture_err);
	must(service.loops);
	service_on_home(open_here, NULL);
}

static void close_here([[maybe_unused]] void *user)
{
	if (serve_running(service.serve))
		serve_stop(service.serve);
	loops_stop(service.loops);
	loops_join(service.loops);
	serve_free(&service.serve);
	service.hold_touch = service.hold_open = false;
	loops_free(&service.loops);
	store_on_wake(service.store, NULL, NULL);
	wake_free(&service.answers);
}

void service_close(void)
{
	service_hold_home(false);
	service_on_home(close_here, NULL);
	loops_stop(service.home_thread);
	loops_join(service.home_thread);
	loops_free(&service.home_thread);
	(void)fixture_drain(service.store);
}

void service_end(void)
{
	if (service.home_thread)
		service_close();
	tls_contexts_free(&service.contexts);
	store_close(&service.store);
	pki_free(&service.authority);
	pki_free(&service.client);
	fixture_remove(service.directory);
	service.directory = NULL;
}

/* ---- what is there now */

static struct mailbox *inbox(void)
{
	struct mailbox *box;

	must(__real_mailbox_open(service.store, "bob/INBOX", false, &box, &fixture_err));
	return box;
}

static void count_here(void *user)
{
	*(uint64_t *)user = mailbox_count(inbox());
}

uint64_t service_count(void)
{
	uint64_t n = 0;

	if (service.home_thread)
		service_on_home(count_here, &n);
	else
		count_here(&n);
	return n;
}

struct seen {
	uint64_t position;
	bool seen;
};

static void seen_here(void *user)
{
	struct seen *s = user;

	s->seen = fixture_entry(inbox(), s->position).flags & MAILBOX_SEEN;
}

bool service_seen(uint64_t position)
{
	struct seen s = { .position = position };

	if (service.home_thread)
		service_on_home(seen_here, &s);
	else
		seen_here(&s);
	return s.seen;
}

static void reclaim_here([[maybe_unused]] void *user)
{
	while (store_reclaim(service.store, clock_now_s() + 2 * RECLAIM_AFTER_S))
		(void)fixture_drain(service.store);
	(void)fixture_drain(service.store);
}

void service_reclaim(void)
{
	service_on_home(reclaim_here, NULL);
}

uint64_t service_sessions(void)
{
	return serve_sessions(service.serve);
}

bool service_empty(void)
{
	return service_sessions() == 0;
}

bool service_holding(void)
{
	return service.held > 0;
}
