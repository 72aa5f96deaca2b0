/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"

static const struct deliver_ops *const types[] = { &deliver_to_mailbox, &deliver_to_maildir, &deliver_to_folder, &deliver_to_command,
	&deliver_to_smtp, &deliver_to_lmtp };

static const struct deliver_ops *ops_of(enum target_type type)
{
	for (size_t n = 0; n < COUNT(types); n++)
		if (types[n]->type == type)
			return types[n];
	return NULL;
}

/* ---- targets */

bool deliver_serves(const struct target *t)
{
	return ops_of(t->type) && (t->host || (t->type != TARGET_LMTP && t->type != TARGET_SMTP));
}

static const char *copy(struct arena *a, const char *text)
{
	return text ? arena_text(a, span_of(text)) : NULL;
}

struct deliver_target *deliver_target_new(const struct target *target, struct err *e)
{
	struct deliver_target *t = calloc(1, sizeof *t);
	const char **argv;

	assert(deliver_serves(target));
	if (!t) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	atomic_init(&t->holders, 1);
	t->ops = ops_of(target->type);
	t->name = copy(&t->arena, target->name);
	t->canonical = copy(&t->arena, target->canonical);
	t->mailbox = copy(&t->arena, target->mailbox);
	t->path = copy(&t->arena, target->path);
	argv = arena_take(&t->arena, (target->argv.count + 1) * sizeof *argv);
	for (size_t n = 0; n < target->argv.count; n++)
		argv[n] = copy(&t->arena, target->argv.at[n]);
	t->argv = argv;
	t->prefix = copy(&t->arena, target->prefix);
	t->template = copy(&t->arena, target->template);
	t->split = target->split;
	if (target->host)
		t->server = deliver_server_of(&t->arena, target);
	if (target->has_smime && !smime_keys_new(&target->smime, &t->smime, e)) {
		(void)err_in(e, "target %s: smime", target->name);
		deliver_target_put(&t);
		return NULL;
	}
	t->timeout_ms = target->timeout_ms;
	t->parallel = target->parallel ? target->parallel : 1;
	return t;
}

struct deliver_target *deliver_target_keep(struct deliver_target *t)
{
	(void)atomic_fetch_add_explicit(&t->holders, 1, memory_order_relaxed);
	return t;
}

void deliver_target_put(struct deliver_target **target)
{
	struct deliver_target *t = *target;

	*target = NULL;
	if (!t || atomic_fetch_sub_explicit(&t->holders, 1, memory_order_acq_rel) != 1)
		return;
	smime_keys_free(&t->smime);
	if (t->server)
		deliver_server_wipe(t->server);
	arena_end(&t->arena);
	free(t);
}

const char *deliver_target_name(const struct deliver_target *t)
{
	return t->name;
}

bool deliver_target_final(const struct deliver_target *t)
{
	return t->ops->final;
}

bool deliver_target_queues(const struct deliver_target *t)
{
	return t->ops->at_once;
}

/* ---- deliveries */

void delivery_end(struct delivery *d, enum deliver_said said, const char *why)
{
	assert(!d->ended);
	if (!(d->ask.holds && d->begun && said == DELIVER_ACCEPTED))
		line_leave(d);		/* else it keeps its place */
	queue_leave(d);
	d->ended = true;
	d->all->ended_count++;
	d->said = said;
	(void)snprintf(d->why, sizeof d->why, "%s", why ? why : "");
	text_clean(d->why, strlen(d->why));
	queue_put(&d->all->ended, d);
	wake_send(d->all->wake);
}

void delivery_down(struct delivery *d, const char *why)
{
	d->down = true;
	delivery_end(d, DELIVER_DEFERRED, why);
}

void delivery_failed(struct delivery *d, const struct err *e)
{
	delivery_end(d, e->kind == ERR_CONFIG ? DELIVER_REFUSED : DELIVER_DEFERRED, e->text);
}

bool deliver_open(struct delivery *d, struct err *e)
{
	const struct smime_keys *keys = d->target->smime;

	if (!keys)
		return true;
	if (!smime_open(d->ask.message, keys, store_state(d->all->with.store), &d->opened, &d->smime, e))
		return false;
	if (d->opened)
		d->ask.message = d->opened;
	return true;
}

static void begin(struct delivery *d)
{
	d->begun = true;
	if (d->target->ops->turn)
		queue_put(&d->all->fed, d);
	d->target->ops->begin(d);
}

static void begin_all(struct deliveries *all)
{
	for (struct delivery *d; (d = line_begins(all));)
		begin(d);
}

static void drop(struct delivery *d)
{
	struct deliveries *all = d->all;

	line_leave(d);
	queue_leave(d);
	found_drop(d);
	all->ended_count -= d->ended;
	*d->at = d->next;
	if (d->next)
		d->next->at = d->at;
	else
		all->last = d->at;
	all->count--;
	if (d->target->ops->abandon)
		d->target->ops->abandon(d);
	deliver_target_put(&d->target);
	spool_free(&d->opened);
	free(d->place);
	free(d->each);
	free(d);
}

static void tell(struct delivery *d)
{
	struct deliver_ask ask = d->ask;
	char why[sizeof d->why], told[sizeof d->told];
	struct deliver_each *each = d->each;
	const struct deliver_result result = { .said = d->said, .why = why, .told = told, .each = each,
		.hung = d->hung, .answered = d->answered, .down = d->down };

	memcpy(why, d->why, sizeof why);
	memcpy(told, d->told, sizeof told);
	d->each = NULL;
	if (ask.holds)
		unreleased_put(d);
	drop(d);
	ask.done(ask.user, &result);
	free(each);
}

/* `done` may ask for more, or end others: so each look is a new one, and what ends meanwhile has the next turn. */
static void on_wake(void *user)
{
	struct deliveries *all = user;

	for (size_t n = all->ended_count; n && all->ended.first; n--)
		tell(all->ended.first);
	begin_all(all);
	deliveries_turn(all);
	wake_hold(all->wake, all->count > 0);
}

void deliver(struct deliveries *all, const struct deliver_ask *ask)
{
	struct delivery *d = calloc(1, sizeof *d);

	if (!d)
		abort();	/* as of any small thing of the store's: nobody could be told */
	assert(!ask->holds || ask->user);
	assert(ask->fact_count <= DELIVER_FACTS && ask->target && ask->message && ask->sender && ask->done);
	*d = (struct delivery){ .all = all, .at = all->last, .ask = *ask, .target = deliver_target_keep(ask->target) };
	*all->last = d;
	all->last = &d->next;
	all->count++;
	found_put(d);
	wake_hold(all->wake, true);
	if (!d->target->ops->at_once) {
		begin(d);
		return;
	}
	line_join(d);
	begin_all(all);
}

void deliver_release(struct deliveries *all, const void *user)
{
	struct deliver_target *t;

	if (!unreleased_take(all, user, &t))
		return;
	if (t->ops->release)
		t->ops->release(all, t, user);
	if (t->ops->at_once)
		wake_send(all->wake);	/* whoever waits for that place begins there */
	deliver_target_put(&t);
}

bool deliver_unless_begun(struct deliveries *all, const void *user, const char *why)
{
	struct delivery *d = found_by_user(all, user);

	if (d && d->begun && !(d->target->ops->unsend && d->target->ops->unsend(d)))
		return false;
	if (d)
		delivery_end(d, DELIVER_DEFERRED, why);
	return true;
}

void deliver_settled(struct deliveries *all, const struct deliver_target *target, const struct mailbox_source *source)
{
	struct mailbox *box;
	struct err e;

	if (target->ops == &deliver_to_mailbox && mailbox_open(all->with.store, target->mailbox, false, &box, &e))	/* not of one in a Maildir */
		mailbox_unmark(box, source);
}

void deliveries_answered(struct deliveries *all, const struct store_done *done)
{
	struct delivery *d = found_by_ticket(all, done->ticket);

	if (!d || d->ended)
		return;
	if (done->good)
		delivery_end(d, DELIVER_ACCEPTED, NULL);
	else
		delivery_failed(d, &done->why);
}

void deliveries_turn(struct deliveries *all)
{
	for (struct delivery *d = all->fed.first, *next; d; d = next) {
		next = d->queue_next;
		d->target->ops->turn(d);
	}
}

size_t deliveries_waiting(const struct deliveries *all)
{
	return all->count;
}

void deliveries_hurry(struct deliveries *all)
{
	for (struct delivery *d = all->first; d; d = d->next) {
		if (!d->begun && !d->ended)
			delivery_down(d, "it was not tried: the service ends");
		else if (!d->ended && d->target->ops->hurry)
			d->target->ops->hurry(d);
	}
}

void deliveries_distrust(struct deliveries *all)
{
	deliver_servers_distrust(all);
}

void deliveries_rest(struct deliveries *all)
{
	deliver_servers_rest(all);
}

static void name_host(char host[DELIVER_HOST_MAX + 1])
{
	if (gethostname(host, DELIVER_HOST_MAX) != 0)
		host[0] = '\0';
	host[DELIVER_HOST_MAX] = '\0';
	for (const char *c = host; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *c))
			host[0] = '\0';
	if (!host[0])
		(void)snprintf(host, DELIVER_HOST_MAX + 1, "localhost");
}

const char *deliver_host(const struct deliveries *all)
{
	return all->host;
}

struct deliveries *deliveries_new(const struct deliveries_with *with, struct err *e)
{
	struct deliveries *all = calloc(1, sizeof *all);

	if (!all) {
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	all->with = *with;
	all->last = &all->first;
	name_host(all->host);
	all->tasks = tasks_new(with->loop, e);
	if (all->tasks)
		all->wake = wake_new(with->loop, on_wake, all, e);
	if (!all->wake)
		deliveries_free(&all);
	return all;
}

void deliveries_free(struct deliveries **deliveries)
{
	struct deliveries *all = *deliveries;

	*deliveries = NULL;
	if (!all)
		return;
	deliver_servers_stop(all);
	tasks_free(&all->tasks);
	deliver_servers_free(all);
	while (all->first)
		drop(all->first);
	unreleased_free(all);
	(void)line_begins(all);		/* none is left: lines without any go */
	wake_free(&all->wake);
	deliver_sweep_free(all);
	free(all);
}
