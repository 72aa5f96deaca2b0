/* SPDX-License-Identifier: Apache-2.0
 *
 * From a channel of mbsync's, with its two stores and its account, to connections. */
#include <strings.h>

#include "config/import_mbsync.h"

enum tls { TLS_UNSAID, TLS_NONE, TLS_STARTTLS, TLS_IMAPS };

struct channel {
	struct mbsync *m;
	const struct mbsync_object *o, *imap, *maildir;
	const char *box, *local;	/* of the two stores; "" = INBOX */
	struct import_items account;	/* account, then store */
	uint32_t line;
	bool reversed;			/* the Maildir is the far store */
};

static void note(const struct channel *c, struct draft_section *s, const struct import_item *item, const char *why)
{
	draft_note(&c->m->in->draft, s, item->line, item->row->word, "%s", why);
}

/* --- the two stores --- */

/* :STORE:BOX */
static bool store(struct channel *c, int which, const struct mbsync_object **found, const char **box, enum mbsync_kind *kind)
{
	const struct import_item *item = import_last(&c->o->items, which);
	struct span text = span_of(item ? item->values.at[0] : ""), name;
	size_t end;

	if (!text.len || text.at[0] != ':')
		return false;
	text = span_from(text, 1);
	end = span_find(text, ':');
	name = (struct span){ text.at, end };
	*box = arena_text(c->m->in->arena, span_from(text, end + 1));
	*kind = MBSYNC_IMAP_STORE;
	*found = mbsync_object(c->m, *kind, name);
	if (!*found) {
		*kind = MBSYNC_MAILDIR_STORE;
		*found = mbsync_object(c->m, *kind, name);
	}
	return *found;
}

static bool stores(struct channel *c)
{
	const struct mbsync_object *far, *near, *account;
	enum mbsync_kind far_kind, near_kind;
	const char *far_box, *near_box;
	const struct import_item *named;

	if (!store(c, MBSYNC_FAR, &far, &far_box, &far_kind) || !store(c, MBSYNC_NEAR, &near, &near_box, &near_kind)) {
		draft_note(&c->m->in->draft, NULL, c->o->line, "Channel", "%.*s does not name two stores that are there; not carried over", VALUE_SHOWN, c->o->name);
		return false;
	}
	if (far_kind == near_kind) {
		draft_note(&c->m->in->draft, NULL, c->o->line, "Channel", "%.*s joins two stores of one kind; mail is collected from IMAP into Maildirs", VALUE_SHOWN, c->o->name);
		return false;
	}
	c->reversed = far_kind == MBSYNC_MAILDIR_STORE;
	c->imap = c->reversed ? near : far;
	c->maildir = c->reversed ? far : near;
	c->box = c->reversed ? near_box : far_box;
	c->local = c->reversed ? far_box : near_box;
	named = import_last(&c->imap->items, MBSYNC_ACCOUNT);
	account = named ? mbsync_object(c->m, MBSYNC_IMAP_ACCOUNT, span_of(named->values.at[0])) : NULL;
	if (account)
		import_append(c->m->in, &c->account, &account->items);
	else if (named)
		draft_note(&c->m->in->draft, NULL, named->line, "Account", "there is no account %.*s", VALUE_SHOWN, named->values.at[0]);
	import_append(c->m->in, &c->account, &c->imap->items);
	return true;
}

static const char *of_store(const struct mbsync_object *store, int own, const char *dflt)
{
	const struct import_item *item = import_last(&store->items, own);

	return item ? item->values.at[0] : dflt;
}

/* A mailbox's Maildir, as mbsync would call it. */
static const char *maildir_of(const struct channel *c, const char *box)
{
	struct arena *a = c->m->in->arena;
	const char *path = of_store(c->maildir, MBSYNC_PATH, ""), *inbox = of_store(c->maildir, MBSYNC_INBOX, "~/Maildir");
	const char *style = of_store(c->maildir, MBSYNC_SUBFOLDERS, ""), *flat = of_store(c->maildir, MBSYNC_FLATTEN, "");
	const char *between = flat[0] ? flat : strcasecmp(style, "Legacy") == 0 ? "/." : strcasecmp(style, "Maildir++") == 0 ? "." : "/";
	bool within = strcmp(box, "INBOX") == 0 || strncmp(box, "INBOX/", 6) == 0;
	const char *name = "", *rest = box, *slash;

	if (!box[0] || strcmp(box, "INBOX") == 0)
		return inbox;
	if (within && !flat[0])
		rest = box + 6;
	while ((slash = strchr(rest, '/'))) {
		name = import_print(a, "%s%.*s%s", name, (int)(slash - rest), rest, between);
		rest = slash + 1;
	}
	name = import_print(a, "%s%s", name, rest);
	if (!flat[0] && strcasecmp(style, "Maildir++") == 0)
		return import_print(a, "%s/%s%s", inbox, within ? ".." : ".", name);
	if (within && !flat[0])
		return import_print(a, "%s%s%s", inbox, between, name);
	return import_print(a, "%s%s", path, name);
}

/* --- the account --- */

static enum tls tls_word(const char *word)
{
	if (strcasecmp(word, "None") == 0)
		return TLS_NONE;
	if (strcasecmp(word, "IMAPS") == 0)
		return TLS_IMAPS;
	return strcasecmp(word, "STARTTLS") == 0 ? TLS_STARTTLS : TLS_UNSAID;
}

static void host(struct channel *c, struct draft_section *s, const struct import_item *item, enum tls *tls)
{
	const char *text = item->values.at[0];

	if (strncmp(text, "imaps:", 6) == 0) {
		*tls = TLS_IMAPS;
		text += 6;
	} else if (strncmp(text, "imap:", 5) == 0) {
		text += 5;
	}
	(void)draft_set(&c->m->in->draft, s, "host", text + strspn(text, "/"), item->line);
}

static void versions(struct channel *c, struct draft_section *s, const struct import_item *item)
{
	bool v12 = false, v13 = false, old = false, away = false;

	for (size_t n = 0; n < item->values.count; n++) {
		const char *word = item->values.at[n] + strspn(item->values.at[n], "+-");

		away |= item->values.at[n][0] == '-';
		v12 |= strcasecmp(word, "TLSv1.2") == 0 || strcmp(word, "1.2") == 0;
		v13 |= strcasecmp(word, "TLSv1.3") == 0 || strcmp(word, "1.3") == 0;
		old |= strcasecmp(word, "TLSv1") == 0 || strcasecmp(word, "TLSv1.1") == 0 || strcasecmp(word, "SSLv3") == 0 || strcmp(word, "1.0") == 0 || strcmp(word, "1.1") == 0;
	}
	if (away) {
		v12 = !v12;
		v13 = !v13;
	}
	if (v13 && !v12)
		(void)draft_set(&c->m->in->draft, s, "tls.min", "TLSv1.3", item->line);
	if (v12 && !v13)
		(void)draft_set(&c->m->in->draft, s, "tls.max", "TLSv1.2", item->line);
	if (old && !away)
		note(c, s, item, "what is older than TLSv1.2 is not used (tls.legacy would allow it)");
}

static void mechanisms(struct channel *c, struct draft_section *s, const struct import_item *item)
{
	draft_unset(s, "auth");
	for (size_t n = 0; n < item->values.count; n++) {
		struct arena *a = c->m->in->arena;
		char *word = arena_text(a, span_of(item->values.at[n]));

		if (strcmp(word, "*") == 0) {
			draft_unset(s, "auth");
			return;
		}
		for (char *p = word; *p; p++)
			*p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
		(void)draft_add(&c->m->in->draft, s, "auth", word, item->line);
	}
}

static void size(struct channel *c, struct draft_section *s, const struct import_item *item)
{
	const char *text = item->values.at[0], *unit = text + strspn(text, "0123456789");
	int digits = (int)(unit - text);

	if (!digits || strlen(unit) > 2 || (unit[0] && !strchr("kKmMbB", unit[0])))
		note(c, s, item, "it is no size");
	else if (strspn(text, "0") == (size_t)digits)
		draft_unset(s, "max_size");
	else
		(void)draft_set(&c->m->in->draft, s, "max_size", import_print(c->m->in->arena, "%.*s%s", digits, text,
			strchr("kK", unit[0]) && unit[0] ? "KB" : strchr("mM", unit[0]) && unit[0] ? "MB" : "B"), item->line);
}

static void flags(struct channel *c, struct draft_section *s, const struct import_item *item, enum tls *tls, bool *required)
{
	bool on;

	if (!import_truth(item->values.at[0], &on)) {
		note(c, s, item, "it is neither yes nor no");
		return;
	}
	if (item->row->own == MBSYNC_IMAPS)
		*tls = on ? TLS_IMAPS : TLS_STARTTLS;
	else if (item->row->own == MBSYNC_REQUIRE)
		*required = on;
	else if (item->row->own == MBSYNC_CRAM && on)
		(void)draft_add(&c->m->in->draft, s, "auth", "cram-md5", item->line);
}

static void secure(struct channel *c, struct draft_section *s, enum tls tls, bool required)
{
	if (tls != TLS_IMAPS)
		(void)draft_set(&c->m->in->draft, s, "tls.mode", tls == TLS_NONE ? "none" : "explicit", c->imap->line);
	if (tls != TLS_NONE && !required)
		(void)draft_set(&c->m->in->draft, s, "tls.required", "false", c->imap->line);
	if (tls == TLS_NONE || !required)
		import_in_clear(c->m->in, s, c->imap->line);
}

static void account(struct channel *c, struct draft_section *s)
{
	struct import *in = c->m->in;
	enum tls tls = TLS_UNSAID;
	bool required = true;

	for (const struct import_item *item = c->account.first; item; item = item->next) {
		const char *text = item->values.at[0];

		if (import_apply(in, s, item))
			continue;
		switch ((enum mbsync_own)item->row->own) {
		case MBSYNC_HOST:
			host(c, s, item, &tls);
			break;
		case MBSYNC_PASSCMD:
			(void)draft_set(&in->draft, s, "password", import_print(in->arena, "command:%s", text + (text[0] == '+')), item->line);
			break;
		case MBSYNC_AUTH:
			mechanisms(c, s, item);
			break;
		case MBSYNC_TLS:
			tls = tls_word(text);
			break;
		case MBSYNC_CRAM: case MBSYNC_IMAPS: case MBSYNC_REQUIRE:
			flags(c, s, item, &tls, &required);
			break;
		case MBSYNC_VERSIONS:
			versions(c, s, item);
			break;
		case MBSYNC_CERTIFICATES:
			(void)draft_set(&in->draft, s, "tls.ca_certificates", text, item->line);
			note(c, s, item, "beside it the system's authorities do not count, and a server's own certificate in it is no exception from its dates");
			break;
		case MBSYNC_MAXSIZE:
			size(c, s, item);
			break;
		case MBSYNC_SYSTEM: case MBSYNC_ACCOUNT: case MBSYNC_PATH: case MBSYNC_INBOX: case MBSYNC_SUBFOLDERS: case MBSYNC_FLATTEN: case MBSYNC_FAR:
		case MBSYNC_NEAR: case MBSYNC_PATTERN: case MBSYNC_SYNC: case MBSYNC_CREATE:
			break;
		}
	}
	secure(c, s, tls, required);
}

/* --- the channel's own words --- */

/* Does it bring new mail from the server?  `more`: and does it do anything else? */
static bool pulls(const struct channel *c, const struct import_item *item, bool *more)
{
	bool pull = false, push = false, new = false, types = false, both = false, none = false, compound = false, ours = false, other = false;

	for (size_t n = 0; item && n < item->values.count; n++) {
		const char *word = item->values.at[n];
		bool down = strncasecmp(word, "Pull", 4) == 0, up = strncasecmp(word, "Push", 4) == 0;
		const char *type = down || up ? word + 4 : word;

		ours |= c->reversed ? up : down;
		other |= c->reversed ? down : up;
		none |= strcasecmp(word, "None") == 0;
		both |= strcasecmp(word, "All") == 0 || strcasecmp(word, "Full") == 0;
		pull |= down && !*type;
		push |= up && !*type;
		types |= !down && !up;
		compound |= (down || up) && *type;
		new |= (c->reversed ? !down : !up) && strcasecmp(type, "New") == 0;
		*more |= *type && strcasecmp(type, "New") != 0;
	}
	*more |= both || !item || other || !ours;
	if (none)
		return false;
	if (!item || both || new)
		return !item || both || compound || !(pull || push) || (c->reversed ? push : pull);
	return (c->reversed ? push : pull) && !types;
}

static bool wildcard(const char *name)
{
	return strpbrk(name, "*%");
}

static bool creates_there(const struct channel *c, const char *side)
{
	return strcasecmp(side, "Both") == 0 || strcasecmp(side, c->reversed ? "Near" : "Far") == 0 || strcasecmp(side, c->reversed ? "Slave" : "Master") == 0;
}

/* Where all goes that a pattern finds: the Maildir of what stands before its first wildcard. */
static const char *common(const struct channel *c, const char *pattern)
{
	struct span fixed = { pattern, strcspn(pattern, "*%") };

	while (fixed.len && fixed.at[fixed.len - 1] == '/')
		fixed.len--;
	return maildir_of(c, arena_text(c->m->in->arena, fixed));
}

static void write_box(struct channel *c, const char *box, const char *local, unsigned number)
{
	struct import *in = c->m->in;
	const char *prefix = of_store(c->imap, MBSYNC_PATH, "");
	const char *name = number ? import_print(in->arena, "%s-%s", c->o->name, box) : c->o->name;
	struct draft_section *s = draft_connection(&in->draft, name, c->line);
	bool more = false, inbox = !box[0] || strcmp(box, "INBOX") == 0;
	const struct import_item *sync = import_last(&c->o->items, MBSYNC_SYNC);

	(void)draft_set(&in->draft, s, "protocol", "imap", c->line);
	account(c, s);
	for (const struct import_item *item = c->maildir->items.first; item; item = item->next)
		(void)import_apply(in, s, item);
	for (const struct import_item *item = c->o->items.first; item; item = item->next) {
		if (import_apply(in, s, item))
			continue;
		if (item->row->own == MBSYNC_MAXSIZE)
			size(c, s, item);
		if (item->row->own == MBSYNC_CREATE && creates_there(c, item->values.at[0]))
			note(c, s, item, "no mailbox is made on the server");
		if (item->row->own == MBSYNC_PATTERN)
			for (size_t n = 0; n < item->values.count; n++)
				if (item->values.at[n][0] == '!' && !number)
					note(c, s, item, "mailboxes cannot be taken out of patterns; name those that are wanted");
	}
	if (pulls(c, sync, &more) && more)
		draft_note(&in->draft, s, sync ? sync->line : c->line, "Sync", "new mail is collected, one way; nothing is sent to the server, and flags and deletions stay where they were made");
	if (!inbox)
		(void)draft_add(&in->draft, s, "mailbox", import_print(in->arena, "%s%s", prefix, box), c->line);
	if (wildcard(box))
		draft_note(&in->draft, s, c->line, "Patterns", "one connection has one Maildir: what these find is not kept apart. A connection for each mailbox would");
	(void)import_to_maildir(in, s, wildcard(box) ? common(c, local) : maildir_of(c, local), "Path", c->line);
}

bool mbsync_channel(struct mbsync *m, const struct mbsync_object *o, struct err *e)
{
	struct channel c = { .m = m, .o = o, .line = o->line };
	const struct import_item *sync = import_last(&o->items, MBSYNC_SYNC);
	unsigned number = 0;
	bool more = false, patterns = false;

	if (!stores(&c))
		return true;
	if (!pulls(&c, sync, &more)) {
		draft_note(&m->in->draft, NULL, sync->line, "Sync", "channel %.*s brings no new mail from the server; not carried over", VALUE_SHOWN, o->name);
		return true;
	}
	for (const struct import_item *item = o->items.first; item; item = item->next) {
		for (size_t n = 0; item->row->own == MBSYNC_PATTERN && n < item->values.count; n++) {
			const char *name = item->values.at[n];

			if (name[0] == '!' || !name[0])
				continue;
			patterns = true;
			if (!import_count(m->in, item->line, e))
				return false;
			write_box(&c, import_print(m->in->arena, "%s%s", c.box, name), import_print(m->in->arena, "%s%s", c.local, name), number++);
		}
	}
	if (!patterns)
		write_box(&c, c.box, c.local[0] ? c.local : "INBOX", 0);
	return true;
}
