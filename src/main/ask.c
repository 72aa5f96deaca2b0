/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "main/cli.h"
#include "net/child.h"

enum { COMMAND_TIMEOUT_MS = 60000 };

static bool read_line(int fd, const char *what, struct buf *out, bool whole_file, struct err *e)
{
	char c;

	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, ERR_CONFIG, "%s cannot be read", what);
		if (n == 0 || (c == '\n' && !whole_file))
			break;
		if (!buf_add_byte(out, c))
			return err_set(e, ERR_CONFIG, "%s is longer than a password can be", what);
	}
	while (out->len && (out->at[out->len - 1] == '\n' || out->at[out->len - 1] == '\r'))
		out->len--;
	return true;
}

static bool from_file(const char *path, struct buf *out, struct err *e)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return err_errno(e, ERR_CONFIG, "password file %s cannot be opened", path);
	good = read_line(fd, standard ? "standard input" : path, out, true, e);
	if (!standard)
		(void)close(fd);
	return good;
}

static bool from_command(const char *command, struct buf *out, struct err *e)
{
	if (!child_output(command, COMMAND_TIMEOUT_MS, NULL, out, e))
		return err_in(e, "--password-command");
	while (out->len && (out->at[out->len - 1] == '\n' || out->at[out->len - 1] == '\r'))
		out->len--;
	return true;
}

/* The signal keys come as bytes while the password is typed, so that nothing
 * ends us with the terminal's echo switched off. */
static bool read_hidden(int tty, struct buf *out, bool *interrupted, struct err *e)
{
	enum { CTRL_C = 3, CTRL_BACKSLASH = 28, CTRL_Z = 26, CTRL_D = 4 };
	char c;

	while (read(tty, &c, 1) == 1 && c != '\n' && c != '\r' && c != CTRL_D) {
		*interrupted = c == CTRL_C || c == CTRL_BACKSLASH || c == CTRL_Z;
		if (*interrupted)
			return true;
		if (c == '\b' || c == 127)
			out->len -= out->len > 0;
		else if (!buf_add_byte(out, c))
			return err_set(e, ERR_CONFIG, "the password is longer than a password can be");
	}
	return true;
}

static bool from_terminal(int tty, const char *prompt, struct buf *out, struct err *e)
{
	struct termios old, quiet;
	bool interrupted = false;
	bool good;

	if (tcgetattr(tty, &old) < 0)
		return err_errno(e, ERR_LOCAL, "the terminal");
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG | ICANON);
	(void)tcsetattr(tty, TCSAFLUSH, &quiet);	/* before the prompt, since it throws away what was typed so far */
	(void)!write(tty, prompt, strlen(prompt));
	good = read_hidden(tty, out, &interrupted, e);
	(void)tcsetattr(tty, TCSAFLUSH, &old);
	(void)!write(tty, "\n", 1);
	return interrupted ? err_set(e, ERR_LOCAL, "stopped at the password prompt") : good;
}

static bool ask_terminal(int tty, const char *prompt, bool twice, struct buf *out, struct err *e)
{
	struct buf again;
	bool good;

	if (!from_terminal(tty, prompt, out, e))
		return false;
	if (!twice)
		return true;
	buf_start(&again, out->max);
	good = from_terminal(tty, "Again: ", &again, e) &&
	       (span_equal(buf_span(out), buf_span(&again)) || err_set(e, ERR_CONFIG, "the two passwords differ; try again"));
	buf_wipe(&again);
	return good;
}

bool ask_password(struct cli *cli, const char *prompt, bool twice, struct buf *out, bool *given, struct err *e)
{
	const char *file = cli_option(cli, "password-file");
	const char *command = cli_option(cli, "password-command");
	bool good;
	int tty;

	*given = true;
	if (file)
		return from_file(file, out, e);
	if (command)
		return from_command(command, out, e);
	*given = false;
	tty = isatty(STDIN_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1;
	if (tty < 0)
		return true;
	*given = true;
	good = ask_terminal(tty, prompt, twice, out, e);
	(void)close(tty);
	return good;
}
