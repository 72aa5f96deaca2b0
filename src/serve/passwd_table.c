/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/passwd_table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "serve/passwd_line.h"
#include "serve/schemes.h"

/* As long as the table; texts point into `text` or `arena`. */
struct entry {
	const char *name;	/* as resolved names are */
	const char *whole;	/* the verifier; NULL: there is no good one */
	const char *as;		/* user=, resolved; NULL */
	const char *why;	/* why it cannot log in; NULL */
	struct passwd_line line;
};

struct passwd_table {
	struct buf text;
	struct arena arena;
	const char *main_domain;
	struct entry *entries;
	size_t count, room;
	uint32_t *slots;	/* 1 + index; 0: free */
	size_t mask;
	struct passwd_has has;
	struct scram_keys sha256, sha1;	/* of the first users who have them, for their form */
	size_t sha256_salt, sha1_salt;
	unsigned told;
};

static uint64_t hash_of(const char *name)
{
	uint64_t h = 14695981039346656037U;	/* FNV-1a: names are the file's, looked up by anybody, but put in by its owner */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211U;
	return h ^ h >> 32;
}

static struct entry *find(const struct passwd_table *t, const char *name)
{
	if (!t->count)
		return NULL;
	for (size_t at = hash_of(name) & t->mask;; at = (at + 1) & t->mask) {
		if (!t->slots[at])
			return NULL;
		if (strcmp(t->entries[t->slots[at] - 1].name, name) == 0)
			return &t->entries[t->slots[at] - 1];
	}
}

static bool name_of(const struct passwd_table *t, const char *given, char name[ACCOUNT_NAME_MAX + 1])
{
	char folded[ACCOUNT_NAME_MAX + 1];
	struct err ignored;

	if (!account_name(given, t->main_domain, folded, &ignored))
		return false;
	account_normal(folded, name);
	return true;
}

static void tell(struct passwd_table *t, const char *path, size_t line, const char *name, const char *why)
{
	if (t->told++ < TABLE_TOLD)
		log_warn(NULL, "users=%s line=%zu user=\"%.*s\": %s", path, line, 100, name, why);
}

/* What is kept of the password; NULL: nothing that could be right. */
static const char *verifier_of(struct passwd_table *t, const struct passwd_line *l, const char **why, struct err *e)
{
	char whole[LOGIN_VERIFIER], secret[ACCOUNT_PASSWORD_MAX];
	struct scram_keys keys;
	const char *out = NULL;
	size_t len;

	*why = "its password is locked";
	if (!passwd_line_verifier(l, whole)) {
		(void)err_set(e, ERR_CONFIG, "what is kept of its password is longer than %d octets", LOGIN_VERIFIER - 1);
		*why = "its password cannot be used";
		return NULL;
	}
	switch (scheme_check(whole, e)) {
	case SCHEME_GOOD:
		*why = NULL;
		out = arena_text(&t->arena, span_of(whole));
		break;
	case SCHEME_LOCKED:
		break;
	case SCHEME_BAD:
		*why = "its password cannot be used";
		break;
	}
	if (out && scheme_secret(whole, secret, &len)) {
		t->has.secret = true;
		wipe(secret, len);
	} else if (out) {
		t->has.hash = true;
	}
	for (int sha1 = 0; out && sha1 < 2; sha1++) {
		if (!scheme_scram(whole, sha1, &keys, &len))
			continue;
		if (!(sha1 ? t->has.sha1 : t->has.sha256)) {
			*(sha1 ? &t->sha1 : &t->sha256) = (struct scram_keys){ .iterations = keys.iterations };
			*(sha1 ? &t->sha1_salt : &t->sha256_salt) = len;
		}
		*(sha1 ? &t->has.sha1 : &t->has.sha256) = true;
		wipe(&keys, sizeof keys);
	}
	wipe(whole, sizeof whole);
	return out;
}

static void judge(struct passwd_table *t, struct entry *n, const char *path, size_t line)
{
	char name[ACCOUNT_NAME_MAX + 1], mail[PATH_MAX];
	const char *why;
	struct err e = { 0 };

	n->whole = verifier_of(t, &n->line, &n->why, &e);
	if (e.kind)
		tell(t, path, line, n->name, e.text);
	if (n->line.as && !name_of(t, n->line.as, name))
		n->why = "user= is no name";
	else if (n->line.as)
		n->as = arena_text(&t->arena, span_of(name));
	else if (!passwd_line_mail(&n->line, n->name, mail, &why))
		tell(t, path, line, n->name, n->why = why);
	if (n->line.nologin)
		n->why = "nologin";
	if (n->line.elsewhere || n->line.nopassword) {
		n->why = n->line.elsewhere ? "it is a user of another server (proxy, host)" : "it needs no password (nopassword), and so cannot log in here";
		tell(t, path, line, n->name, n->why);
	}
	if (!passwd_line_nets_good(&n->line)) {
		n->why = "allow_nets has something that is no network";
		tell(t, path, line, n->name, n->why);
	}
}

static bool add(struct passwd_table *t, const struct passwd_line *line, const char *path, size_t number, struct err *e)
{
	char name[ACCOUNT_NAME_MAX + 1];
	struct entry *n;

	if (!name_of(t, line->user, name)) {
		tell(t, path, number, line->alone ? "" : line->user, "this is no user's name");
		return true;
	}
	if (t->count == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		struct entry *more = t->count < TABLE_USERS_MAX ? reallocarray(t->entries, room, sizeof *more) : NULL;

		if (!more)
			return err_set(e, ERR_LOCAL, "no memory for more than %zu users", t->count);
		t->entries = more;
		t->room = room;
	}
	n = &t->entries[t->count++];
	*n = (struct entry){ .name = arena_text(&t->arena, span_of(name)), .line = *line };
	n->line.number = number;
	return true;
}

/* The first line of a name counts; the others are taken out. */
static bool index_all(struct passwd_table *t, const char *path, struct err *e)
{
	size_t slots = 16, kept = 0;

	while (slots < 2 * t->count)
		slots *= 2;
	t->slots = calloc(slots, sizeof *t->slots);
	if (!t->slots)
		return err_set(e, ERR_LOCAL, "no memory for %zu users", t->count);
	t->mask = slots - 1;
	for (size_t n = 0; n < t->count; n++) {
		struct entry one = t->entries[n];
		size_t at = hash_of(one.name) & t->mask;

		while (t->slots[at] && strcmp(t->entries[t->slots[at] - 1].name, one.name) != 0)
			at = (at + 1) & t->mask;
		if (t->slots[at]) {
			tell(t, path, one.line.number, one.name, "this user has a line above already, which counts");
			continue;
		}
		judge(t, &one, path, one.line.number);
		t->entries[kept] = one;
		t->slots[at] = (uint32_t)++kept;
	}
	t->count = kept;
	return true;
}

static bool read_all(struct passwd_table *t, const char *path, struct err *e)
{
	struct passwd_line line;
	char *at = t->text.at, *end = t->text.at + t->text.len;

	for (size_t number = 1; at < end; number++) {
		char *next = memchr(at, '\n', (size_t)(end - at));

		if (!next)
			next = end;	/* where the text's NUL is */
		*next = '\0';
		if (next > at && next[-1] == '\r')
			next[-1] = '\0';
		if (strlen(at) < (size_t)(next - at) - (next > at && !next[-1]))
			tell(t, path, number, "", "a NUL octet is in the line");
		else if (passwd_line_cut(at, &line) && !add(t, &line, path, number, e))
			return false;
		at = next + 1;
	}
	if (!index_all(t, path, e))
		return false;
	if (t->told > TABLE_TOLD)
		log_warn(NULL, "users=%s: %u more lines are not as they should be", path, t->told - TABLE_TOLD);
	return true;
}

struct passwd_table *passwd_table_new(struct buf *text, const char *path, const char *main_domain, struct err *e)
{
	struct passwd_table *t = calloc(1, sizeof *t);

	if (!t || !buf_terminate(text)) {
		free(t);
		buf_wipe(text);
		(void)err_set(e, ERR_LOCAL, "out of memory");
		return NULL;
	}
	t->text = *text;
	*text = (struct buf){ 0 };
	if (main_domain && *main_domain)
		t->main_domain = arena_text(&t->arena, span_of(main_domain));
	if (!read_all(t, path, e))
		passwd_table_free(&t);
	return t;
}

void passwd_table_free(struct passwd_table **out)
{
	struct passwd_table *t = *out;

	if (!t)
		return;
	for (size_t n = 0; n < t->count; n++)
		if (t->entries[n].whole)
			wipe((char *)t->entries[n].whole, strlen(t->entries[n].whole));
	buf_wipe(&t->text);
	free(t->slots);
	free(t->entries);
	arena_end(&t->arena);
	free(t);
	*out = NULL;
}

size_t passwd_table_count(const struct passwd_table *t)
{
	return t->count;
}

struct passwd_has passwd_table_has(const struct passwd_table *t)
{
	return t->has;
}

bool passwd_table_knows(const struct passwd_table *t, const char *name)
{
	return find(t, name);
}

static void fill(const struct entry *n, struct account_login *login)
{
	(void)snprintf(login->verifier, sizeof login->verifier, "%s", n->whole);
	(void)scheme_secret(login->verifier, login->secret, &login->secret_len);
	(void)scheme_scram(login->verifier, false, &login->sha256, &login->sha256_salt);
	login->sha1_there = scheme_scram(login->verifier, true, &login->sha1, &login->sha1_salt);
}

bool passwd_table_find(const struct passwd_table *t, const char *name, const union address *peer, struct account_login *login)
{
	const struct entry *n = find(t, name), *real;
	const char *why;

	if (!n)
		return false;
	passwd_table_like(t, login);
	login->known = true;
	login->why = n->why;
	if (!n->why && !passwd_line_nets_have(&n->line, peer))
		login->why = "its allow_nets are other networks";
	login->there = !login->why;
	if (n->whole)
		fill(n, login);
	if (!login->there) {	/* what is kept is there for its cost alone */
		wipe(login->secret, sizeof login->secret);
		login->secret_len = 0;
		if (!n->whole)
			(void)passwd_table_any(t, hash_of(name), login->verifier);
	}
	real = n->as ? find(t, n->as) : n;
	if (n->as)
		(void)snprintf(login->name, sizeof login->name, "%s", n->as);
	if (passwd_line_mail(real ? &real->line : &n->line, login->name, login->mail, &why))
		return true;
	login->there = false;
	login->why = why;
	return true;
}

bool passwd_table_any(const struct passwd_table *t, uint64_t chance, char verifier[LOGIN_VERIFIER])
{
	for (size_t tries = 0; tries < t->count && tries < 64; tries++) {
		const char *whole = t->entries[(chance + tries) % t->count].whole;

		if (whole)
			(void)snprintf(verifier, LOGIN_VERIFIER, "%s", whole);
		if (whole)
			return true;
	}
	return false;
}

void passwd_table_like(const struct passwd_table *t, struct account_login *login)
{
	if (t->has.sha256) {
		login->sha256.iterations = t->sha256.iterations;
		login->sha256_salt = t->sha256_salt;
	}
	if (t->has.sha1) {
		login->sha1.iterations = t->sha1.iterations;
		login->sha1_salt = t->sha1_salt;
	}
}
