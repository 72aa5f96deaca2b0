/* SPDX-License-Identifier: Apache-2.0
 *
 * login_lines FORMAT FILE: what the service would log of clients, for fail2ban's tests.
 *
 * Each line of standard input is a client: ADDRESS USER, the user in hexadecimal.
 * Its failed login is logged, and a session that knows the same user: everything
 * that can bring a client's words into the log. */
#include <stdio.h>
#include <string.h>

#include "serve/says.h"

enum { LINE = 16384 };

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static size_t unhex(const char *text, char *out)
{
	size_t len = 0;

	for (; digit(text[0]) >= 0 && digit(text[1]) >= 0; text += 2)
		out[len++] = (char)(digit(text[0]) << 4 | digit(text[1]));
	return len;
}

static bool client(char *line)
{
	char *blank = strchr(line, ' '), user[LINE], reason[LINE + 1], out[SAYS_MAX];
	struct tag session = { &says_pop, "session", "17" };
	struct says_login login = { .mechanism = "PLAIN", .user = { user, 0 } };
	struct says_session over = { .mechanism = "PLAIN", .tls = "TLSv1.3", .end = SAYS_CLOSED };
	union address address;

	if (!blank)
		return false;
	*blank = '\0';
	if (!address_parse(line, 50000, &address))
		return false;
	login.user.len = unhex(blank + 1, user);
	memcpy(reason, user, login.user.len);
	reason[login.user.len] = '\0';
	login.address = over.address = &address;
	login.reason = reason;
	over.user = login.user;
	log_warn(&session, "%s", says_login_failed(&login, out));
	log_info(&session, "%s", says_session_over(&over, out));
	log_warn(&session, "the login of %s could not be looked up", reason);
	return true;
}

int main(int argc, char **argv)
{
	static const char *const formats[] = { [LOG_TEXT] = "text", [LOG_JSON] = "json", [LOG_JOURNAL] = "journal" };
	char line[LINE];
	struct err e;

	for (enum log_format f = LOG_TEXT; argc == 3 && f < LOG_FORMATS; f++)
		if (strcmp(argv[1], formats[f]) == 0 && log_start(LOG_DEBUG, f, argv[2], &e)) {
			while (fgets(line, sizeof line, stdin))
				if (!client(line))
					return 1;
			return 0;
		}
	(void)fprintf(stderr, "usage: login_lines text|json|journal FILE\n");
	return 2;
}
