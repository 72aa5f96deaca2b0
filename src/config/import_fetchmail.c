/* SPDX-License-Identifier: Apache-2.0
 *
 * fetchmail's run control file (fetchmail(1), "THE RUN CONTROL FILE"): free in form, words
 * of which some are names of options, in entries that begin with poll, skip, server or defaults. */
#include "config/import_fetchmail.h"

#include <strings.h>

enum { NAMES_MAX = 1000 };

struct reading {
	struct import *in;
	struct fetchmail_tokens tokens;
	struct fetchmail_token token;	/* the next one */
	struct import_items defaults;
	struct fetchmail_entry *entries, **last, *entry;
	struct fetchmail_user **next_user, *user;
	bool in_defaults;
	uint64_t daemon_s;
};

static bool advance(struct reading *r, struct err *e)
{
	do {
		if (!fetchmail_next(&r->tokens, &r->token, e))
			return false;
	} while (fetchmail_noise(&r->token));
	return true;
}

static bool is(const struct reading *r, const char *word)
{
	return r->token.kind == FETCHMAIL_WORD && strcasecmp(r->token.text, word) == 0;
}

static bool begins_entry(const struct reading *r)
{
	return is(r, "poll") || is(r, "server") || is(r, "skip") || is(r, "defaults") || is(r, "set");
}

/* Does this word end a list of names? */
static bool keyword(const struct reading *r)
{
	if (r->token.kind != FETCHMAIL_WORD)
		return r->token.kind == FETCHMAIL_END;
	return begins_entry(r) || is(r, "no") || is(r, "here") || is(r, "there") || import_row(fetchmail_words, span_of(r->token.text), true);
}

/* The text behind a word, whatever it looks like; *text points into the arena. */
static bool argument(struct reading *r, const char *word, const char **text, struct err *e)
{
	uint32_t line = r->token.line;

	if (!fetchmail_next(&r->tokens, &r->token, e))
		return false;
	if (r->token.kind == FETCHMAIL_EQUALS && !fetchmail_next(&r->tokens, &r->token, e))	/* set daemon = 300 */
		return false;
	if (r->token.kind == FETCHMAIL_END)
		return import_wrong(r->in, line, e, "%s has nothing behind it", word);
	*text = r->token.text;
	return advance(r, e);
}

/* Names up to the next word that means something; "there=here" is one of them. */
static bool names(struct reading *r, const char *word, struct texts *to, struct err *e)
{
	uint32_t line = r->token.line;

	*to = (struct texts){ arena_take(r->in->arena, NAMES_MAX * sizeof *to->at), 0 };
	if (!fetchmail_next(&r->tokens, &r->token, e))
		return false;
	while (!to->count || !keyword(r)) {
		if (r->token.kind == FETCHMAIL_END || to->count == NAMES_MAX)
			return import_wrong(r->in, line, e, to->count ? "%s has too many names behind it" : "%s has nothing behind it", word);
		if (r->token.kind == FETCHMAIL_EQUALS) {
			if (!to->count || !fetchmail_next(&r->tokens, &r->token, e))
				return to->count ? false : import_wrong(r->in, r->token.line, e, "here = has no name before it");
			to->at[to->count - 1] = import_print(r->in->arena, "%s=%s", to->at[to->count - 1], r->token.text);
		} else {
			to->at[to->count++] = r->token.text;
		}
		if (!advance(r, e))
			return false;
	}
	return true;
}

/* --- entries --- */

static bool global(struct reading *r, struct err *e)
{
	uint32_t line = r->token.line;
	const struct import_row *row;
	const char *word, *text = "";

	if (!advance(r, e))
		return false;
	word = r->token.text;
	if (is(r, "no")) {
		if (!advance(r, e))
			return false;
		word = import_print(r->in->arena, "no %s", r->token.text);
	}
	row = import_row(fetchmail_set, span_of(word), true);
	if (!row) {
		import_unknown(r->in, NULL, line, span_of(word));
		return advance(r, e);
	}
	if (row->takes == IMPORT_NOTHING ? !advance(r, e) : !argument(r, row->word, &text, e))
		return false;
	if (row->own == FETCHMAIL_DAEMON) {
		if (!span_number(span_of(text), 366 * 86400, &r->daemon_s))
			return import_wrong(r->in, line, e, "daemon: %.*s is no number of seconds", VALUE_SHOWN, text);
		return true;
	}
	if (row->kind == IMPORT_LOST)
		draft_note(&r->in->draft, NULL, line, import_print(r->in->arena, "set %s", row->word), "%s", row->becomes);
	return true;
}

static bool begin(struct reading *r, struct err *e)
{
	struct fetchmail_entry *entry;
	uint32_t line = r->token.line;
	bool skip = is(r, "skip");
	const char *name;

	r->in_defaults = is(r, "defaults");
	r->user = NULL;
	if (r->in_defaults)
		return advance(r, e);
	if (!argument(r, "poll", &name, e) || !import_count(r->in, line, e))
		return false;
	entry = arena_take(r->in->arena, sizeof *entry);
	*entry = (struct fetchmail_entry){ .name = name, .skip = skip, .line = line };
	import_append(r->in, &entry->items, &r->defaults);
	*r->last = r->entry = entry;
	r->last = &entry->next;
	r->next_user = &entry->users;
	return true;
}

static bool new_user(struct reading *r, uint32_t line, struct err *e)
{
	struct fetchmail_user *user;

	if (!r->entry)
		return import_wrong(r->in, line, e, "user stands outside of an entry; write poll SERVER above it");
	if (!import_count(r->in, line, e))
		return false;
	user = arena_take(r->in->arena, sizeof *user);
	user->line = line;
	*r->next_user = r->user = user;
	r->next_user = &user->next;
	return true;
}

/* user NAME [there], or user NAME here: then it is the local one's. */
static bool user_is(struct reading *r, struct err *e)
{
	uint32_t line = r->token.line;
	const char *name;
	bool here;

	if (r->in_defaults)
		draft_note(&r->in->draft, NULL, line, "user", "it stands in defaults; not carried over");
	if (!argument(r, "user", &name, e) || (!r->in_defaults && !new_user(r, line, e)))
		return false;
	here = is(r, "here");
	if ((here || is(r, "there")) && !advance(r, e))
		return false;
	if (r->in_defaults)
		return true;
	if (here)
		r->user->local = import_texts(r->in->arena, span_of(name));
	else
		r->user->remote = name;
	return true;
}

/* is NAMES [here], to NAMES; is NAME there. */
static bool local_is(struct reading *r, struct err *e)
{
	uint32_t line = r->token.line;
	struct texts all;
	bool there;

	if (!names(r, "is", &all, e))
		return false;
	there = is(r, "there");
	if ((there || is(r, "here")) && !advance(r, e))
		return false;
	if (!r->user) {
		draft_note(&r->in->draft, NULL, line, "is", "it stands before a user; not carried over");
	} else if (there) {
		r->user->remote = all.at[0];
	} else {
		r->user->local = all;
	}
	return true;
}

/* An option of a server or a user: those before the first user are of all. */
static bool option(struct reading *r, struct err *e)
{
	struct import_items *to = r->user ? &r->user->items : r->in_defaults ? &r->defaults : r->entry ? &r->entry->items : NULL;
	uint32_t line = r->token.line;
	struct texts values = { 0 };
	const struct import_row *row;
	const char *word = r->token.text, *text;

	if (is(r, "no")) {
		if (!advance(r, e))
			return false;
		word = import_print(r->in->arena, "no %s", r->token.text);
	}
	row = r->token.kind == FETCHMAIL_WORD ? import_row(fetchmail_words, span_of(word), true) : NULL;
	if (!row) {
		import_unknown(r->in, NULL, line, span_of(word));
		return advance(r, e);
	}
	if (row->takes == IMPORT_NOTHING) {
		if (!advance(r, e))
			return false;
	} else if (row->takes == IMPORT_MANY) {
		if (!names(r, row->word, &values, e))
			return false;
	} else {
		if (!argument(r, row->word, &text, e))
			return false;
		if (row->own == FETCHMAIL_ENVELOPE && span_number(span_of(text), 1000, &(uint64_t){ 0 }) && !keyword(r)) {
			draft_note(&r->in->draft, NULL, line, "envelope", "all fields of that name count, not only the one behind %s others", text);
			text = r->token.text;
			if (!advance(r, e))
				return false;
		}
		values = import_texts(r->in->arena, span_of(text));
	}
	if (!to)
		return import_wrong(r->in, line, e, "%s stands before the first poll, skip or defaults", row->word);
	import_item(r->in, to, row, values, line);
	return true;
}

static bool statement(struct reading *r, struct err *e)
{
	if (is(r, "set"))
		return global(r, e);
	if (begins_entry(r))
		return begin(r, e);
	if (is(r, "user") || is(r, "username"))
		return user_is(r, e);
	if (is(r, "is") || is(r, "to"))
		return local_is(r, e);
	if (is(r, "here") || is(r, "there"))
		return advance(r, e);
	return option(r, e);
}

bool import_fetchmail(struct import *in, struct span text, struct err *e)
{
	struct reading r = { .in = in, .tokens = { in, text, 1 } };

	r.last = &r.entries;
	if (!advance(&r, e))
		return false;
	while (r.token.kind != FETCHMAIL_END)
		if (!statement(&r, e))
			return false;
	for (const struct fetchmail_entry *entry = r.entries; entry; entry = entry->next)
		fetchmail_entry(in, entry, r.daemon_s);
	return true;
}
