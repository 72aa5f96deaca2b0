/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ask.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control/ask_inside.h"
#include "control/json.h"
#include "control/request.h"
#include "store/holder.h"
#include "store/place.h"

enum { RETRY_MS = 50, FIRST_ROOM = 64 * 1024, FILE_TIMEOUT_MS = 24 * 3600 * 1000 };

/* Finding the other side */

static char *joined(const char *state, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", state, name) > 0 ? path : NULL;
}

enum held { HELD_BY_RUN, HELD_BY_OTHER, HELD_UNKNOWN };

/* Unknown: it is just taking or dropping the lock. */
static enum held held_by(const char *state)
{
	char what[HOLDER_WHAT], *path = joined(state, "run.lock");
	bool known = path && holder_what(path, what);

	free(path);
	return !known ? HELD_UNKNOWN : strcmp(what, "postrider run") == 0 ? HELD_BY_RUN : HELD_BY_OTHER;
}

enum found { FOUND, FOUND_NOT, FOUND_NOT_YET };

/* NOT_YET: `run` has the store, and nobody listens: it may be starting, or ending; or who has it cannot be told yet. */
static enum found find(struct ask *a, const struct ask_with *with, struct err *e)
{
	struct err why;
	bool gone;

	if (store_open(with->state, with->store_map, with->what, &a->store, e)) {
		store_maildirs(a->store, with->maildirs);
		a->api = api_new(&(struct api_with){ .store = a->store, .main_domain = with->main_domain }, e);
		return a->api ? FOUND : FOUND_NOT;
	}
	if (e->kind != ERR_BUSY)
		return FOUND_NOT;
	switch (held_by(with->state)) {
	case HELD_UNKNOWN:
		return FOUND_NOT_YET;
	case HELD_BY_OTHER:
		return FOUND_NOT;
	case HELD_BY_RUN:
		break;
	}
	a->socket = local_connect(a->path, ASK_TIMEOUT_MS, &gone, &why);
	if (a->socket)
		return FOUND;
	(void)err_set(e, ERR_BUSY, "%s, but its control socket does not answer: %s", e->text, why.text);
	return gone ? FOUND_NOT_YET : FOUND_NOT;
}

static struct ask *ask_new(const struct ask_with *with, struct err *e)
{
	struct ask *a = calloc(1, sizeof *a);

	json_wiping();
	if (a) {
		a->path = joined(with->state, "control");
		a->state = strdup(with->state);
	}
	if (a && a->path && a->state)
		return a;
	(void)err_set(e, ERR_LOCAL, "out of memory");
	ask_close(&a);
	return NULL;
}

bool ask_running(const struct ask_with *with, struct ask **out)
{
	struct ask *a = *out = NULL;
	struct err e;
	bool gone;

	if (held_by(with->state) != HELD_BY_RUN)
		return false;
	a = ask_new(with, &e);
	if (a)
		a->socket = local_connect(a->path, ASK_TIMEOUT_MS, &gone, &e);
	if (a && a->socket)
		*out = a;
	else
		ask_close(&a);
	return *out;
}

bool ask_open(const struct ask_with *with, struct ask **out, struct err *e)
{
	uint64_t start = clock_mono_ms();
	struct ask *a = ask_new(with, e);
	enum found found = FOUND_NOT;

	if (a)
		while ((found = find(a, with, e)) == FOUND_NOT_YET && clock_mono_ms() - start < ASK_PATIENCE_MS)
			(void)poll(NULL, 0, RETRY_MS);
	*out = a;
	if (found == FOUND)
		return true;
	ask_close(out);
	return false;
}

void ask_close(struct ask **out)
{
	struct ask *a = *out;

	if (!a)
		return;
	*out = NULL;
	api_free(&a->api);
	store_close(&a->store);
	local_leave(&a->socket);
	free(a->path);
	free(a->state);
	free(a);
}

struct store *ask_store(const struct ask *a)
{
	return a->store;
}

/* Through the socket */

/* Whoever was sent away was told why. */
static bool last_words(struct ask *a, struct err *e)
{
	struct err said;
	struct span line;
	uint64_t octets;
	json_t *reply;

	if (!local_hear(a->socket, REQUEST_MAX, &line, &said))
		return err_in(e, "%s", a->path);
	if (reply_read(line, &reply, &octets, &said))
		json_decref(reply);
	else
		*e = said;
	return false;
}

bool ask_send(struct ask *a, const char *op, json_t *args, uint64_t octets, int fd, struct err *e)
{
	struct buf line;
	bool good;

	buf_start(&line, REQUEST_MAX + 64);
	good = buf_room(&line, FIRST_ROOM) || err_set(e, ERR_LOCAL, "out of memory");	/* growing would leave copies of a password */
	good = good && request_write(&line, op, args, octets, e) && (local_tell(a->socket, buf_span(&line), fd, e) || last_words(a, e));
	buf_wipe(&line);
	json_decref(args);
	return good;
}

bool ask_receive(struct ask *a, json_t **reply, uint64_t *octets, struct err *e)
{
	struct span line;

	if (!local_hear(a->socket, REQUEST_MAX, &line, e))
		return err_in(e, "%s", a->path);
	return reply_read(line, reply, octets, e);
}

static bool call_socket(struct ask *a, const char *op, json_t *args, int fd, json_t **reply, struct err *e)
{
	uint64_t octets = 0;

	if (fd >= 0)
		local_patience(a->socket, FILE_TIMEOUT_MS);
	if (!ask_send(a, op, args, 0, fd, e) || !ask_receive(a, reply, &octets, e))
		return false;
	if (!octets)
		return true;
	json_decref(*reply);
	return err_set(e, ERR_PEER, "%s: octets came that nobody asked for", a->path);
}

/* Here */

static void nothing(void *user, struct api_call *c)
{
	(void)user;
	(void)c;
}

struct api_call *ask_here(struct ask *a, const char *op, json_t *args, int fd)
{
	struct api_asker who = { .answered = nothing, .fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0) };
	struct api_call *c = api_ask(a->api, op, args, &who);
	struct store_done d;

	while (!api_done(c) && store_wait(a->store))
		while (store_next(a->store, &d))
			if (api_owns(d.ticket))
				api_answered(a->api, &d);
	json_decref(args);
	return c;
}

static bool call_here(struct ask *a, const char *op, json_t *args, int fd, json_t **reply, struct err *e)
{
	struct api_call *c = ask_here(a, op, args, fd);
	const struct err *why = api_error(c);

	if (why)
		*e = *why;
	else
		*reply = json_incref((json_t *)(uintptr_t)api_reply(c));
	api_end(&c);
	return !why;
}

bool ask_call_with(struct ask *a, const char *op, json_t *args, int fd, json_t **reply, struct err *e)
{
	return a->api ? call_here(a, op, args, fd, reply, e) : call_socket(a, op, args, fd, reply, e);
}

bool ask_call(struct ask *a, const char *op, json_t *args, json_t **reply, struct err *e)
{
	return ask_call_with(a, op, args, -1, reply, e);
}

bool ask_rows(struct ask *a, const char *op, json_t *args, bool (*each)(void *user, json_t *row), void *user, struct err *e)
{
	bool more = true, good = true;

	while (good && more) {
		json_t *reply, *row, *next;
		size_t n;

		good = ask_call(a, op, args ? json_copy(args) : NULL, &reply, e);
		if (!good)
			break;
		json_array_foreach(json_object_get(reply, "rows"), n, row)
			if (more && !each(user, row))
				more = false;
		next = json_object_get(reply, "next");
		more = more && next;
		if (more && !args)
			args = json_object();
		if (more && json_object_set(args, "after", next) != 0)
			good = err_set(e, ERR_LOCAL, "out of memory");
		json_decref(reply);
	}
	json_decref(args);
	return good;
}
