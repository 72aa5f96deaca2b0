/* SPDX-License-Identifier: Apache-2.0
 * postrider import: another tool's configuration as one of ours */
#include <errno.h>
#include <stdio.h>

#include "config/import.h"
#include "main/commands.h"

/* The whole file; "-" is standard input. */
static bool load(const char *path, struct buf *text, struct err *e)
{
	bool own = strcmp(path, "-") != 0;
	FILE *f = own ? fopen(path, "re") : stdin;
	size_t n = 1;
	bool good;

	if (!f)
		return err_errno(e, ERR_CONFIG, "%s cannot be opened", path);
	(void)setvbuf(f, NULL, _IONBF, 0);	/* no copy of what may be secret */
	while (n) {
		n = fread(text->at + text->len, 1, text->cap - text->len, f);
		text->len += n;
	}
	good = !ferror(f) || err_errno(e, ERR_CONFIG, "%s cannot be read", path);
	if (own)
		(void)fclose(f);
	return good;
}

static bool import(const char *path, enum import_format format, struct buf *text, struct buf *out, struct err *e)
{
	if (!buf_room(text, IMPORT_FILE_MAX + 1))
		return err_set(e, ERR_LOCAL, "out of memory");
	return load(path, text, e) && import_read(format, strcmp(path, "-") == 0 ? "stdin" : path, buf_span(text), out, e);
}

static int run(struct cli *cli)
{
	enum import_format format;
	struct buf text, out;
	struct err e;
	bool good;

	if (cli->arg_count != 2)
		return cli_usage(cli, "takes a format and a file: import fetchmail|getmail|mpop|mbsync|bs2000 FILE");
	if (!import_format_of(cli->args[0], &format))
		return cli_usage(cli, "there is no format %.40s; write fetchmail, getmail, mpop, mbsync or bs2000", cli->args[0]);
	buf_start(&text, IMPORT_FILE_MAX + 1);
	buf_start(&out, IMPORT_OUT_MAX);
	good = import(cli->args[1], format, &text, &out, &e);
	if (good)
		(void)fwrite(out.at, 1, out.len, stdout);
	else
		(void)fprintf(stderr, "%s\n", e.text);
	buf_wipe(&text);
	buf_wipe(&out);
	return good ? EXIT_GOOD : EXIT_USAGE;
}

const struct command cmd_import = {
	.name = "import", .usage = "fetchmail|getmail|mpop|mbsync|bs2000 FILE", .does = "another tool's configuration, as one of Postrider's", .run = run,
	.help = "Prints it; nothing is changed.  What cannot be carried over is a comment with its line.  \"-\" is standard input.\n"
		"  fetchmail  ~/.fetchmailrc\n"
		"  getmail    ~/.config/getmail/getmailrc, or another of its files: one account each\n"
		"  mpop       ~/.mpoprc\n"
		"  mbsync     ~/.mbsyncrc: mail of IMAP stores into Maildirs, one way\n"
		"  bs2000     the parameter file of BS2000's mail reader\n"
		"Passwords come along, so:  (umask 077; postrider import mpop ~/.mpoprc > postrider.conf); postrider -c postrider.conf check\n"
		"What was fetched before, Postrider does not know: `postrider baseline NAME` marks what is on the server now as seen.\n",
};
