/* SPDX-License-Identifier: Apache-2.0 */
#include "control/test_instance.h"

#include <assert.h>

#include "store/account.h"

#define MAP ((uint64_t)1 << 32)

static bool reload(void *user, struct err *e)
{
	struct instance *i = user;

	(void)e;
	i->reloads++;
	return true;
}

static void status(void *user, struct hooks_status *s)
{
	(void)user;
	s->started = 1000;
	s->services[s->service_count++] = (struct hooks_service){ .name = "pop3", .state = HOOKS_RUNNING, .since = 1000 };
}

static void drain(void *user)
{
	struct instance *i = user;
	struct store_done d;

	if (i->deaf)
		return;
	while (store_next(i->store, &d))
		if (api_owns(d.ticket))
			api_answered(i->api, &d);
	control_server_turn(i->server);
}

/* From the committer's thread. */
static void on_wake(void *user)
{
	struct instance *i = user;

	wake_send(i->drain);
}

static void stop(void *user)
{
	struct instance *i = user;

	control_server_free(&i->server);
}

static void *run(void *user)
{
	struct instance *i = user;
	const struct api_hooks hooks = { .user = i, .reload = reload, .status = status };
	struct err e;

	i->loop = loop_new(&e);
	assert(i->loop);
	i->stop = wake_new(i->loop, stop, i, &e);
	i->drain = wake_new(i->loop, drain, i, &e);
	assert(i->stop && i->drain);
	if (!store_open(i->state, MAP, "postrider run", &i->store, &e))
		assert(!e.text[0]);
	assert(account_there(i->store, "anna") || account_add(i->store, "anna", SPAN(""), 0, &e));
	store_on_wake(i->store, on_wake, i);
	i->api = api_new(&(struct api_with){ .store = i->store, .hooks = &hooks }, &e);
	assert(i->api);
	i->server = control_server_new(i->loop, i->api, i->state, &e);
	assert(i->server);
	(void)pthread_barrier_wait(&i->begun);
	loop_run(i->loop);
	assert(!i->server);
	api_free(&i->api);
	store_on_wake(i->store, NULL, NULL);
	store_close(&i->store);
	wake_free(&i->stop);
	wake_free(&i->drain);
	loop_free(&i->loop);
	return NULL;
}

void instance_start(struct instance *i, const char *state)
{
	*i = (struct instance){ .state = state };
	assert(pthread_barrier_init(&i->begun, NULL, 2) == 0);
	assert(pthread_create(&i->thread, NULL, run, i) == 0);
	(void)pthread_barrier_wait(&i->begun);
}

void instance_hear(struct instance *i)
{
	i->deaf = false;
	wake_send(i->drain);
}

void instance_stop(struct instance *i)
{
	wake_send(i->stop);
	(void)pthread_join(i->thread, NULL);
	(void)pthread_barrier_destroy(&i->begun);
}
