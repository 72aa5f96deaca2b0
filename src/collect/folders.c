/* SPDX-License-Identifier: Apache-2.0
 *
 * Which mailboxes a visit over IMAP collects from: names and patterns out of the
 * settings, in the server's own spelling; and where moved mail goes.
 *
 * A name without wildcards is taken as it is; a LIST is asked only for what needs
 * one: the delimiter where a name has a "/", patterns, whether the target of
 * moves is there, and which mailbox is Gmail's trash.  One LIST after the other:
 * an answer does not say to which it belongs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "collect/visit_imap.h"
#include "wire/utf7.h"

static struct folders *folders_of(struct visit *v)
{
	return &v->imap->folders;
}

static bool is_pattern(const char *name)
{
	return strpbrk(name, "*%");
}

static bool moves(const struct visit *v)
{
	return v->with->after == AFTER_MOVE && v->what != VISIT_BASELINE;
}

static bool deletes(const struct visit *v)
{
	return v->what == VISIT_COLLECT && (v->with->after == AFTER_DELETE || v->with->delete_after_s);
}

static bool wants_trash(const struct visit *v)
{
	bool removals = false;

	if (v->what != VISIT_COLLECT || !(imc_capabilities(v->imap->session) & IMC_CAPA_GMAIL))
		return false;
	for (size_t n = 0; n < v->ledger_count; n++)
		removals = removals || listed_removals(v, v->ledgers[n]);
	return deletes(v) || removals;
}

static bool needs_delimiter(const struct visit *v)
{
	for (size_t n = 0; n < v->with->mailboxes.count; n++)
		if (strchr(v->with->mailboxes.at[n], '/'))
			return true;
	return (moves(v) && strchr(v->with->move_folder, '/')) || (v->only && strchr(v->only, '/'));
}

/* As the server spells it; NULL when no server could have it. */
static const char *on_the_wire(struct visit *v, const char *name)
{
	struct folders *f = folders_of(v);
	char *copy = (char *)(uintptr_t)arena_text(&f->arena, span_of(name));
	char memory[IMC_NAME_MAX];
	struct buf wire;

	for (char *at = copy; f->delimiter && (at = strchr(at, '/')); at++)
		*at = f->delimiter;
	if (strcasecmp(copy, "INBOX") == 0)
		return "INBOX";
	buf_lend(&wire, memory, sizeof memory);
	return utf7_encode(span_of(copy), &wire) && wire.len ? arena_text(&f->arena, buf_span(&wire)) : NULL;
}

static void fail(struct visit *v, const char *name, const char *what)
{
	struct err e;

	(void)err_set(&e, ERR_CONFIG, "mailbox %.200s: %s", name, what);
	visit_fail(v, &e);
}

static void add(struct visit *v, const char *name)
{
	struct folders *f = folders_of(v);
	struct err e;

	if (f->count == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 16;
		struct folder *more = reallocarray(f->names, cap, sizeof *more);

		if (!more) {
			(void)err_set(&e, ERR_LOCAL, "out of memory for %zu mailboxes", cap);
			visit_fail(v, &e);
			return;
		}
		f->names = more;
		f->cap = cap;
	}
	f->names[f->count] = (struct folder){ .name = name, .place = f->count };
	f->count++;
}

static int by_name(const void *a, const void *b)
{
	const struct folder *one = a, *two = b;
	int order = strcmp(one->name, two->name);

	return order ? order : (one->place > two->place) - (one->place < two->place);
}

static int by_place(const void *a, const void *b)
{
	const struct folder *one = a, *two = b;

	return (one->place > two->place) - (one->place < two->place);
}

/* Each once, where it was told first. */
static void drop_doubles(struct folders *f)
{
	size_t kept = 0;

	if (f->count)
		qsort(f->names, f->count, sizeof *f->names, by_name);
	for (size_t n = 0; n < f->count; n++)
		if (!kept || strcmp(f->names[kept - 1].name, f->names[n].name) != 0)
			f->names[kept++] = f->names[n];
	f->count = kept;
	if (f->count)
		qsort(f->names, f->count, sizeof *f->names, by_place);
}

/* ---- asking */

static void ask_names(struct visit *v)
{
	struct folders *f = folders_of(v);
	struct imc *s = v->imap->session;

	for (; f->asked_at < v->with->mailboxes.count && !f->answers && imc_can_ask(s) && !v->why.kind; f->asked_at++) {
		const char *given = v->with->mailboxes.at[f->asked_at], *name = on_the_wire(v, given);

		if (!name) {
			fail(v, given, "is no name that a server can have (empty, too long, or not UTF-8)");
		} else if (is_pattern(given)) {
			(void)imc_list(s, span_of(name));
			f->answers++;
		} else {
			add(v, name);
			f->named = f->count;	/* what patterns found before it counts as meant too */
		}
	}
}

static void ask_target(struct visit *v)
{
	struct folders *f = folders_of(v);
	struct imc *s = v->imap->session;

	if (f->names_asked || f->answers || f->asked_at < v->with->mailboxes.count || !imc_can_ask(s))
		return;
	if (moves(v) && !f->target) {
		f->target = on_the_wire(v, v->with->move_folder);
		if (!f->target) {
			fail(v, v->with->move_folder, "is no name that a server can have (empty, too long, or not UTF-8)");
			return;
		}
		f->target_list = imc_list(s, span_of(f->target));
		f->answers++;
	} else if (!f->trash_list && wants_trash(v)) {
		f->trash_list = imc_list(s, SPAN("*"));
		f->answers++;
	} else {
		f->names_asked = true;
	}
}

/* Out of what patterns found; a name that stands there by itself is meant. */
static void leave_out(struct folders *f, const char *target)
{
	size_t kept = 0;

	for (size_t n = 0; n < f->count; n++)
		if (f->names[n].place < f->named || !target || strcmp(f->names[n].name, target) != 0)
			f->names[kept++] = f->names[n];
	f->count = kept;
}

/* A baseline of one mailbox; false: it is none of the connection's. */
static bool leave_only(struct visit *v)
{
	struct folders *f = folders_of(v);
	const char *name = on_the_wire(v, v->only);
	size_t kept = 0;

	for (size_t n = 0; n < f->count && name; n++)
		if (strcmp(f->names[n].name, name) == 0)
			f->names[kept++] = f->names[n];
	f->count = kept;
	if (!kept)
		fail(v, v->only, "is none of those that the connection's `mailbox` names, or it is not on the server");
	return kept;
}

/* All that was asked is answered. */
static void names_known(struct visit *v)
{
	struct folders *f = folders_of(v);

	drop_doubles(f);
	for (size_t n = 0; n < f->count && moves(v); n++) {
		if (f->names[n].place >= f->named || strcmp(f->names[n].name, f->target) != 0)
			continue;
		fail(v, v->with->move_folder, "`after` moves mail out of it into itself; write another folder");
		return;
	}
	if (f->target && !f->target_there && !f->create && v->what != VISIT_TEST) {
		f->create = imc_create(v->imap->session, span_of(f->target));
		f->answers++;
		return;
	}
	leave_out(f, f->target);
	leave_out(f, deletes(v) ? f->trash : NULL);
	if (v->only && !leave_only(v))
		return;
	if (v->what == VISIT_TEST)		/* a test tells what is there */
		v->imap->step = IMAP_BETWEEN;
	else if (f->count)
		v->imap->step = moves(v) ? IMAP_COPIES : IMAP_BETWEEN;
	else
		fail(v, v->with->mailboxes.count ? v->with->mailboxes.at[0] : "?",
			"nothing on the server matches it, or what does cannot be opened; see what is there with mailbox = {\"*\"}");
}

void folders_ask(struct visit *v)
{
	struct folders *f = folders_of(v);

	if (!f->delimiter_known) {
		if (!f->answers && imc_can_ask(v->imap->session)) {
			(void)imc_list(v->imap->session, SPAN("INBOX"));
			f->answers++;
		}
		return;
	}
	ask_names(v);
	if (!v->why.kind)
		ask_target(v);
	if (!v->why.kind && f->names_asked && !f->answers && imc_can_ask(v->imap->session))
		names_known(v);
}

void folders_start(struct visit *v)
{
	struct folders *f = folders_of(v);

	v->imap->step = IMAP_NAMES;
	f->delimiter_known = !needs_delimiter(v);
	f->delimiter = 0;
}

/* ---- answers */

static bool sendable(struct span name)
{
	for (size_t n = 0; n < name.len; n++)
		if (name.at[n] < ' ' || name.at[n] > '~')
			return false;
	return name.len && name.len <= IMC_NAME_MAX;
}

static void on_mailbox(struct visit *v, const struct imc_event *ev)
{
	struct folders *f = folders_of(v);
	bool inbox = span_equal_nocase(ev->text, SPAN("INBOX"));
	char shown[256];
	const char *name;
	struct err e;

	if (++f->told > FOLDERS_MAX) {
		(void)err_set(&e, ERR_PEER, "LIST tells of more than %d mailboxes", FOLDERS_MAX);
		visit_fail(v, &e);
		return;
	}
	if (!f->delimiter_known) {
		f->delimiter = ev->delimiter == '/' ? 0 : ev->delimiter;
		return;
	}
	if (!sendable(ev->text)) {
		utf7_show(ev->text, shown, sizeof shown);
		log_warn(&v->tag, "mailbox %s is left out: its name is not as of RFC 3501 section 5.1.3", shown);
		return;
	}
	name = inbox ? "INBOX" : arena_text(&f->arena, ev->text);
	if (ev->id == f->trash_list) {
		if (ev->flags & IMC_BOX_TRASH && !f->trash)
			f->trash = name;
		return;
	}
	if (ev->flags & IMC_BOX_NOSELECT)
		return;
	if (ev->id == f->target_list)
		f->target_there = f->target_there || strcmp(name, f->target) == 0;
	else
		add(v, name);
}

static void on_refused(struct visit *v, const struct imc_event *ev)
{
	struct err e;

	if (ev->verb == IMC_ASK_LIST) {
		imap_refused(v, ev, "LIST was refused");
		return;
	}
	(void)err_set(&e, ERR_PEER, "folder %.200s is not there and cannot be made", v->with->move_folder);
	(void)secret_peer(v, &e, ev->text);
	log_warn(&v->tag, "%s", e.text);
}

void folders_event(struct visit *v, const struct imc_event *ev)
{
	struct folders *f = folders_of(v);

	if (ev->what == IMC_MAILBOX) {
		on_mailbox(v, ev);
		return;
	}
	if (ev->what == IMC_REFUSED)
		on_refused(v, ev);
	f->answers--;
	f->delimiter_known = true;
}

void folders_show(const struct visit *v, char *out, size_t size)
{
	utf7_show(span_of(ledger_mailbox(v->ledger)), out, size);
}

void folders_end(struct imap_visit *i)
{
	arena_end(&i->folders.arena);
	free(i->folders.names);
	i->folders = (struct folders){ 0 };
}
