/* SPDX-License-Identifier: Apache-2.0 */
#include "config/option.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/path.h"
#include "config/versions.h"

bool option_find(const struct option *rows, struct span name, struct given *g)
{
	size_t dot = span_find(name, '.'), at = 0;
	bool kept = true;

	for (const struct option *o = rows; o && o->name; ) {
		if (!span_equal(span_of(o->name), (struct span){ name.at, dot })) {
			o++;
			continue;
		}
		at += o->at;
		kept &= o->size > 0;
		if (dot == name.len) {
			g->option = o;
			g->at = at;
			g->kept = kept;
			return true;
		}
		name = span_from(name, dot + 1);
		dot = span_find(name, '.');
		o = o->inner;
	}
	return false;
}

bool option_is_list(const struct option *o)
{
	switch (o->type) {
	case OPTION_TEXTS:
	case OPTION_FLAGS:
	case OPTION_AUTH:
		return true;
	case OPTION_SECTION:
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_FILE:
	case OPTION_BOOL:
	case OPTION_UINT:
	case OPTION_CHOICE:
	case OPTION_WORD:
	case OPTION_VERSION:
	case OPTION_MS:
	case OPTION_SECONDS:
	case OPTION_SIZE:
	case OPTION_SECRET:
	case OPTION_AFTER:
		return false;
	}
	return false;
}

/* Into a field of any width; nothing is ever cut: the row's limits are the field's. */
static void put_number(const struct option *o, void *field, uint64_t n)
{
	uint16_t n16 = (uint16_t)n;
	uint32_t n32 = (uint32_t)n;

	assert(o->size == 0 || o->size >= sizeof n || n >> (8 * o->size) == 0);
	switch (o->size) {
	case 0:
		break;
	case sizeof n16:
		memcpy(field, &n16, sizeof n16);
		break;
	case sizeof n32:
		memcpy(field, &n32, sizeof n32);
		break;
	default:
		assert(o->size == sizeof n);
		memcpy(field, &n, sizeof n);
	}
}

static void put(const struct option *o, void *field, const void *value, size_t size)
{
	assert(o->size == 0 || o->size == size);
	memcpy(field, value, o->size);
}

static bool set_number(const struct option *o, void *field, const char *text, struct err *e)
{
	uint64_t n, ms;

	if (o->type == OPTION_UINT) {
		if (!value_uint(text, o->min, o->max ? o->max : INT64_MAX, &n, e))
			return false;
	} else if (o->type == OPTION_SIZE) {
		if (!value_size(text, &n, e))
			return false;
	} else {
		if (!value_duration(text, &ms, e))
			return false;
		n = o->type == OPTION_MS ? ms : ms / 1000;
	}
	if (n < o->min)
		return err_set(e, ERR_CONFIG, "%.*s is too little", VALUE_SHOWN, text);
	if ((o->max && n > o->max) || (o->size == sizeof(uint32_t) && n > UINT32_MAX))
		return err_set(e, ERR_CONFIG, "%.*s is too much", VALUE_SHOWN, text);
	put_number(o, field, n);
	return true;
}

static bool set_choice(const struct option *o, void *field, const char *text, struct err *e)
{
	uint32_t which;

	if (o->type == OPTION_VERSION) {
		if (!versions_parse(text, &which, e))
			return false;
	} else if (!value_choice(text, o->names, &which, e)) {
		return false;
	}
	if (o->type == OPTION_WORD)
		put(o, field, &text, sizeof text);
	else
		put_number(o, field, which);
	return true;
}

static bool good_text(const struct option *o, const char *text, struct err *e)
{
	if (!text[0] && o->min)
		return err_set(e, ERR_CONFIG, "it is empty");
	return value_text(text, o->max, e) && (!o->form || o->form(text, e));
}

static bool set_text(const struct given *g, void *field, struct arena *a, struct err *e)
{
	const struct option *o = g->option;
	const char *text = g->values.at[0];

	if (!good_text(o, text, e))
		return false;
	if (o->type != OPTION_TEXT)
		text = path_absolute(a, g->where.file, text);
	if (o->type == OPTION_FILE && access(text, R_OK) != 0)
		return err_errno(e, ERR_CONFIG, "%s cannot be read", text);
	if (o->type == OPTION_TEXT && !text[0])
		text = NULL;
	put(o, field, &text, sizeof text);
	return true;
}

static bool set_texts(const struct given *g, void *field, struct err *e)
{
	for (size_t n = 0; n < g->values.count; n++) {
		if (!g->values.at[n][0] && !(g->option->flags & OPTION_EMPTY))
			return err_set(e, ERR_CONFIG, "an element of the list is empty");
		if (!good_text(g->option, g->values.at[n], e))
			return false;
	}
	put(g->option, field, &g->values, sizeof g->values);
	return true;
}

static bool set_flags(const struct given *g, bool *field, struct err *e)
{
	bool flags[8] = { false };
	uint32_t which;

	for (size_t n = 0; n < g->values.count; n++) {
		if (!value_choice(g->values.at[n], g->option->names, &which, e))
			return false;
		assert(which < COUNT(flags));
		flags[which] = true;
	}
	memcpy(field, flags, g->option->size);
	return true;
}

/* Where the password is, not what it is: text is never shown. */
static bool set_secret(const struct given *g, void *field, struct arena *a, struct err *e)
{
	static const struct {
		struct span prefix;
		enum secret_kind kind;
	} kinds[] = {
		{ SPAN("vault:"), SECRET_VAULT }, { SPAN("file:"), SECRET_FILE },
		{ SPAN("command:"), SECRET_COMMAND }, { SPAN("credential:"), SECRET_CREDENTIAL },
	};
	struct secret secret = { SECRET_LITERAL, g->values.at[0] };

	for (size_t n = 0; n < COUNT(kinds); n++)
		if (span_starts(span_of(secret.text), kinds[n].prefix))
			secret = (struct secret){ kinds[n].kind, secret.text + kinds[n].prefix.len };
	if (!secret.text[0])
		return err_set(e, ERR_CONFIG, "it is empty");
	if (strpbrk(secret.text, "\r\n"))
		return err_set(e, ERR_CONFIG, "a line end cannot stand in it");
	if (secret.kind == SECRET_FILE)
		secret.text = path_absolute(a, g->where.file, secret.text);
	if (secret.kind == SECRET_LITERAL && !g->where.file)
		return err_set(e, ERR_CONFIG, "a password never stands on the command line (--password-file FILE is safe)");
	if (secret.kind == SECRET_LITERAL && g->exposed)
		return err_set(e, ERR_CONFIG, "it stands here in clear, and others can read this file: chmod 600 it");
	if (g->kept)
		put(g->option, field, &secret, sizeof secret);
	else
		wipe((char *)g->values.at[0], strlen(g->values.at[0]));
	return true;
}

static_assert(offsetof(struct connection, auth_count) - offsetof(struct connection, auth) == offsetof(struct auth_keys, auth_count) &&
	offsetof(struct connection, auth_auto) - offsetof(struct connection, auth) == offsetof(struct auth_keys, auth_auto), "the same three fields");

static bool set_auth(const struct given *g, struct auth_keys *c, struct arena *a, struct err *e)
{
	uint8_t *list = arena_take(a, g->values.count + 1);
	bool automatic = g->values.count == 1 && strcmp(g->values.at[0], "auto") == 0;

	for (size_t n = 0; n < g->values.count && !automatic; n++) {
		if (!value_mechanism(g->values.at[n], &list[n], e))
			return false;
		if (memchr(list, list[n], n))
			return err_set(e, ERR_CONFIG, "%s stands there twice", value_mechanism_name(list[n]));
	}
	if (!g->kept)
		return true;
	c->auth = list;
	c->auth_count = automatic ? 0 : g->values.count;
	c->auth_auto = automatic;
	return true;
}

static bool set_after(const struct given *g, struct connection *c, struct err *e)
{
	const char *text = g->values.at[0];
	uint32_t which;

	if (strncmp(text, "move:", 5) == 0 || strcmp(text, "move") == 0) {
		if (!text[4] || !text[5])
			return err_set(e, ERR_CONFIG, "move needs a folder");
		if (!value_text(text, 0, e))
			return false;
		c->after = AFTER_MOVE;
		c->move_folder = text + 5;
		return true;
	}
	if (!value_choice(text, g->option->names, &which, e))
		return false;
	c->after = (enum after)which;
	c->move_folder = NULL;
	return true;
}

bool option_set(const struct given *g, void *base, struct arena *a, struct err *e)
{
	const struct option *o = g->option;
	uint64_t nowhere[32];		/* as large as any field */
	void *field = g->kept ? (char *)base + g->at : (char *)nowhere;
	bool truth;

	assert(option_is_list(o) || g->values.count == 1);
	assert(o->type == OPTION_SECTION || o->size <= sizeof nowhere);
	if (!g->values.count && (o->flags & OPTION_FILLED))
		return err_set(e, ERR_CONFIG, "the list is empty");
	switch (o->type) {
	case OPTION_BOOL:
		if (!value_bool(g->values.at[0], &truth, e))
			return false;
		put(o, field, &truth, sizeof truth);
		return true;
	case OPTION_UINT:
	case OPTION_MS:
	case OPTION_SECONDS:
	case OPTION_SIZE:
		return set_number(o, field, g->values.at[0], e);
	case OPTION_CHOICE:
	case OPTION_WORD:
	case OPTION_VERSION:
		return set_choice(o, field, g->values.at[0], e);
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_FILE:
		return set_text(g, field, a, e);
	case OPTION_TEXTS:
		return set_texts(g, field, e);
	case OPTION_FLAGS:
		return set_flags(g, field, e);
	case OPTION_SECRET:
		return set_secret(g, field, a, e);
	case OPTION_AUTH:
		return set_auth(g, field, a, e);
	case OPTION_AFTER:
		return set_after(g, base, e);
	case OPTION_SECTION:
		break;
	}
	assert(o->type != OPTION_SECTION);
	return false;
}

/* Those that may be there, and one that is none: a list ends in NULL. */
static size_t count_words(const struct option *o, struct span text)
{
	size_t count = 2;

	for (size_t n = 0; option_is_list(o) && n < text.len; n++)
		count += text.at[n] == ',';
	return count;
}

struct texts option_split(const struct option *o, const char *text, struct arena *a)
{
	struct span rest = span_of(text);
	struct texts values = { arena_take(a, count_words(o, rest) * sizeof *values.at), 0 };

	if (!option_is_list(o)) {
		values.at[values.count++] = arena_text(a, rest);
		return values;
	}
	while (rest.len) {
		size_t comma = span_find(rest, ',');
		struct span word = span_trim((struct span){ rest.at, comma });

		if (word.len)
			values.at[values.count++] = arena_text(a, word);
		rest = span_from(rest, comma + 1);
	}
	return values;
}

static void defaults(const struct option *rows, size_t at, void *base, struct arena *a)
{
	for (const struct option *o = rows; o->name; o++) {
		struct given g = { .option = o, .name = o->name, .at = at + o->at, .kept = true };
		struct err e;
		bool good;

		if (o->type == OPTION_SECTION && o->size && !(o->flags & OPTION_TITLED))
			defaults(o->inner, at + o->at, base, a);
		if (o->type == OPTION_SECTION || !o->dflt || !o->size)
			continue;
		g.values = option_split(o, o->dflt, a);
		good = option_set(&g, base, a, &e);
		assert(good);		/* our own words are never wrong */
		(void)good;
	}
}

void option_defaults(const struct option *rows, void *base, struct arena *a)
{
	defaults(rows, 0, base, a);
}
