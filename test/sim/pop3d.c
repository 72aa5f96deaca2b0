/* SPDX-License-Identifier: Apache-2.0
 * A model POP3 server: a snapshot at login, deletion at QUIT, and odd ways. */
#include <stdio.h>

#include "server.h"

static void good(struct session *s)
{
	session_say(s, "+OK");
}

static struct mail *mail_of(struct session *s, struct span word, size_t *number)
{
	uint64_t n;

	if (!span_number(word, s->count, &n) || !n || s->marked[n - 1])
		return NULL;
	*number = (size_t)n;
	return &world->mails[s->mails[n - 1]];
}

static void no_such(struct session *s)
{
	session_say(s, "-ERR no such message");
}

static void capa(struct session *s)
{
	good(s);
	if (world->plan.uids != UIDS_NONE)
		session_say(s, "UIDL");
	session_say(s, "USER");
	session_say(s, "TOP");
	if (world->plan.pipelining)
		session_say(s, "PIPELINING");
	session_say(s, "RESP-CODES");
	session_say(s, ".");
}

static void log_in(struct session *s)
{
	if (fault(40)) {
		session_say(s, one_in(2) ? "-ERR [IN-USE] another session has it" : "-ERR [SYS/TEMP] later");
		return;
	}
	s->logged_in = true;
	for (size_t n = 0; n < world->mail_count; n++)
		if (world->mails[n].present)
			s->mails[s->count++] = (uint32_t)n;
	good(s);
	while (!world->calm && one_in(6))	/* it shows in the next session */
		if (world->plan.uids != UIDS_DOUBLED)
			origin_arrives();
		else
			break;
}

static void stat(struct session *s)
{
	size_t octets = 0;

	for (size_t n = 0; n < s->count; n++)
		octets += world->mails[s->mails[n]].len;
	session_say(s, "+OK %zu %zu", s->count, octets);
}

static void list(struct session *s, bool ids)
{
	if (ids && world->plan.uids == UIDS_NONE) {
		session_say(s, "-ERR what is that?");
		return;
	}
	if (fault(100)) {
		session_say(s, "-ERR [SYS/TEMP] later");
		return;
	}
	good(s);
	for (size_t n = 0; n < s->count; n++) {
		const struct mail *m = &world->mails[s->mails[n]];

		if (s->marked[n])
			continue;
		if (ids)
			session_say(s, "%zu %s", n + 1, m->uid);
		else
			session_say(s, "%zu %zu", n + 1, m->len);
	}
	session_say(s, ".");
}

static void put_text(struct session *s, const struct mail *m, bool header_only)
{
	struct span text = { m->text, m->len };

	while (text.len) {
		size_t n = span_find(text, '\n') + 1;

		if (text.at[0] == '.')
			session_put(s, SPAN("."));
		session_put(s, (struct span){ text.at, n });
		if (header_only && n == 2)
			break;
		text = span_from(text, n);
	}
	session_put(s, SPAN(".\r\n"));
}

static void retr(struct session *s, struct span args, bool top)
{
	struct span word, much;
	struct mail *m;
	size_t number;
	uint64_t n = UINT64_MAX;

	if (!span_word(&args, &word) || !(m = mail_of(s, word, &number)) ||
	    (top && (!span_word(&args, &much) || !span_number(much, UINT32_MAX, &n)))) {
		no_such(s);
		return;
	}
	if (fault(60)) {
		session_say(s, "-ERR not now");
		return;
	}
	session_say(s, "+OK here is message %u", (unsigned)(m - world->mails));
	put_text(s, m, top && n == 0);
}

static void dele(struct session *s, struct span args)
{
	struct span word;
	size_t number;

	if (!span_word(&args, &word) || !mail_of(s, word, &number)) {
		no_such(s);
		return;
	}
	if (fault(100)) {
		session_say(s, "-ERR not now");
		return;
	}
	s->marked[number - 1] = true;
	good(s);
}

/* Some that are marked, or all. */
static void remove_marked(struct session *s, bool all)
{
	for (size_t n = 0; n < s->count; n++) {
		struct mail *m = &world->mails[s->mails[n]];

		if (s->marked[n] && m->present && (all || one_in(2)))
			origin_remove(m, true);
	}
}

static void quit(struct session *s)
{
	bool trusted = world->plan.uids == UIDS_GOOD && !world->plan.wholesale;	/* else nobody could know */
	bool refused = s->logged_in && fault(30), ignored = !refused && trusted && fault(60);

	deed();
	if (!ignored)
		remove_marked(s, !refused);
	deed();
	session_say(s, refused ? "-ERR some are not removed" : "+OK bye");
	s->closing = true;
}

void pop3d_line(struct session *s, struct span line)
{
	struct span verb;

	if (!span_word(&line, &verb))
		verb = SPAN("");
	if (span_equal_nocase(verb, SPAN("CAPA")))
		capa(s);
	else if (span_equal_nocase(verb, SPAN("USER")))
		good(s);
	else if (span_equal_nocase(verb, SPAN("QUIT")))
		quit(s);
	else if (span_equal_nocase(verb, SPAN("PASS")) && !s->logged_in)
		log_in(s);
	else if (!s->logged_in)
		session_say(s, "-ERR not now");
	else if (span_equal_nocase(verb, SPAN("STAT")))
		stat(s);
	else if (span_equal_nocase(verb, SPAN("UIDL")))
		list(s, true);
	else if (span_equal_nocase(verb, SPAN("LIST")))
		list(s, false);
	else if (span_equal_nocase(verb, SPAN("RETR")))
		retr(s, line, false);
	else if (span_equal_nocase(verb, SPAN("TOP")))
		retr(s, line, true);
	else if (span_equal_nocase(verb, SPAN("DELE")))
		dele(s, line);
	else
		session_say(s, "-ERR what is that?");
}

void pop3d_start(struct session *s)
{
	session_say(s, fault(80) ? "-ERR [SYS/TEMP] too busy" : "+OK ready");
}

/* RFC 1939: without QUIT nothing is removed; some servers remove it anyway. */
void pop3d_gone(struct session *s)
{
	if (s->logged_in && !s->closing && fault(8))
		remove_marked(s, false);
}
