/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/greeting.h"

static const struct row {
	struct span begins;
	enum greeting kind;
} rows[] = {
	{ SPAN("+OK"), GREETING_POP3 }, { SPAN("-ERR"), GREETING_POP3 },
	{ SPAN("* OK"), GREETING_IMAP }, { SPAN("* PREAUTH"), GREETING_IMAP }, { SPAN("* BYE"), GREETING_IMAP },
	{ SPAN("220 "), GREETING_SMTP }, { SPAN("220-"), GREETING_SMTP }, { SPAN("421 "), GREETING_SMTP }, { SPAN("554 "), GREETING_SMTP },
	{ SPAN("HTTP/"), GREETING_HTTP }, { SPAN("SSH-"), GREETING_SSH },
	{ SPAN("\x15\x03"), GREETING_TLS }, { SPAN("\x16\x03"), GREETING_TLS },
};

enum greeting greeting_of(struct span first)
{
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		if (span_starts_nocase(first, r->begins))
			return r->kind;
	return GREETING_UNKNOWN;
}

const char *greeting_name(enum greeting g)
{
	switch (g) {
	case GREETING_POP3:
		return "a POP3 server";
	case GREETING_IMAP:
		return "an IMAP server";
	case GREETING_SMTP:
		return "an SMTP (or FTP) server";
	case GREETING_HTTP:
		return "a web server (HTTP)";
	case GREETING_SSH:
		return "an SSH server";
	case GREETING_TLS:
		return "a server that begins with TLS";
	case GREETING_UNKNOWN:
		break;
	}
	return "an unknown kind of server";
}
