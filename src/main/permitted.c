/* SPDX-License-Identifier: Apache-2.0 */
#include "main/permitted.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "config/settings_pop3.h"

enum { ENTRIES_MAX = 1000000, ANSWER_MAX = 8192, DIRECTORY_MODE = 0700, NAME = 64 };

/* --- the child --- */

/* Its memory is a copy of ours; it says what it found through the pipe, and is gone. */
typedef void asked(const void *about, int out);

static _Noreturn void be(const struct privileges *p, asked *ask, const void *about, int out)
{
	if (setgroups((size_t)p->group_count, p->groups) != 0 || setresgid(p->gid, p->gid, p->gid) != 0 || setresuid(p->uid, p->uid, p->uid) != 0)
		_exit(1);
	ask(about, out);
	_exit(0);
}

/* All that fits of what it said. */
static size_t hear(int from, char *answer, size_t size)
{
	char rest[256];
	size_t len = 0;
	ssize_t n;

	for (;;) {
		n = len < size ? read(from, answer + len, size - len) : read(from, rest, sizeof rest);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return len;
		if (len < size)
			len += (size_t)n;
	}
}

static bool ask_as(const struct privileges *p, asked *ask, const void *about, char *answer, size_t size, size_t *len, struct err *e)
{
	int ends[2], status = 0;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(e, ERR_LOCAL, "no pipe");
	child = fork();
	if (child == 0)
		be(p, ask, about, ends[1]);
	(void)close(ends[1]);
	*len = child > 0 ? hear(ends[0], answer, size) : 0;
	(void)close(ends[0]);
	if (child < 0)
		return err_errno(e, ERR_LOCAL, "no process");
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		|| err_set(e, ERR_LOCAL, "run_as: root cannot become %s (capabilities CAP_SETUID and CAP_SETGID?)", p->user);
}

static void say(int out, const void *at, size_t len)
{
	while (write(out, at, len) < 0 && errno == EINTR)
		;
}

/* --- the state directory --- */

/* The way there: each folder above must let the user through. */
static bool passes(const char *path, int out)
{
	char part[ANSWER_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int n = snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);

		if (n < 0 || (size_t)n >= sizeof part || access(part, X_OK) == 0)
			continue;
		say(out, "/", 1);
		say(out, part, strlen(part));
		return false;
	}
	return true;
}

static bool can_use(const FTSENT *f)
{
	switch (f->fts_info) {
	case FTS_D:
		return access(f->fts_accpath, R_OK | W_OK | X_OK) == 0;
	case FTS_DP:
	case FTS_SL:
	case FTS_SLNONE:
	case FTS_NS:			/* it vanished meanwhile, or its folder is told already */
		return true;
	case FTS_F:
		return access(f->fts_accpath, R_OK | W_OK) == 0;
	default:
		return access(f->fts_accpath, W_OK) == 0;
	}
}

/* The rest is backups, stores that were kept aside by a restore, and whatever else lies there: root's, perhaps, and rightly. */
static bool is_of_run(const char *name)
{
	static const char *const names[] = { "store", "store.restoring", "lock", "run.lock", "control", "secret.key", "secret.key.new",
		"vault.key", "vault.key.new" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Says the first path in it that the user cannot use: "=PATH"; or "/FOLDER", above it. */
static void ask_state(const void *about, int out)
{
	const char *state = about;
	char *const paths[] = { (char *)(uintptr_t)state, NULL };
	FTS *walk;
	FTSENT *f;

	if (!passes(state, out))
		return;
	walk = fts_open(paths, FTS_COMFOLLOW | FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	for (size_t n = 0; walk && n < ENTRIES_MAX && (f = fts_read(walk)); n++) {
		if (f->fts_level == 1 && !is_of_run(f->fts_name)) {
			(void)fts_set(walk, f, FTS_SKIP);
			continue;
		}
		if (can_use(f))
			continue;
		say(out, "=", 1);
		say(out, f->fts_path, strlen(f->fts_path));
		return;
	}
	if (!walk)
		_exit(1);
}

/* A folder that was not there is root's own until it is given away. */
static bool make_state(const struct privileges *p, const char *state, struct err *e)
{
	struct stat st;
	int fd;
	bool good;

	if (mkdir(state, DIRECTORY_MODE) != 0) {
		if (errno == EEXIST)
			return true;
		return err_errno(e, ERR_CONFIG, "state: %s cannot be made; run: install -d -m 700 -o %s -g %s %s", state, p->user, p->group, state);
	}
	fd = open(state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	good = fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0 && fchown(fd, p->uid, p->gid) == 0;
	if (!good)
		(void)err_errno(e, ERR_LOCAL, "state: %s was made, and cannot be given to %s", state, p->user);
	if (fd >= 0)
		(void)close(fd);
	return good;
}

static const char *owner_of(const char *path, char out[NAME])
{
	const struct passwd *owner;
	struct stat st;

	if (lstat(path, &st) != 0)
		return "somebody else";
	owner = getpwuid(st.st_uid);
	if (owner)
		(void)snprintf(out, NAME, "%.*s", NAME - 1, owner->pw_name);
	else
		(void)snprintf(out, NAME, "user %u", (unsigned)st.st_uid);
	return out;
}

bool permitted_state(const struct privileges *p, const char *state, struct err *e)
{
	char answer[ANSWER_MAX + 1], owner[NAME];
	size_t len;

	if (p->how != PRIVILEGES_BECOME)
		return true;
	if (!make_state(p, state, e) || !ask_as(p, ask_state, state, answer, ANSWER_MAX, &len, e))
		return false;
	if (!len)
		return true;
	answer[len] = '\0';
	if (answer[0] == '/')
		return err_set(e, ERR_CONFIG, "state: %s lies in %s, where %s may not go; write another, such as /var/lib/postrider", state, answer + 1, p->user);
	return err_set(e, ERR_CONFIG, "state: %s is %s's, and %s cannot use it; run: chown -R %s:%s %s", answer + 1,
		owner_of(answer + 1, owner), p->user, p->user, p->group, state);
}

/* --- files to be read again --- */

/* Says the numbers of those that the user cannot read, as uint32_t. */
struct files {
	const struct settings *settings;
	size_t count;
	struct file {
		const char *key, *path;
		const char *file;	/* of the configuration, and the line; NULL: none */
		uint32_t line;
		bool alone;	/* a group that can read it is refused */
	} *at;
};

/* Without `all->at` they are only counted. */
static void add_file(struct files *all, const char *key, const char *path, struct where where, bool alone)
{
	if (!path)
		return;
	if (all->at)
		all->at[all->count] = (struct file){ key, path, where.file, where.line, alone };
	all->count++;
}

static void add(struct files *all, const char *key, const char *path, struct where where)
{
	add_file(all, key, path, where, false);
}

static void list(struct files *all)
{
	const struct settings *s = all->settings;
	const struct pop3_settings *p = s->pop3;
	const struct where nowhere = { 0 };

	all->count = 0;
	add(all, "the configuration", s->file, nowhere);
	add(all, "connections_dir", s->connections_dir, nowhere);
	if (p) {
		add(all, "certificate", p->certificate, p->where);
		add(all, "key", p->key, p->where);
		add(all, "ca_certificates", p->ca_certificates, p->where);
		for (size_t i = 0; i < p->user_count; i++)
			if (p->users[i].kind == POP3_USERS_PASSWD_FILE)
				add(all, "users", p->users[i].text, p->where);
		if (p->oauth.client_secret.kind == SECRET_FILE)
			add_file(all, "oauth.client_secret", p->oauth.client_secret.text, p->oauth.where, true);
		add(all, "oauth.ca_certificates", p->oauth.ca_certificates, p->oauth.where);
	}
	for (size_t i = 0; i < s->connection_count; i++) {
		const struct connection *c = s->connections[i];

		if (c->password.kind == SECRET_FILE)
			add_file(all, "password", c->password.text, c->where, true);
		if (c->oauth.client_secret.kind == SECRET_FILE)
			add_file(all, "oauth.client_secret", c->oauth.client_secret.text, c->where, true);
		add(all, "oauth.ca_certificates", c->oauth.ca_certificates, c->where);
		add_file(all, "tls.certificate", c->tls.certificate, c->where, !c->tls.key);
		add_file(all, "tls.key", c->tls.key, c->where, true);
		add(all, "tls.ca_certificates", c->tls.ca_certificates, c->where);
		add(all, "tls.crl", c->tls.crl, c->where);
	}
}

static void ask_files(const void *about, int out)
{
	const struct files *all = about;

	for (uint32_t i = 0; i < all->count; i++)
		if (access(all->at[i].path, R_OK) != 0 && errno == EACCES)
			say(out, &i, sizeof i);
}

static void warn(const struct privileges *p, const struct file *f)
{
	char line[32] = "";

	if (f->file)
		(void)snprintf(line, sizeof line, ":%u: ", (unsigned)f->line);
	log_warn(NULL, "%s%s%s: %s cannot be read by %s, and a reload will fail; %s %s it and chmod %s, and let %s through the folders above",
		f->file ? f->file : "", line, f->key, f->path, p->user, f->alone ? "chown" : "chgrp", f->alone ? p->user : p->group,
		f->alone ? "600" : "640", p->user);
}

size_t permitted_files(const struct privileges *p, const struct settings *s)
{
	struct files all = { .settings = s };
	uint32_t wrong[ANSWER_MAX / sizeof(uint32_t)];
	size_t len = 0;
	struct err e;

	if (p->how != PRIVILEGES_BECOME)
		return 0;
	list(&all);
	all.at = calloc(all.count + 1, sizeof *all.at);
	if (!all.at)
		return 0;
	list(&all);
	if (!ask_as(p, ask_files, &all, (char *)wrong, sizeof wrong, &len, &e))
		log_warn(NULL, "%s", e.text);
	for (size_t i = 0; i < len / sizeof wrong[0]; i++)
		warn(p, &all.at[wrong[i]]);
	free(all.at);
	return len / sizeof wrong[0];
}
