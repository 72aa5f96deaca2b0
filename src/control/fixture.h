/* SPDX-License-Identifier: Apache-2.0
 *
 * For this room's tests: an API over a store of its own, asked in texts.
 *
 *     w = world(hooks) … asks(w, "account.show", "{\"account\":\"anna\"}", "…") … world_end(&w)
 * An answer is one line of JSON, an error "KIND: text".  `asks` compares with a
 * pattern in which "*" is any text; what does not fit ends the test. */
#pragma once

#include "store/fixture.h"

#include <fnmatch.h>

#include "control/api.h"
#include "control/json.h"

struct world {
	const char *directory;
	struct store *store;
	struct api *api;
	size_t answered;
};

[[maybe_unused]] static struct world *world(const struct api_hooks *hooks)
{
	static struct world w;

	w = (struct world){ .directory = fixture_directory() };
	w.store = fixture_store(w.directory);
	w.api = api_new(&(struct api_with){ .store = w.store, .main_domain = "main.example", .hooks = hooks }, &fixture_err);
	assert_non_null(w.api);
	return &w;
}

[[maybe_unused]] static void world_end(struct world *w)
{
	api_free(&w->api);
	store_close(&w->store);
	fixture_remove(w->directory);
}

static inline void world_answered(void *user, struct api_call *c)
{
	struct world *w = user;

	assert_true(api_done(c));
	w->answered++;
}

/* Answers out of the store, until the call is done. */
[[maybe_unused]] static void world_settle(struct world *w, struct api_call *c)
{
	struct store_done d;

	while (!api_done(c) && store_wait(w->store))
		while (store_next(w->store, &d))
			if (api_owns(d.ticket))
				api_answered(w->api, &d);
	assert_true(api_done(c));
}

[[maybe_unused]] static struct api_call *world_ask(struct world *w, const char *op, const char *args, uint64_t octets)
{
	json_t *object = args ? json_loads(args, JSON_REJECT_DUPLICATES, NULL) : NULL;
	struct api_call *c;

	assert_true(!args || object);
	c = api_ask(w->api, op, object, &(struct api_asker){ .answered = world_answered, .user = w, .octets = octets, .fd = -1 });
	json_decref(object);
	return c;
}

/* The answer as text, for the test to free. */
[[maybe_unused]] static char *world_says(struct api_call *c)
{
	const struct err *why = api_error(c);
	char *text = NULL;

	if (!why)
		return json_dumps(api_reply(c), JSON_COMPACT);
	assert_true(asprintf(&text, "%s: %s", err_kind_name(why->kind), why->text) > 0);
	return text;
}

[[maybe_unused]] static void fits(const char *got, const char *want)
{
	char pattern[4096];
	size_t n = 0;

	for (; *want; want++) {	/* JSON's brackets are no pattern */
		if (strchr("[]?\\", *want))
			pattern[n++] = '\\';
		pattern[n++] = *want;
		assert_true(n < sizeof pattern - 2);
	}
	pattern[n] = '\0';
	if (fnmatch(pattern, got, 0) != 0)
		fail_msg("%s\ndoes not fit\n%s", got, pattern);
}

[[maybe_unused]] static void asks(struct world *w, const char *op, const char *args, const char *want)
{
	struct api_call *c = world_ask(w, op, args, 0);
	char *got;

	world_settle(w, c);
	got = world_says(c);
	fits(got, want);
	free(got);
	api_end(&c);
	assert_null(c);
}

struct row {
	const char *op, *args, *want;
};

[[maybe_unused]] static void asks_rows(struct world *w, const struct row *rows, size_t count)
{
	for (size_t n = 0; n < count; n++)
		asks(w, rows[n].op, rows[n].args, rows[n].want);
}
