/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/collect.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "collect/offered.h"
#include "collect/schedule.h"
#include "collect/watch.h"
#include "store/trust.h"

enum { VISIT_BITS = 20, VISITS_MAX = 1 << VISIT_BITS, SLOT_BITS = 24, KIND_BITS = 8, ALIVE_MS = 250 };

struct collector {
	struct collector_with with;
	struct wake *wake;
	struct timer *alive;	/* answers of the store do not hold the loop: this does */
	struct collect_progress over;	/* of visits that ended */
	struct visit **visits;	/* by slot; free ones NULL, and taken again */
	size_t count, cap, left, throttled;
	struct kept_target *targets;
	struct watches *watches;	/* NULL: nothing is watched */
	uint64_t added;			/* ever */
	struct visit *dirty;
	bool feeding;			/* some visit is */
};

struct kept_target {
	struct kept_target *next;
	const struct target *of;
	struct deliver_target *target;
};

static const char *const phase_names[] = {
	"waiting", "preparing", "connecting", "listing", "judging", "fetching", "leaving", "closing", "ended",
};
static_assert(COUNT(phase_names) == VISIT_ENDED + 1, "a name for each phase");

struct loop *collector_loop(struct collector *c)
{
	return c->with.loop;
}

struct store *collector_store(struct collector *c)
{
	return c->with.store;
}

struct store *collector_vault(struct collector *c)
{
	return c->with.vault ? c->with.vault : c->with.store;
}

void collector_step(struct collector *c, const struct visit *v, const struct visit_step *step)
{
	if (c->with.step)
		c->with.step(c->with.user, v->id, v->with, step);
}

bool collector_offered(struct collector *c, const struct visit *v, const struct conn_offered *offered)
{
	if (c->with.offered)
		c->with.offered(c->with.user, v->with->host, v->conn_settings.port, offered);
	else if (c->with.store)
		trust_note(c->with.store, v->with->host, v->conn_settings.port, offered->chain, offered->reason);
	return c->with.offered || c->with.store;
}

bool collector_recalled(struct collector *c, const struct visit *v, struct visited_login *login)
{
	return c->with.recalled && c->with.recalled(c->with.user, v->with, login);
}

struct tls_contexts *collector_contexts(struct collector *c)
{
	return c->with.contexts;
}

struct tokens *collector_tokens(struct collector *c)
{
	return c->with.tokens;
}

struct deliveries *collector_deliveries(struct collector *c)
{
	return c->with.deliveries;
}

struct watches *collector_watches(struct collector *c)
{
	return c->watches;
}

bool collector_watched(const struct collector *c, const char *connection, struct collector_watch *watch)
{
	return c->watches && watches_show(c->watches, connection, watch);
}

void collector_unwatch(struct collector *c, const char *connection)
{
	if (c->watches)
		watches_end(c->watches, connection);
}

void collector_watch_only(struct collector *c, const struct settings *settings)
{
	if (c->watches)
		watches_settle(c->watches, settings);
}

struct deliver_target *collector_target(struct collector *c, const struct target *t, struct err *e)
{
	struct kept_target *kept = c->targets;

	while (kept && kept->of != t)
		kept = kept->next;
	if (kept)
		return deliver_target_keep(kept->target);
	kept = calloc(1, sizeof *kept);
	if (!kept) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	*kept = (struct kept_target){ c->targets, t, deliver_target_new(t, e) };
	if (!kept->target) {
		free(kept);
		return NULL;
	}
	c->targets = kept;
	return deliver_target_keep(kept->target);
}

static void forget_targets(struct collector *c)
{
	while (c->targets) {
		struct kept_target *kept = c->targets;

		c->targets = kept->next;
		deliver_target_put(&kept->target);
		free(kept);
	}
}

void collector_dirty(struct collector *c, struct visit *v)
{
	if (v->dirty)
		return;
	v->dirty = true;
	v->next_dirty = c->dirty;
	c->dirty = v;
	wake_send(c->wake);
}

static bool same_host(const struct visit *a, const struct visit *b)
{
	return a->with->host && b->with->host && strcasecmp(a->with->host, b->with->host) == 0;
}

/* What has left its server may still wait for targets. */
static bool at_host(const struct visit *v)
{
	return v->what != VISIT_RETRY && v->phase != VISIT_WAITING && v->phase < VISIT_CLOSED;
}

static bool host_has_room(const struct collector *c, const struct visit *wanting)
{
	size_t busy = 0, slow = 0;

	for (size_t n = 0; n < c->count; n++) {
		const struct visit *v = c->visits[n];

		if (!v || !at_host(v) || !same_host(v, wanting))
			continue;
		busy += !v->slow;
		slow += v->slow;
	}
	return !c->with.max_per_host || (busy < c->with.max_per_host && busy + slow < schedule_places(c->with.max_per_host));
}

void collector_left_host(struct collector *c, const struct visit *ended)
{
	struct visit *oldest = NULL;

	for (size_t n = 0; n < c->count; n++) {
		struct visit *v = c->visits[n];

		if (v && v->phase == VISIT_WAITING && same_host(v, ended) && (!oldest || v->id < oldest->id))
			oldest = v;
	}
	if (oldest && host_has_room(c, oldest))
		visit_start(oldest);
}

/* A place at the host is for whom the server talks to: who waits for it, or takes long, keeps no other out. */
static void look_at_place(struct collector *c, struct visit *v)
{
	uint64_t now = loop_now_ms(c->with.loop);

	if (v->slow || !at_host(v) || !visit_slow(v, now))
		return;
	v->slow = true;
	collector_left_host(c, v);
	if (c->with.slow && v->what != VISIT_TEST)
		c->with.slow(c->with.user, v->with);
}

static void add_progress(const struct visit *v, struct collect_progress *p)
{
	if (v->phase < VISIT_FETCHING && !v->taken)
		return;
	p->planned += v->taken + v->plan_count;
	p->planned_octets += v->taken_octets + v->planned_octets;
	p->collected += v->result.collected;
	p->octets += v->result.octets;
}

static struct visit_result so_far(const struct visit *v)
{
	struct visit_result result = v->result;
	struct collect_progress p = { 0 };

	add_progress(v, &p);
	result.planned = p.planned;
	result.planned_octets = p.planned_octets;
	return result;
}

static void end_visit(struct collector *c, struct visit *v)
{
	const struct connection *with = v->with;
	struct visit_result result = so_far(v);
	uint64_t id = v->id;

	add_progress(v, &c->over);
	c->visits[v->index] = NULL;
	assert(c->left);
	if (--c->left)
		collector_left_host(c, v);
	else
		timer_stop(c->alive);
	visit_free(&v);
	c->with.ended(c->with.user, id, with, &result);
}

void collector_ended(struct collector *c, struct visit *v)
{
	v->phase = VISIT_ENDED;
	collector_dirty(c, v);
}

/* A message that is staged piece by piece takes more again without any answer
 * of its own: whoever waits for room looks after every wake. */
static void wake_throttled(struct collector *c)
{
	for (size_t n = 0; (c->throttled || c->feeding) && n < c->count; n++)
		if (c->visits[n] && (c->visits[n]->throttled || c->visits[n]->feeding))
			collector_dirty(c, c->visits[n]);
	c->feeding = false;
}

void collector_throttle(struct collector *c, struct visit *v, bool on)
{
	c->throttled += (size_t)on - (size_t)v->throttled;
	v->throttled = on;
}

void collector_feed(struct collector *c, struct visit *v)
{
	c->feeding = v->feeding = true;
}

void collector_again(struct collector *c)
{
	wake_send(c->wake);
}

void collector_answered(struct collector *c, const struct store_done *done)
{
	size_t slot = (size_t)(done->ticket >> (SLOT_BITS + KIND_BITS));
	struct visit *v = slot < c->count ? c->visits[slot] : NULL;

	assert(v);		/* none ends before its answers are there */
	visit_answer(v, (uint32_t)(done->ticket >> KIND_BITS) & ((1u << SLOT_BITS) - 1),
		(enum ticket_kind)(done->ticket & 0xff), done->good ? NULL : &done->why);
	collector_dirty(c, v);
}

/* Every visit that something happened to. */
void collector_turn(struct collector *c)
{
	wake_throttled(c);
	while (c->dirty) {
		struct visit *v = c->dirty;

		c->dirty = v->next_dirty;
		v->dirty = false;
		if (v->phase == VISIT_ENDED) {
			end_visit(c, v);
			continue;
		}
		if (v->feeding)
			delivery_turn(v);
		visit_move(v);
	}
}

static void on_wake(void *user)
{
	struct collector *c = user;
	struct store_done d;

	while (c->with.store && !c->with.shared && store_next(c->with.store, &d))
		collector_answered(c, &d);
	collector_turn(c);
}

static void on_alive(void *user)
{
	struct collector *c = user;

	for (size_t n = 0; n < c->count; n++)
		if (c->visits[n])
			handed_look(c->visits[n]);
	for (size_t n = 0; n < c->count; n++)
		if (c->visits[n])
			look_at_place(c, c->visits[n]);
}

static void on_store(void *user)
{
	struct collector *c = user;

	wake_send(c->wake);
}

uint64_t visit_ticket(struct visit *v, uint32_t slot, enum ticket_kind kind)
{
	assert(slot < 1u << SLOT_BITS);
	v->waiting++;
	return (uint64_t)v->index << (SLOT_BITS + KIND_BITS) | (uint64_t)slot << KIND_BITS | (uint64_t)kind;
}

bool collector_new(const struct collector_with *with, struct collector **out, struct err *e)
{
	struct collector *c = calloc(1, sizeof *c);

	if (!c)
		return err_set(e, ERR_LOCAL, "out of memory");
	c->with = *with;
	c->wake = wake_new(with->loop, on_wake, c, e);
	c->alive = timer_new(with->loop, on_alive, c);
	c->watches = with->news ? watches_new(with->loop, with->news, with->user) : NULL;
	if (!c->wake || !c->alive || (with->news && !c->watches)) {
		wake_free(&c->wake);
		timer_free(&c->alive);
		watches_free(&c->watches);
		free(c);
		return err_set(e, ERR_LOCAL, "out of memory");
	}
	if (with->store && !with->shared)
		store_on_wake(with->store, on_store, c);
	*out = c;
	return true;
}

/* A slot that is free; its old visit's answers are all there, else it would not be. */
static size_t take_slot(struct collector *c)
{
	size_t slot = 0;

	while (c->left < c->count && c->visits[slot])
		slot++;
	if (c->left < c->count)
		return slot;
	if (c->count == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 16;
		c->visits = reallocarray(c->visits, c->cap, sizeof *c->visits);
	}
	assert(c->visits && c->count < VISITS_MAX);
	return c->count++;
}

uint64_t collector_add(struct collector *c, const struct connection *connection, enum visit_what what)
{
	size_t slot = take_slot(c);
	uint64_t id = ++c->added << VISIT_BITS | slot;	/* grows, and says where it is */
	struct visit *v = visit_new(c, (uint32_t)slot, id, connection, what);

	assert(v && (c->with.store || what == VISIT_TEST));
	c->visits[slot] = v;
	if (!c->left++)
		timer_set(c->alive, ALIVE_MS, ALIVE_MS);
	if (what == VISIT_RETRY || host_has_room(c, v))
		visit_start(v);
	return id;
}

void collector_change(struct collector *c, struct tls_contexts *contexts, uint32_t max_per_host)
{
	forget_targets(c);
	c->with.contexts = contexts;
	c->with.max_per_host = max_per_host;
	for (size_t n = 0; n < c->count; n++)
		if (c->visits[n] && c->visits[n]->phase == VISIT_WAITING && host_has_room(c, c->visits[n]))
			visit_start(c->visits[n]);
}

static struct visit *find(const struct collector *c, uint64_t id)
{
	size_t slot = (size_t)(id & (VISITS_MAX - 1));
	struct visit *v = slot < c->count ? c->visits[slot] : NULL;

	return v && v->id == id ? v : NULL;
}

void collector_only(struct collector *c, uint64_t id, const char *mailbox)
{
	struct visit *v = find(c, id);

	assert(v && v->what == VISIT_BASELINE && !v->only);
	if (!(v->only = strdup(mailbox)))
		abort();	/* as of any small thing of the store's: nobody could be told */
}

bool collector_show(const struct collector *c, uint64_t id, struct collector_visit *shown)
{
	const struct visit *v = find(c, id);

	if (v)
		*shown = (struct collector_visit){ v->phase == VISIT_WAITING, phase_names[v->phase], so_far(v) };
	return v;
}

void collector_stop_one(struct collector *c, uint64_t id)
{
	struct visit *v = find(c, id);

	if (v)
		visit_stop(v);
}

void collector_distrust(struct collector *c)
{
	for (size_t n = 0; n < c->count; n++)
		if (c->visits[n])
			offered_look(c->visits[n]);
	if (c->watches)
		watches_distrust(c->watches);
}

void collector_stop(struct collector *c)
{
	collector_unwatch(c, NULL);
	for (size_t n = 0; n < c->count; n++)
		if (c->visits[n])
			visit_stop(c->visits[n]);
}

void collector_drop(struct collector *c)
{
	for (size_t n = 0; n < c->count; n++)
		if (c->visits[n])
			visit_drop(c->visits[n]);
	if (c->with.deliveries)
		deliveries_hurry(c->with.deliveries);
}

size_t collector_left(const struct collector *c)
{
	return c->left;
}

void collector_progress(const struct collector *c, struct collect_progress *p)
{
	*p = c->over;
	p->visits = (uint32_t)c->added;
	p->ended = (uint32_t)(c->added - c->left);
	for (size_t n = 0; n < c->count; n++)
		if (c->visits[n])
			add_progress(c->visits[n], p);
}

void collector_free(struct collector **out)
{
	struct collector *c = *out;

	if (!c)
		return;
	assert(!c->left);
	if (c->with.store && !c->with.shared)
		store_on_wake(c->with.store, NULL, NULL);
	wake_free(&c->wake);
	timer_free(&c->alive);
	watches_free(&c->watches);
	forget_targets(c);
	free(c->visits);
	free(c);
	*out = NULL;
}
