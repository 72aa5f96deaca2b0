/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/device_logins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/issuer.h"
#include "deliver/password.h"
#include "wire/oauth.h"

struct one {
	uint64_t id;			/* 0: the place is free */
	enum device_logins_state state;
	char connection[SETTINGS_NAME_MAX * 4 + 1];
	char uri[OAUTH_URI_MAX + 1], code[OAUTH_CODE_MAX + 1], complete[OAUTH_URI_MAX + 1];
	uint32_t lasts_s;
	uint64_t asked_ms;		/* after it, the last time */
	struct device_login *device;
	struct buf refresh;
	struct err why;
};

struct device_logins {
	struct loop *loop;
	struct store *store;
	uint64_t last;
	struct one all[DEVICE_LOGINS_MAX];
};

struct device_logins *device_logins_new(struct loop *loop, struct store *store)
{
	struct device_logins *l = calloc(1, sizeof *l);

	if (l)
		*l = (struct device_logins){ .loop = loop, .store = store };
	return l;
}

static void leave(struct one *o)
{
	device_login_free(&o->device);
	buf_wipe(&o->refresh);
	*o = (struct one){ 0 };
}

static struct one *find(struct device_logins *l, uint64_t id)
{
	struct one *o = l->all;

	while (o < l->all + DEVICE_LOGINS_MAX && o->id != id)
		o++;
	return id && o < l->all + DEVICE_LOGINS_MAX ? o : NULL;
}

static void show(void *user, const struct device_shown *what)
{
	struct one *o = user;

	o->state = DEVICE_LOGINS_WAITING;
	o->lasts_s = what->lasts_s;
	(void)snprintf(o->uri, sizeof o->uri, "%s", what->uri);
	(void)snprintf(o->code, sizeof o->code, "%s", what->code);
	(void)snprintf(o->complete, sizeof o->complete, "%s", what->complete ? what->complete : "");
}

static void done(void *user, struct span refresh, const struct err *why)
{
	struct one *o = user;

	o->state = DEVICE_LOGINS_ENDED;
	if (why)
		o->why = *why;
	else if (!buf_room(&o->refresh, refresh.len + 1) || !buf_add(&o->refresh, refresh))
		(void)err_set(&o->why, ERR_LOCAL, "out of memory");
}

static bool is_left(const struct one *o, uint64_t now_ms)
{
	return now_ms - o->asked_ms >= DEVICE_LOGINS_LEFT_MS;
}

/* That of the same connection, else a free place, else one that nobody asks after. */
static struct one *place(struct device_logins *l, const char *connection)
{
	uint64_t now = loop_now_ms(l->loop);
	struct one *best = NULL;

	for (struct one *o = l->all; o < l->all + DEVICE_LOGINS_MAX; o++) {
		if (o->id && strcmp(o->connection, connection) == 0)
			return o;
		if (!o->id ? !best || best->id : is_left(o, now) && !best)
			best = o;
	}
	return best;
}

static bool begin(struct device_logins *l, struct one *o, const struct oauth_keys *oauth, struct err *e)
{
	struct device_login_with with = { .loop = l->loop, .oauth = oauth, .show = show, .done = done, .user = o };
	struct buf secret;
	bool good = true;

	buf_start(&secret, ISSUER_SECRET_MAX);
	if (oauth->client_secret.kind == SECRET_COMMAND)
		good = err_set(e, ERR_CONFIG, "oauth: client_secret is what a command prints; that is not run for a login");
	else if (oauth->client_secret.kind != SECRET_NONE)
		good = password_read(&oauth->client_secret, l->store, NULL, &secret, e) || err_in(e, "oauth: client_secret");
	with.secret = buf_span(&secret);
	o->device = good ? device_login_new(&with, e) : NULL;
	buf_wipe(&secret);
	return o->device;
}

bool device_logins_start(struct device_logins *l, const struct connection *with, uint64_t *id, struct err *e)
{
	struct one *o;

	if (!with->has_oauth || with->oauth.flow != OAUTH_DEVICE)
		return err_set(e, ERR_CONFIG, "connection %s, as the running instance has it, does not log in by a device code", with->name);
	o = place(l, with->name);
	if (!o)
		return err_set(e, ERR_BUSY, "%d logins by a device code wait for somebody already", DEVICE_LOGINS_MAX);
	leave(o);
	(void)snprintf(o->connection, sizeof o->connection, "%s", with->name);
	buf_start(&o->refresh, OAUTH_TOKEN_MAX + 2);
	if (!begin(l, o, &with->oauth, e)) {
		leave(o);
		return false;
	}
	o->asked_ms = loop_now_ms(l->loop);
	*id = o->id = ++l->last;
	return true;
}

bool device_logins_show(struct device_logins *l, uint64_t id, struct device_logins_shown *shown)
{
	struct one *o = find(l, id);

	if (!o)
		return false;
	o->asked_ms = loop_now_ms(l->loop);
	*shown = (struct device_logins_shown){ .state = o->state, .connection = o->connection, .uri = o->uri, .code = o->code,
		.complete = *o->complete ? o->complete : NULL, .lasts_s = o->lasts_s, .refresh = buf_span(&o->refresh), .why = &o->why };
	return true;
}

void device_logins_stop(struct device_logins *l, uint64_t id)
{
	struct one *o = find(l, id);

	if (o)
		leave(o);
}

void device_logins_free(struct device_logins **out)
{
	struct device_logins *l = *out;

	if (!l)
		return;
	for (struct one *o = l->all; o < l->all + DEVICE_LOGINS_MAX; o++)
		if (o->id)
			leave(o);
	free(l);
	*out = NULL;
}
