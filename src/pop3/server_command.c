/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "pop3/server_internal.h"

/* Everything the server understands, and when.  A new command is a new row. */
static const struct verb {
	char name[5];
	uint8_t phases, args_min, args_max;
	bool (*run)(struct p3d *s, const struct args *a, struct p3d_event *ev);
} verbs[] = {
	{ "APOP", PHASE_AUTH,               2, UINT8_MAX, server_apop },
	{ "AUTH", PHASE_AUTH,               0, 2, server_auth },
	{ "CAPA", PHASE_AUTH | PHASE_TRANS, 0, 0, server_capa },
	{ "DELE", PHASE_TRANS,              1, 1, server_dele },
	{ "LANG", PHASE_AUTH | PHASE_TRANS, 0, 1, server_lang },
	{ "LIST", PHASE_TRANS,              0, 1, server_list },
	{ "NOOP", PHASE_TRANS,              0, 0, server_noop },
	{ "PASS", PHASE_AUTH,               0, UINT8_MAX, server_pass },
	{ "QUIT", PHASE_AUTH | PHASE_TRANS, 0, 0, server_quit },
	{ "RETR", PHASE_TRANS,              1, 1, server_retr },
	{ "RSET", PHASE_TRANS,              0, 0, server_rset },
	{ "STAT", PHASE_TRANS,              0, 0, server_stat },
	{ "STLS", PHASE_AUTH,               0, 0, server_stls },
	{ "TOP",  PHASE_TRANS,              2, 2, server_top },
	{ "UIDL", PHASE_TRANS,              0, 1, server_uidl },
	{ "USER", PHASE_AUTH,               1, UINT8_MAX, server_user },
	{ "UTF8", PHASE_AUTH,               0, 0, server_utf8 },
	{ "XTND", PHASE_TRANS,              1, 1, server_xtnd },
};

void server_bad(struct p3d *s, struct p3d_event *ev, const char *text)
{
	s->bad++;
	if (s->bad < P3D_BAD_MAX) {
		server_say(s, text);
		return;
	}
	server_say(s, "-ERR too many lines that are no commands");
	server_over(s, ev, P3D_BYE);
}

/* `rest` is the line from the blank behind the command's word on, or empty. */
static struct args parse_args(struct span rest)
{
	struct args a = { .blank = rest.len, .rest = span_from(rest, 1) };
	struct span left = a.rest, word;

	while (a.count <= COUNT(a.word) && span_word(&left, &word)) {
		if (a.count < COUNT(a.word))
			a.word[a.count] = word;
		a.count++;
	}
	return a;
}

static const struct verb *find_verb(struct span word)
{
	for (const struct verb *v = verbs; v < verbs + COUNT(verbs); v++)
		if (span_equal_nocase(word, span_of(v->name)))
			return v;
	return NULL;
}

static void dispatch(struct p3d *s, struct span line, struct p3d_event *ev)
{
	size_t blank = span_find(line, ' ');
	const struct verb *v = find_verb((struct span){ line.at, blank });
	struct args a = parse_args(span_from(line, blank));

	if (!v)
		server_bad(s, ev, "-ERR unknown command");
	else if (!(v->phases & s->phase))
		server_bad(s, ev, s->phase == PHASE_AUTH ? "-ERR not before the login" : "-ERR not after the login");
	else if (a.count < v->args_min || a.count > v->args_max)
		server_bad(s, ev, "-ERR wrong number of arguments");
	else if (!v->run(s, &a, ev))
		server_bad(s, ev, "-ERR wrong arguments");
	else
		s->bad = 0;
}

/* The longer lines that the octets in front may be: AUTH with its initial response. */
static bool may_be_auth(const struct p3d *s)
{
	return s->phase == PHASE_AUTH && span_starts_nocase(s->in, SPAN("AUTH "));
}

void server_command(struct p3d *s, struct p3d_event *ev)
{
	bool auth = may_be_auth(s);
	struct span line;
	size_t size;

	if (!server_line(s, auth ? P3D_AUTH_MAX : P3D_LINE_MAX, &line, &size, ev))
		return;
	if (s->stop) {
		s->words = span_of(s->stop);
		s->code = P3D_CODE_SYS_TEMP;
		server_say_refusal(s);
		server_over(s, ev, P3D_BYE);
	} else if (size > P3D_COMMAND_MAX && !auth) {
		server_bad(s, ev, "-ERR the command is too long");
	} else if (span_has_control(line)) {
		server_bad(s, ev, "-ERR control octets in a command");
	} else {
		dispatch(s, line, ev);
	}
}
