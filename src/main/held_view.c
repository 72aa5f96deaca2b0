/* SPDX-License-Identifier: Apache-2.0 */
#include "main/held_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "main/say.h"

/* ---- the message */

struct writing {
	int fd;
	bool terminal;		/* which must not be told to do anything */
};

static bool write_all(int fd, struct span octets, struct err *e)
{
	while (octets.len) {
		ssize_t n = write(fd, octets.at, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(e, ERR_LOCAL, "write");
		octets = span_from(octets, (size_t)n);
	}
	return true;
}

/* A piece may end within a character: then that is '?', on a terminal only. */
static bool write_clean(int fd, struct span octets, struct err *e)
{
	char *text = malloc(octets.len + 1);
	size_t len = 0, from = 0;
	bool good;

	if (!text)
		return err_set(e, ERR_LOCAL, "out of memory");
	for (size_t n = 0; n < octets.len; n++)
		if (octets.at[n] != '\r')
			text[len++] = octets.at[n];
	for (size_t n = 0; n <= len; n++)
		if (n == len || text[n] == '\n' || text[n] == '\t') {
			text_clean(text + from, n - from);
			from = n + 1;
		}
	good = write_all(fd, (struct span){ text, len }, e);
	free(text);
	return good;
}

static bool take(void *user, struct span octets, struct err *e)
{
	const struct writing *w = user;

	return w->terminal ? write_clean(w->fd, octets, e) : write_all(w->fd, octets, e);
}

static int raw(struct cli *cli, json_t *args)
{
	struct writing w = { STDOUT_FILENO, isatty(STDOUT_FILENO) };
	struct err e;

	(void)fflush(stdout);
	return ask_octets(cli->ask, "held.message", args, take, &w, &e) ? EXIT_GOOD : cli_failed(cli, &e);
}

static int into(struct cli *cli, json_t *args, const char *path)
{
	struct writing w = { .fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) };
	struct err e;
	bool good;

	if (w.fd < 0) {
		(void)err_errno(&e, ERR_CONFIG, "%.200s", path);
		json_decref(args);
		return cli_failed(cli, &e);
	}
	good = ask_octets(cli->ask, "held.message", args, take, &w, &e);
	if (fsync(w.fd) != 0 && good && errno != EINVAL)
		good = err_errno(&e, ERR_LOCAL, "%.200s", path);
	(void)close(w.fd);
	if (!good)
		(void)unlink(path);
	return good ? EXIT_GOOD : cli_failed(cli, &e);
}

/* ---- what is known of it */

static void print_clean(struct span octets)
{
	struct err e;

	(void)fflush(stdout);
	(void)!write_clean(STDOUT_FILENO, octets, &e);
}

static void print_fact(const char *name, const char *text)
{
	if (!*text)
		return;
	(void)printf("%-12s ", name);
	print_clean(span_of(text));
	(void)putchar('\n');
}

static void print_number(const char *name, uint64_t n)
{
	(void)printf("%-12s %llu\n", name, (unsigned long long)n);
}

static void print(const json_t *row)
{
	static const char *const before[] = { "id", "state", "connection", "account", "target", "uid", "sender" };
	static const char *const behind[] = { "since", "tried", "next", "why" };
	const json_t *to;
	size_t n;

	for (n = 0; n < COUNT(before); n++)
		print_fact(before[n], json_member_text(row, before[n]));
	json_array_foreach(json_object_get(row, "to"), n, to)
		print_fact("recipient", json_string_value(to));
	print_number("octets", json_member_number(row, "octets"));
	print_number("attempts", json_member_number(row, "attempts"));
	for (n = 0; n < COUNT(behind); n++)
		print_fact(behind[n], json_member_text(row, behind[n]));
	(void)putchar('\n');
	print_clean(span_of(json_member_text(row, "header")));
}

static int facts(struct cli *cli, json_t *args)
{
	json_t *row;
	struct err e;

	if (!ask_call(cli->ask, "held.show", args, &row, &e))
		return cli_failed(cli, &e);
	if (cli->json) {
		json_print(row);
	} else {
		print(row);
		json_decref(row);
	}
	return EXIT_GOOD;
}

int held_view(struct cli *cli, const char *id)
{
	const char *path = cli_option(cli, "output");
	bool whole = cli_option(cli, "raw");
	json_t *args;

	if (path && whole)
		return cli_usage(cli, "--raw and --output FILE are two ways to say it: take one");
	args = over_args(cli, "id", id);
	if (!args)
		return EXIT_USAGE;
	return path ? into(cli, args, path) : whole ? raw(cli, args) : facts(cli, args);
}
