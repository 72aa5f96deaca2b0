/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/trace.h"

#include <stdio.h>

#include "wire/header.h"

static const struct masked {
	struct span verb;
	size_t words;		/* so many are shown; 0 = all */
} before_login[] = {
	{ SPAN("CAPA"), 0 }, { SPAN("STLS"), 0 }, { SPAN("QUIT"), 0 }, { SPAN("USER"), 0 },
	{ SPAN("AUTH"), 2 }, { SPAN("APOP"), 2 }, { SPAN("PASS"), 1 },
};

void trace_mask(struct span line, bool logged_in, char out[TRACE_LINE_MAX])
{
	const struct masked *m = before_login;
	struct span rest = line, word = { 0 };
	size_t shown = 0;

	(void)span_word(&rest, &word);
	while (!logged_in && m < before_login + COUNT(before_login) && !span_equal_nocase(word, m->verb))
		m++;
	if (!logged_in && m == before_login + COUNT(before_login)) {
		(void)snprintf(out, TRACE_LINE_MAX, "***");
		return;
	}
	if (logged_in || !m->words) {
		(void)snprintf(out, TRACE_LINE_MAX, "%.*s", (int)line.len, line.at);
		return;
	}
	for (size_t n = 1; n < m->words && span_word(&rest, &word); n++)
		continue;
	shown = (size_t)(word.at + word.len - line.at);
	(void)snprintf(out, TRACE_LINE_MAX, "%.*s%s", (int)shown, line.at, shown < line.len ? " ***" : "");
}

static struct span next_line(struct span *s)
{
	size_t n = span_find(*s, '\n');
	struct span line = { s->at, n };

	*s = span_from(*s, n + 1);
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

void trace_out(const struct visit *v, struct span out)
{
	char shown[TRACE_LINE_MAX];

	if (v->with->trace == TRACE_OFF)
		return;
	while (out.len) {
		trace_mask(next_line(&out), v->phase != VISIT_CONNECTING, shown);
		log_info(&v->tag, "trace C: %s", shown);
	}
}

void trace_in(const struct visit *v, struct span in)
{
	if (v->with->trace != TRACE_WIRE)
		return;
	while (in.len) {
		struct span line = next_line(&in);
		bool challenge = v->phase == VISIT_CONNECTING && span_starts(line, SPAN("+ "));
		char shown[TRACE_LINE_MAX + 1];

		header_value(challenge ? SPAN("+ ***") : line, shown, sizeof shown);
		secret_hide(v, shown);
		log_info(&v->tag, "trace S: %s", shown);
	}
}

void trace_event(const struct visit *v, const char *what, uint32_t number)
{
	if (v->with->trace == TRACE_PROTOCOL)
		log_info(&v->tag, "trace S: %s number=%u", what, number);
}
