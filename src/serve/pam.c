/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/pam.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "serve/pam_wire.h"

enum { PATIENCE_MS = 2 * PAM_TIMEOUT_MS + 5000, AGAIN_MS = 1000, COMPLAIN_MS = 1000, END_MS = 2000, TICK_MS = 5, PREFIX_SIX = 6 };

#define NO_ANSWER "the helper for PAM gives no answer"

static_assert(PAM_FROM_ONE * 4 == PAM_TAKES, "a range has at most a quarter");

enum state { ASKED, TO_TELL, TOLD, FORGOTTEN };

struct pam_job {
	struct pam_client *c;
	struct pam_job *next;
	uint64_t id, until_ms;
	uint64_t prefix;		/* whom it comes from */
	enum state state;
	enum elsewhere_said said;
	char why[PAM_WHY_MAX + 1];
	struct wake *wake;
	void (*done)(void *user, enum elsewhere_said said, const char *account, const char *why);
	void *user;
};

struct pam_client {
	struct elsewhere judge;
	struct pam_with with;
	pthread_mutex_t lock;		/* of all that follows */
	struct pam_helper helper;	/* changed by the thread alone, once it runs */
	struct pam_job *jobs, **last;	/* not answered yet, the oldest first */
	size_t count;
	uint64_t ids;
	char *main_domain;
	bool stop, wanted;		/* wanted: there is or was a helper */
	int kick;			/* an eventfd: look at `stop` and the oldest job */
	uint64_t started_ms, complained_ms;
	uint64_t unsaid;		/* complaints since then that the log was spared */
	bool thread_there;
	pthread_t thread;
};

/* ---- answers */

/* With the lock; *at is the job. */
static void answer(struct pam_client *c, struct pam_job **at, enum elsewhere_said said, const char *why)
{
	struct pam_job *j = *at;

	*at = j->next;
	if (!*at)
		c->last = at;
	c->count--;
	if (j->state == FORGOTTEN) {
		free(j);
		return;
	}
	assert(j->state == ASKED);
	j->state = TO_TELL;
	j->said = said;
	(void)snprintf(j->why, sizeof j->why, "%s", why);
	text_clean(j->why, strlen(j->why));
	wake_send(j->wake);
}

/* On the job's loop. */
static void on_wake(void *user)
{
	struct pam_job *j = user;
	char why[PAM_WHY_MAX + 1];
	bool tell;

	pthread_mutex_lock(&j->c->lock);
	tell = j->state == TO_TELL;
	if (tell)
		j->state = TOLD;
	pthread_mutex_unlock(&j->c->lock);
	if (!tell)
		return;
	memcpy(why, j->why, sizeof why);	/* done may end the job */
	j->done(j->user, j->said, NULL, j->said == ELSEWHERE_RIGHT ? NULL : why);
}

/* Clients hear [SYS/TEMP] and no more: that a stack is not well stands in the log, once a second at most.  With the lock. */
static void complain(struct pam_client *c, const char *why)
{
	uint64_t now = clock_mono_ms();

	if (c->complained_ms && now < c->complained_ms + COMPLAIN_MS) {
		c->unsaid++;
		return;
	}
	log_warn(NULL, "a login could not be judged: %s (and %" PRIu64 " before it that were not told)", why, c->unsaid);
	c->complained_ms = now;
	c->unsaid = 0;
}

static void take_reply(struct pam_client *c, struct pam_reply *r)
{
	struct pam_job **at = &c->jobs;

	r->why[PAM_WHY_MAX] = '\0';
	while (*at && (*at)->id != r->id)
		at = &(*at)->next;
	if (!*at)
		return;		/* the first word of the helper, or what came too late */
	if (r->said == ELSEWHERE_RIGHT || r->said == ELSEWHERE_WRONG) {
		answer(c, at, r->said, r->why);
	} else {
		complain(c, r->why);
		answer(c, at, ELSEWHERE_BUSY, r->why);
	}
}

/* ---- the helper */

static void pause_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

/* Its socket is closed, so it ends by itself.  Where it does not, and is root's while we are not, it is left. */
static void reap(pid_t pid, int *status)
{
	pid_t got = 0;

	*status = -1;
	for (int ms = 0; got == 0 && ms < 2 * END_MS; ms += TICK_MS) {
		if (ms == END_MS)
			(void)kill(pid, SIGKILL);
		got = waitpid(pid, status, WNOHANG);
		if (got < 0 && errno == EINTR)
			got = 0;
		if (got == 0)
			pause_ms(TICK_MS);
	}
	if (got != pid)
		*status = -1;
}

static void tell_end(const struct pam_client *c, int status)
{
	char how[64] = "does not answer";

	if (status >= 0 && WIFSIGNALED(status))
		(void)snprintf(how, sizeof how, "was killed by signal %d", WTERMSIG(status));
	else if (status >= 0)
		(void)snprintf(how, sizeof how, "ended with exit status %d", WEXITSTATUS(status));
	if (c->with.start)
		log_warn(NULL, "the helper for PAM %s; it is started again", how);
	else
		log_error(NULL, "the helper for PAM %s, and it needs root, which was given up: restart postrider; "
			"until then no user of PAM's can log in", how);
}

static void lose_helper(struct pam_client *c)
{
	struct pam_helper gone;
	int status;

	pthread_mutex_lock(&c->lock);
	gone = c->helper;
	c->helper = (struct pam_helper){ -1, 0 };
	while (c->jobs)
		answer(c, &c->jobs, ELSEWHERE_BUSY, "the helper for PAM ended");
	pthread_mutex_unlock(&c->lock);
	(void)close(gone.fd);
	reap(gone.pid, &status);
	tell_end(c, status);
}

/* Not more than once a second.  False: it is not yet time, or it was not to be. */
static bool start_again(struct pam_client *c)
{
	struct pam_helper h = { -1, 0 };
	struct err e;

	if (!c->with.start || clock_mono_ms() < c->started_ms + AGAIN_MS)
		return false;
	c->started_ms = clock_mono_ms();
	if (!c->with.start(c->with.context, &h, &e)) {
		log_error(NULL, "the helper for PAM cannot be started: %s", e.text);
		return false;
	}
	pthread_mutex_lock(&c->lock);
	c->helper = h;
	pthread_mutex_unlock(&c->lock);
	return true;
}

/* All that is there.  False: the helper has gone, or says what no helper of ours says. */
static bool hear(struct pam_client *c)
{
	struct pam_reply r;
	ssize_t n;

	for (;;) {
		n = recv(c->helper.fd, &r, sizeof r, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n != sizeof r)
			return false;
		pthread_mutex_lock(&c->lock);
		take_reply(c, &r);
		pthread_mutex_unlock(&c->lock);
	}
}

/* Gives up on what has waited too long.  → how long the oldest may still wait; -1: there is none. */
static int give_up(struct pam_client *c)
{
	uint64_t now = clock_mono_ms();
	int left;

	pthread_mutex_lock(&c->lock);
	while (c->jobs && c->jobs->until_ms <= now) {
		complain(c, NO_ANSWER);
		answer(c, &c->jobs, ELSEWHERE_BUSY, NO_ANSWER);
	}
	left = c->jobs ? (int)(c->jobs->until_ms - now) : -1;
	pthread_mutex_unlock(&c->lock);
	return left;
}

static bool stopped(struct pam_client *c)
{
	bool stop;

	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return stop;
}

static void *run(void *user)
{
	struct pam_client *c = user;
	uint64_t count;

	while (!stopped(c)) {
		struct pollfd fds[] = { { c->helper.fd, POLLIN, 0 }, { c->kick, POLLIN, 0 } };
		int left = give_up(c);

		if (c->helper.fd < 0 && start_again(c))
			continue;
		if (c->helper.fd < 0 && c->with.start)
			left = AGAIN_MS;
		(void)poll(fds, COUNT(fds), left);
		if (fds[1].revents && read(c->kick, &count, sizeof count) < 0)
			pause_ms(TICK_MS);
		if (c->helper.fd >= 0 && fds[0].revents && !hear(c))
			lose_helper(c);
	}
	return NULL;
}

static void kick(struct pam_client *c)
{
	const uint64_t one = 1;

	while (write(c->kick, &one, sizeof one) < 0 && errno == EINTR)
		;
}

/* ---- questions */

static uint64_t prefix_of(const char *rhost)
{
	union address a;
	uint64_t prefix = 0;

	if (!address_parse(rhost, 0, &a))
		return UINT64_MAX;
	if (a.any.sa_family != AF_INET6)
		return ntohl(a.v4.sin_addr.s_addr) >> 8;
	memcpy(&prefix, &a.v6.sin6_addr, PREFIX_SIX);
	return prefix | UINT64_C(1) << 62;
}

/* With the lock. */
static bool has_room(const struct pam_client *c, uint64_t prefix, struct err *e)
{
	size_t same = 0;

	if (c->helper.fd < 0)
		return err_set(e, ERR_LOCAL, c->with.start ? "the helper for PAM is not there just now" : "there is no helper for PAM: restart postrider");
	if (c->count >= PAM_TAKES)
		return err_set(e, ERR_BUSY, "%zu logins wait for PAM", c->count);
	for (const struct pam_job *j = c->jobs; j; j = j->next)
		same += j->prefix == prefix;
	return same < PAM_FROM_ONE || err_set(e, ERR_BUSY, "%zu logins of one address range wait for PAM", same);
}

/* With the lock. */
static bool send_request(struct pam_client *c, struct pam_job *j, const struct elsewhere_ask *a, struct err *e)
{
	struct pam_request r;
	bool good = true;

	if (!pam_request_fill(&r, j->id, a, c->main_domain))
		good = err_set(e, ERR_LOCAL, "what PAM should be asked has not the form for it");
	if (good && send(c->helper.fd, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof r)
		good = err_errno(e, ERR_BUSY, "the helper for PAM takes no questions");
	wipe(&r, sizeof r);
	return good;
}

static bool add(struct pam_client *c, struct pam_job *j, const struct elsewhere_ask *a, struct err *e)
{
	bool good;

	pthread_mutex_lock(&c->lock);
	j->id = ++c->ids;
	j->until_ms = clock_mono_ms() + (c->with.patience_ms ? c->with.patience_ms : PATIENCE_MS);
	good = has_room(c, j->prefix, e) && send_request(c, j, a, e);
	if (good) {
		*c->last = j;
		c->last = &j->next;
		if (!c->count++)
			kick(c);	/* it is the oldest: for its sake the thread must wake in time */
	}
	pthread_mutex_unlock(&c->lock);
	return good;
}

static void *ask(void *context, const struct elsewhere_ask *a, struct err *e)
{
	struct pam_client *c = context;
	struct pam_job *j = calloc(1, sizeof *j);

	assert(a->service);
	if (!j) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	j->c = c;
	j->prefix = prefix_of(a->rhost);
	j->done = a->done;
	j->user = a->user;
	j->wake = wake_new(a->loop, on_wake, j, e);
	if (j->wake && add(c, j, a, e))
		return j;
	wake_free(&j->wake);
	free(j);
	return NULL;
}

/* What was asked and is not answered keeps its place: the helper is still at it. */
static void end(void *context, void *job)
{
	struct pam_client *c = context;
	struct pam_job *j = job;
	bool kept;

	pthread_mutex_lock(&c->lock);
	wake_free(&j->wake);
	kept = j->state == ASKED;
	if (kept)
		j->state = FORGOTTEN;
	pthread_mutex_unlock(&c->lock);
	if (!kept)
		free(j);
}

/* ---- the whole */

/* Signals are the main thread's. */
static bool start_thread(struct pam_client *c, struct err *e)
{
	sigset_t all, before;

	c->started_ms = clock_mono_ms();
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	c->thread_there = pthread_create(&c->thread, NULL, run, c) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	c->wanted = c->thread_there;
	return c->thread_there || err_set(e, ERR_LOCAL, "no thread to hear the helper for PAM");
}

struct pam_client *pam_client_new(const struct pam_with *with, struct err *e)
{
	struct pam_client *c = calloc(1, sizeof *c);

	if (!c) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		if (with->first.fd >= 0)
			(void)close(with->first.fd);	/* it ends, and is init's to wait for */
		return NULL;
	}
	c->with = *with;
	c->judge = (struct elsewhere){ .context = c, .ask = ask, .end = end };
	c->helper = with->first;
	c->last = &c->jobs;
	pthread_mutex_init(&c->lock, NULL);
	pam_client_domain(c, with->main_domain);
	c->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->kick < 0)
		(void)err_errno(e, ERR_LOCAL, "no event for the helper for PAM");
	if (c->kick < 0 || (c->helper.fd >= 0 && !start_thread(c, e)))
		pam_client_free(&c);
	return c;
}

static void end_helper(struct pam_client *c)
{
	int status;

	if (c->helper.fd < 0)
		return;
	(void)close(c->helper.fd);
	reap(c->helper.pid, &status);
	c->helper = (struct pam_helper){ -1, 0 };
}

bool pam_client_want(struct pam_client *c, struct err *e)
{
	if (c->wanted)
		return true;
	if (!c->with.start)
		return err_set(e, ERR_CONFIG, "users: the helper for PAM is started with postrider, before root is given up; restart postrider");
	if (!c->with.start(c->with.context, &c->helper, e))
		return false;
	if (start_thread(c, e))
		return true;
	end_helper(c);
	return false;
}

void pam_client_domain(struct pam_client *c, const char *main_domain)
{
	pthread_mutex_lock(&c->lock);
	free(c->main_domain);
	c->main_domain = main_domain ? strdup(main_domain) : NULL;	/* no memory: whole names, which are refused */
	pthread_mutex_unlock(&c->lock);
}

const struct elsewhere *pam_client_judge(struct pam_client *c)
{
	return &c->judge;
}

void pam_client_free(struct pam_client **out)
{
	struct pam_client *c = *out;

	*out = NULL;
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_mutex_unlock(&c->lock);
	if (c->thread_there) {
		kick(c);
		pthread_join(c->thread, NULL);
	}
	while (c->jobs) {
		assert(c->jobs->state == FORGOTTEN);
		answer(c, &c->jobs, ELSEWHERE_BUSY, "");
	}
	end_helper(c);
	if (c->kick >= 0)
		(void)close(c->kick);
	pthread_mutex_destroy(&c->lock);
	free(c->main_domain);
	free(c);
}
