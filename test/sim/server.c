/* SPDX-License-Identifier: Apache-2.0
 * What is the same for every model server: lines in, octets out, and the
 * command at which its end breaks. */
#include "server.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { SAY_MAX = 8192 };

static bool is_pop3(void)
{
	return world->plan.protocol == PROTOCOL_POP3;
}

void session_put(struct session *s, struct span octets)
{
	if (s->out_len + octets.len > s->out_cap) {
		s->out_cap = 2 * (s->out_len + octets.len);
		s->out = realloc(s->out, s->out_cap);
		assert(s->out);
	}
	if (octets.len)
		memcpy(s->out + s->out_len, octets.at, octets.len);
	s->out_len += octets.len;
}

void session_say(struct session *s, const char *format, ...)
{
	char line[SAY_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	assert(n >= 0 && n < SAY_MAX);
	session_put(s, (struct span){ line, (size_t)n });
	session_put(s, SPAN("\r\n"));
	told("S: %s", line);
}

static const char *word_to_lose(void)
{
	static const char *const pop3[] = { "RETR", "DELE", "QUIT", "QUIT", "QUIT", "UIDL", "LIST" };
	static const char *const imap[] = { "SELECT", "FETCH", "SEARCH", "STORE", "COPY", "COPY", "MOVE", "MOVE", "EXPUNGE", "EXPUNGE",
		"EXPUNGE", "LOGOUT" };

	if (one_in(3))
		return NULL;
	return is_pop3() ? pop3[below(COUNT(pop3))] : imap[below(COUNT(imap))];
}

struct session *session_new(void)
{
	struct session *s = calloc(1, sizeof *s);

	assert(s);
	if (!peaceful() && percent(world->plan.fault_percent)) {
		s->lost_word = word_to_lose();
		s->lost_count = 1 + (uint32_t)log_below(s->lost_word ? 8 : 60);
		s->lost_after = one_in(2);
	}
	if (is_pop3())
		pop3d_start(s);
	else
		imapd_start(s);
	return s;
}

/* Is this the command that breaks?  Its name is the line's first word, or any
 * of an IMAP line's. */
static bool loses(struct session *s, struct span line)
{
	struct span word;

	if (!s->lost_count)
		return false;
	if (!s->lost_word)
		return --s->lost_count == 0;
	while (span_word(&line, &word))
		if (span_equal_nocase(word, span_of(s->lost_word)))
			return --s->lost_count == 0;
	return false;
}

static enum cut some_cut(void)
{
	return one_in(3) ? CUT_SILENT : one_in(2) ? CUT_RESET : CUT_END;
}

static void take_line(struct session *s, struct span line)
{
	size_t before = s->out_len;
	bool lost = loses(s, line);

	told("C: %.*s", (int)line.len, line.at);
	s->heard_us = world->now_us;
	if (lost && !s->lost_after) {
		told("server: breaks before that is done");
		s->cut = some_cut();
		return;
	}
	if (is_pop3())
		pop3d_line(s, line);
	else
		imapd_line(s, line);
	if (lost && s->out_len >= before) {
		told("server: breaks when that is done");
		s->out_len = before + below(s->out_len - before + 1);
		s->cut = some_cut();
	}
}

void session_input(struct session *s, struct span octets)
{
	for (size_t n = 0; n < octets.len && !s->gone && !s->closing && !s->cut; n++) {
		struct span line = { s->line, s->line_len };

		if (octets.at[n] != '\n') {
			assert(s->line_len < sizeof s->line);
			s->line[s->line_len++] = octets.at[n];
			continue;
		}
		if (line.len && line.at[line.len - 1] == '\r')
			line.len--;
		s->line_len = 0;
		take_line(s, line);
	}
}

void session_gone(struct session *s)
{
	if (s->gone)
		return;
	s->gone = true;
	if (is_pop3())
		pop3d_gone(s);
}
