/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/visit.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/schedule_hint.h"
#include "collect/watch.h"

enum { SILENT_MS = 750, LOGIN_MS = 5000, LONG_MS = 30 * 1000 };	/* so long a visit has a place at its host */

enum { BUSY_TRIES_MAX = 10 };

struct visit *visit_new(struct collector *c, uint32_t index, uint64_t id, const struct connection *with, enum visit_what what)
{
	struct visit *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->collector = c;
	v->index = index;
	v->id = id;
	v->contexts = collector_contexts(c);
	v->with = with;
	v->talk = with->protocol == PROTOCOL_IMAP ? &talk_imap : &talk_pop3;
	v->what = what;
	v->tag = (struct tag){ NULL, "connection", with->name };
	v->started_ms = loop_now_ms(collector_loop(c));
	buf_start(&v->password, password_room(with));
	buf_start(&v->head, HEAD_MAX);
	listing_start(&v->listing);
	identity_start(&v->identity);
	return v;
}

void visit_free(struct visit **out)
{
	struct visit *v = *out;

	assert(!v->waiting && !v->conn && !v->under_way && !v->retrying);
	visit_reset_attempt(v);
	delivery_close(v);
	free(v->ledgers);
	store_lock_drop(&v->lock);
	password_stop(v);
	timer_free(&v->retry);
	timer_free(&v->stragglers);
	buf_wipe(&v->password);
	buf_end(&v->head);
	mechs_end(v);
	free(v->only);
	free(v);
	*out = NULL;
}

/* Forgets what one connection to the server showed; what is durable stays. */
void visit_reset_attempt(struct visit *v)
{
	assert(!v->conn && !v->under_way && !v->waiting);
	v->talk->free(v);
	visit_reset_mailbox(v);
	v->no_ids = v->stat_refused = v->deletes_ever = false;
	v->result.failed = 0;		/* of what failed, this attempt tells anew */
	v->result.skipped = v->recorded;
	v->taken = 0;
	v->taken_octets = v->stat_count = 0;
	v->token.refused = false;
	v->why = (struct err){ 0 };
	v->straggling = v->leaves = v->parks_again = v->mild = false;
}

void visit_reset_mailbox(struct visit *v)
{
	assert(!v->under_way && !v->slices && !v->current);
	free(v->plan);
	free(v->deletes);
	v->plan = NULL;
	v->deletes = NULL;
	listing_end(&v->listing);
	identity_end(&v->identity);
	v->found = (struct listing_found){ 0 };
	v->joined = v->listed = false;
	v->baseline_at = 0;
	v->plan_count = v->plan_asked = v->plan_answered = v->plan_kept = v->limit = 0;
	v->delete_count = v->delete_cap = v->delete_asked = v->dispose_at = v->uncompared = 0;
	v->asked_octets = v->planned_octets = 0;
	v->in_flight = 0;
}

static void end(struct visit *v)
{
	v->result.ms = loop_now_ms(collector_loop(v->collector)) - v->started_ms;
	v->result.why = v->why;
	if (v->what == VISIT_TEST)
		steps_end(v);
	else if (v->why.kind)
		log_error(&v->tag, "%s", v->why.text);
	if (v->why.kind && v->what != VISIT_TEST && hint_read(&v->why).crowded)
		watch_crowded(v);
	store_lock_drop(&v->lock);
	collector_ended(v->collector, v);
}

static bool add_ledger(struct visit *v, const char *mailbox, struct err *e)
{
	struct ledger **more = reallocarray(v->ledgers, v->ledger_count + 1, sizeof *more);

	if (!more)
		return err_set(e, ERR_LOCAL, "out of memory");
	v->ledgers = more;
	if (!ledger_open(collector_store(v->collector), v->with->name, mailbox, &v->ledgers[v->ledger_count], e))
		return false;
	ledger_renew(v->ledgers[v->ledger_count]);
	return ledger_takes(v->ledgers[v->ledger_count++], e);
}

bool visit_enter(struct visit *v, const char *mailbox, struct err *e)
{
	size_t n = 0;

	while (n < v->ledger_count && strcmp(ledger_mailbox(v->ledgers[n]), mailbox) != 0)
		n++;
	if (n == v->ledger_count && !add_ledger(v, mailbox, e))
		return false;
	v->ledger = v->ledgers[n];
	return ledger_takes(v->ledger, e);
}

/* All there are: what a crash left in any of them is put right first.  The
 * directory may not know the connection's own yet; a mailbox's is in it before
 * anything of that mailbox is delivered, by the note of its UIDVALIDITY. */
static bool open_ledgers(struct visit *v, struct err *e)
{
	struct ledger_name name = { 0 };

	v->ledger_count = 0;	/* an earlier attempt may have made more */
	if (!add_ledger(v, "", e))
		return false;
	v->own = v->ledger = v->ledgers[0];
	while (ledger_each(collector_store(v->collector), v->with->name, &name))
		if (name.mailbox[0] && !add_ledger(v, name.mailbox, e))
			return false;
	return true;
}

static void connect_again(void *user)
{
	struct visit *v = user;
	struct err e;

	visit_reset_attempt(v);
	v->phase = VISIT_PREPARING;	/* the last attempt may have left a placing undecided */
	if ((v->with->has_oauth || !v->password.len || v->token.kept) && v->what != VISIT_RETRY) {
		v->password_known = false;	/* there was none yet, or it may have ended meanwhile */
		password_get(v);
	}
	if (v->what == VISIT_TEST || (open_ledgers(v, &e) && delivery_recover(v, &e)))
		collector_dirty(v->collector, v);
	else
		visit_fail(v, &e);
}

/* The implicit port speaks no TLS: the clear one may do (tls.required = false). */
static bool may_fall_back(const struct visit *v)
{
	return !v->with->tls.required && !v->in_clear && v->with->tls.mode != MODE_NONE && v->tls_technical;
}

static bool worth_another_try(struct visit *v)
{
	uint64_t most = v->with->max_retries, asked_ms = (uint64_t)hint_read(&v->why).delay_s * 1000;

	if (!v->prepared || v->mild || v->what == VISIT_TEST || !most || asked_ms > v->with->retry_interval_ms || !v->with->retry_interval_ms)
		return false;	/* what a server wants to wait for longer is the schedule's */
	switch (v->why.kind) {
	case ERR_BUSY:		/* not counted, but not for ever; one that had the password may count at the server, whatever it says */
		return v->ladder.brought ? v->tries++ < most : v->busy_tries++ < BUSY_TRIES_MAX;
	case ERR_NET:
	case ERR_PEER:
		return v->tries++ < most;
	case ERR_NONE:
	case ERR_TLS:
	case ERR_AUTH:
	case ERR_LOCAL:
	case ERR_CONFIG:
	case ERR_KINDS:
		break;
	}
	return false;
}

/* The connection is gone and nothing is under way any more. */
static void attempt_over(struct visit *v)
{
	password_stop(v);
	if (v->shifted && v->what == VISIT_COLLECT)
		compared_distrust(v, v->began_s);
	v->shifted = false;
	if (!v->why.kind)
		v->why = v->no_target;
	if (v->stopping || v->ladder.unanswered) {
		end(v);
		return;
	}
	if (probe_wanted(v)) {
		probe_start(v);
		return;
	}
	if (v->adopts && v->why.kind) {
		log_info(&v->tag, "the session that watched is dead, going on with a fresh one: %s", v->why.text);
		v->adopts = false;
	} else if ((v->why.kind == ERR_NET || v->why.kind == ERR_PEER) && !v->lockstep && v->pipeline_stuck) {
		log_warn(&v->tag, "pipelining seems broken at this server, going on without: %s", v->why.text);
		v->lockstep = true;
	} else if (v->why.kind == ERR_NET && mechs_again(v)) {
		log_warn(&v->tag, "the server closed after it refused a mechanism, going on without that: %s", v->why.text);
	} else if (password_again(v)) {
		log_info(&v->tag, "the access token holds no more, going on with another one: %s", v->why.text);
	} else if (v->why.kind && may_fall_back(v)) {
		log_warn(&v->tag, "no TLS, going on in clear as tls.required = false allows: %s", v->why.text);
		steps_in_clear(v);
		v->in_clear = true;
	} else if (v->why.kind && worth_another_try(v)) {
		log_warn(&v->tag, "trying again in %llu s: %s",
			(unsigned long long)(v->with->retry_interval_ms / 1000), v->why.text);
		v->ladder.before.tries = 0;
		v->phase = VISIT_CONNECTING;
		timer_set(v->retry, v->with->retry_interval_ms, 0);
		return;
	} else {
		end(v);
		return;
	}
	v->phase = VISIT_CONNECTING;
	connect_again(v);
}

void visit_close(struct visit *v)
{
	v->closing = true;
	conn_close(v->conn);
}

void visit_fail(struct visit *v, const struct err *why)
{
	assert(why->kind != ERR_NONE);
	if (!v->why.kind) {
		v->why = *why;
		secret_hide_said(v, v->why.text);
	}
	if (!v->conn)
		v->phase = VISIT_CLOSED;
	else if (!v->closing)
		visit_close(v);
	collector_dirty(v->collector, v);
}

void visit_stop(struct visit *v)
{
	struct err why;

	if (v->stopping)
		return;
	v->stopping = true;
	atomic_store(&v->stop_command, true);
	(void)err_set(&why, ERR_LOCAL, "%s", v->what == VISIT_TEST ? "stopped before the test came to its end" :
		"stopped before the visit was complete; the next one goes on from here");
	handed_stop(v, why.text);
	if (v->phase >= VISIT_LEAVING && v->what != VISIT_RETRY)
		return;		/* QUIT was sent: what is deleted is deleted */
	if (v->retry)
		timer_stop(v->retry);
	visit_fail(v, &why);
}

void visit_drop(struct visit *v)
{
	visit_stop(v);
	if (v->conn && !v->closing)
		visit_close(v);
}

/* The server is not asked: as if it had said goodbye already. */
static void retry_only(struct visit *v)
{
	v->phase = VISIT_CLOSED;
	collector_dirty(v->collector, v);
}

bool visit_slow(const struct visit *v, uint64_t now_ms)
{
	return now_ms - v->heard_ms >= SILENT_MS || now_ms - v->started_ms >= (v->phase <= VISIT_CONNECTING ? LOGIN_MS : LONG_MS);
}

void visit_move(struct visit *v)
{
	switch (v->phase) {
	case VISIT_PREPARING:
		if (v->waiting > v->retrying || !v->password_known)
			break;
		v->prepared = true;
		if (v->what == VISIT_COLLECT || v->what == VISIT_RETRY) {
			retries_settle(v);
			retries_start(v);
		}
		if (v->what == VISIT_RETRY)
			retry_only(v);
		else
			talk_connect(v);
		break;
	case VISIT_CONNECTING:
	case VISIT_LISTING:
	case VISIT_JUDGING:
	case VISIT_FETCHING:
		talk_move(v);
		break;
	case VISIT_LEAVING:
		if (v->parks)
			talk_park(v);
		else
			talk_move(v);
		break;
	case VISIT_CLOSED:
		if (!v->waiting && !v->under_way && !v->retrying)
			attempt_over(v);
		break;
	case VISIT_WAITING:
	case VISIT_ENDED:
		break;
	}
}

void visit_password_known(struct visit *v, const struct err *why)
{
	v->password_known = true;
	if (why)
		visit_fail(v, why);
	else
		collector_dirty(v->collector, v);
}

static bool can_be_visited(const struct visit *v, struct err *e)
{
	const struct connection *with = v->with;

	if (!with->host || !with->user)
		return err_set(e, ERR_CONFIG, "no %s is set", with->host ? "user" : "host");
	if ((v->what == VISIT_COLLECT || v->what == VISIT_RETRY) && !with->deliver_count)
		return err_set(e, ERR_CONFIG, "nowhere to deliver to: set `deliver` to the name of a target");
	return true;
}

static bool prepare(struct visit *v, struct err *e)
{
	struct store *store = collector_store(v->collector);

	v->retry = timer_new(collector_loop(v->collector), connect_again, v);
	if (!v->retry)
		return err_set(e, ERR_LOCAL, "out of memory");
	if (!can_be_visited(v, e))
		return false;
	v->password_known = v->what == VISIT_RETRY;
	if (v->what == VISIT_TEST)
		return true;
	if (!store_lock_take(store, v->with->name, &v->lock, e))
		return false;
	if (!open_ledgers(v, e))
		return false;
	if (v->what == VISIT_BASELINE || delivery_open(v, e))
		return true;
	retries_postpone(v, e->text);
	return false;
}

void visit_start(struct visit *v)
{
	struct err e;

	v->phase = VISIT_PREPARING;
	v->started_ms = v->heard_ms = loop_now_ms(collector_loop(v->collector));
	steps_begin(v);
	if (!prepare(v, &e)) {
		visit_fail(v, &e);
		return;
	}
	steps_now(v, STEP_PASSWORD);
	v->adopts = watch_waits(v);
	if (v->adopts && password_costs(v->with))
		v->password_known = true;	/* no trouble is taken for one: whoever logged in knew it */
	else if (v->what != VISIT_RETRY)
		password_get(v);
	collector_dirty(v->collector, v);
}
