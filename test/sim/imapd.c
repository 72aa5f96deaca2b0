/* SPDX-License-Identifier: Apache-2.0
 * A model IMAP server: one INBOX that other clients use too, and a folder that
 * mail is moved to.  What it offers, and how it tells things, is seeded. */
#include "imapd.h"

#include <assert.h>
#include <stdio.h>

#include "server.h"

/* ---- sets of ids */

bool imapd_in_set(struct span set, uint32_t uid)
{
	while (set.len) {
		size_t comma = span_find(set, ',');
		struct span range = { set.at, comma };
		size_t colon = span_find(range, ':');
		uint64_t first = 0, last = UINT32_MAX;

		(void)!span_number((struct span){ range.at, colon }, UINT32_MAX, &first);
		if (colon == range.len)
			last = first;
		else
			(void)!span_number(span_from(range, colon + 1), UINT32_MAX, &last);
		if (uid >= first && uid <= last)
			return true;
		set = span_from(set, comma + 1);
	}
	return false;
}

struct mail *imapd_mail(const struct session *s, size_t at)
{
	return &world->mails[s->folder ? world->copies[at].mail : s->mails[at]];
}

uint32_t imapd_uid(const struct session *s, size_t at)
{
	return s->folder ? world->copies[at].uid : imapd_mail(s, at)->number;
}

void imapd_ok(struct session *s, const char *text)
{
	session_say(s, "%s OK %s", s->tag, text);
}

void imapd_no(struct session *s, const char *text)
{
	session_say(s, "%s NO %s", s->tag, text);
}

/* ---- what others do meanwhile, and how it is told */

static void drop_from_view(struct session *s, size_t at)
{
	memmove(&s->mails[at], &s->mails[at + 1], (s->count - at - 1) * sizeof s->mails[0]);
	s->count--;
}

static bool in_view(const struct session *s, uint32_t index)
{
	for (size_t n = 0; n < s->count; n++)
		if (s->mails[n] == index)
			return true;
	return false;
}

void imapd_tell_changes(struct session *s)
{
	bool more = false;

	if (s->folder)
		return;
	for (size_t n = 0; n < s->count;) {
		if (imapd_mail(s, n)->present) {
			n++;
			continue;
		}
		session_say(s, "* %zu EXPUNGE", n + 1);
		drop_from_view(s, n);
	}
	for (uint32_t n = 0; n < world->mail_count; n++) {
		if (!world->mails[n].present || in_view(s, n))
			continue;
		s->mails[s->count++] = n;
		more = true;
	}
	if (more)
		session_say(s, "* %zu EXISTS", s->count);
}

/* ---- before a mailbox is selected */

static const char *capabilities(char out[200])
{
	unsigned c = world->plan.capabilities;

	(void)snprintf(out, 200, "IMAP4rev1%s%s%s%s%s", c & IMAPD_IDLE ? " IDLE" : "", c & IMAPD_UIDPLUS ? " UIDPLUS" : "", c & IMAPD_MOVE ? " MOVE" : "",
		c & IMAPD_ESEARCH ? " ESEARCH" : "", c & IMAPD_CONDSTORE ? " CONDSTORE" : "");
	return out;
}

static void capability(struct session *s)
{
	char text[200];

	session_say(s, "* CAPABILITY %s", capabilities(text));
	imapd_ok(s, "done");
}

static void login(struct session *s)
{
	if (fault(40)) {
		imapd_no(s, "[UNAVAILABLE] later");
		return;
	}
	s->logged_in = true;
	imapd_ok(s, "welcome");
}

static void list(struct session *s, struct span args)
{
	struct span reference, pattern;

	if (span_word(&args, &reference) && span_word(&args, &pattern)) {
		bool inbox = span_find(pattern, 'I') < pattern.len;

		if (inbox || world->folder_there)
			session_say(s, "* LIST (\\HasNoChildren) \"/\" %s", inbox ? "INBOX" : IMAPD_FOLDER);
	}
	imapd_ok(s, "done");
}

static void create(struct session *s)
{
	if (world->folder_there || fault(30)) {
		imapd_no(s, "cannot make it");
		return;
	}
	world->folder_there = true;
	imapd_ok(s, "done");
}

static void view_inbox(struct session *s)
{
	s->folder = false;
	s->count = 0;
	for (uint32_t n = 0; n < world->mail_count; n++)
		if (world->mails[n].present)
			s->mails[s->count++] = n;
}

static void select_box(struct session *s, bool examine, bool folder)
{
	if (fault(60)) {
		imapd_no(s, "[INUSE] later");
		return;
	}
	if (folder && !world->folder_there) {
		imapd_no(s, "[NONEXISTENT] there is no such mailbox");
		return;
	}
	s->selected = true;
	s->folder = folder;
	s->count = world->copy_count;
	if (!folder)
		view_inbox(s);
	session_say(s, "* FLAGS (\\Seen \\Deleted)");
	session_say(s, "* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] yes");
	session_say(s, "* %zu EXISTS", s->count);
	session_say(s, "* OK [UIDVALIDITY %u] yes", folder ? IMAPD_FOLDER_VALIDITY : world->uid_validity);
	session_say(s, "* OK [UIDNEXT %u] yes", folder ? (unsigned)world->copy_count + 1 : world->uid_next);
	if (!folder && world->plan.capabilities & IMAPD_CONDSTORE)
		session_say(s, "* OK [HIGHESTMODSEQ %llu] yes", (unsigned long long)world->modseq);
	imapd_ok(s, examine ? "[READ-ONLY] done" : "[READ-WRITE] done");
}

/* ---- searching */

static void search(struct session *s, struct span args)
{
	bool unseen = false, extended = false;
	char line[LINE_MAX_OCTETS];
	size_t len = 0;

	for (struct span word; span_word(&args, &word);) {
		unseen = unseen || span_equal_nocase(word, SPAN("UNSEEN"));
		extended = extended || span_equal_nocase(word, SPAN("RETURN"));
	}
	if (fault(100)) {
		imapd_no(s, "[SERVERBUG] sorry");
		return;
	}
	for (size_t n = 0; n < s->count; n++)
		if (!s->folder && imapd_mail(s, n)->present && !(unseen && imapd_mail(s, n)->seen))
			len += (size_t)snprintf(line + len, sizeof line - len, "%s%u", len && extended ? "," : extended ? "" : " ",
				imapd_mail(s, n)->number);
	line[len] = '\0';
	if (!extended)
		session_say(s, "* SEARCH%s", line);
	else
		session_say(s, "* ESEARCH (TAG \"%s\") UID%s%s", s->tag, len ? " ALL " : "", line);
	imapd_tell_changes(s);
	imapd_ok(s, "done");
}

/* ---- IDLE */

static void end_idle(struct session *s, enum idle_way way)
{
	s->idling = false;
	switch (way) {
	case IDLE_GOES_ON:
	case IDLE_WAYS:
		s->idling = true;
		return;
	case IDLE_REFUSED:
		imapd_no(s, "not now");
		return;
	case IDLE_ENDED:
		imapd_ok(s, "that was long enough");
		return;
	case IDLE_BYE:
		session_say(s, "* BYE that was long enough");
		s->closing = true;
		return;
	case IDLE_CUT:
		s->cut = one_in(2) ? CUT_END : CUT_RESET;
		return;
	}
}

static void idle(struct session *s)
{
	if (world->plan.idle == IDLE_REFUSED || fault(40)) {
		end_idle(s, IDLE_REFUSED);
		return;
	}
	s->idling = true;
	s->deaf = fault(8);
	if (one_in(8))
		imapd_tell_changes(s);
	session_say(s, "+ idling");
	if (!s->deaf)
		imapd_tell_changes(s);
	end_idle(s, fault(30) ? IDLE_REFUSED + (enum idle_way)below(IDLE_WAYS - IDLE_REFUSED) : world->plan.idle);
}

static void idle_line(struct session *s, struct span line)
{
	if (!span_equal_nocase(line, SPAN("DONE")))
		violation("the client says %.*s amid IDLE", (int)line.len, line.at);
	s->idling = false;
	if (!s->deaf || one_in(2))
		imapd_tell_changes(s);
	imapd_ok(s, "done");
}

void imapd_news(struct session *s)
{
	if (!s->idling || s->gone || s->closing || s->deaf)
		return;
	if (fault(20))
		end_idle(s, IDLE_ENDED + (enum idle_way)below(IDLE_WAYS - IDLE_ENDED));
	else if (fault(20))
		s->deaf = true;
	else
		imapd_tell_changes(s);
}

/* ---- dispatch */

static void uid_command(struct session *s, struct span args)
{
	struct span verb;

	if (!span_word(&args, &verb))
		verb = SPAN("");
	if (span_equal_nocase(verb, SPAN("SEARCH")))
		search(s, args);
	else if (span_equal_nocase(verb, SPAN("FETCH")))
		imapd_fetch(s, args);
	else if (span_equal_nocase(verb, SPAN("STORE")))
		imapd_store(s, args);
	else if (span_equal_nocase(verb, SPAN("EXPUNGE")) && world->plan.capabilities & IMAPD_UIDPLUS)
		imapd_expunge(s, &args);
	else if (span_equal_nocase(verb, SPAN("COPY")))
		imapd_copy(s, args, false);
	else if (span_equal_nocase(verb, SPAN("MOVE")) && world->plan.capabilities & IMAPD_MOVE)
		imapd_copy(s, args, true);
	else
		session_say(s, "%s BAD what is that?", s->tag);
}

static void logged_in_command(struct session *s, struct span verb, struct span args)
{
	bool examine = span_equal_nocase(verb, SPAN("EXAMINE"));

	if (span_equal_nocase(verb, SPAN("LIST")))
		list(s, args);
	else if (span_equal_nocase(verb, SPAN("CREATE")))
		create(s);
	else if (examine || span_equal_nocase(verb, SPAN("SELECT")))
		select_box(s, examine, span_equal(span_trim(args), SPAN("\"" IMAPD_FOLDER "\"")));
	else if (s->selected && span_equal_nocase(verb, SPAN("UID")))
		uid_command(s, args);
	else if (s->selected && span_equal_nocase(verb, SPAN("EXPUNGE")))
		imapd_expunge(s, NULL);
	else if (s->selected && span_equal_nocase(verb, SPAN("IDLE")) && world->plan.capabilities & IMAPD_IDLE)
		idle(s);
	else
		session_say(s, "%s BAD what is that?", s->tag);
}

void imapd_line(struct session *s, struct span line)
{
	struct span tag, verb;

	if (s->idling) {
		idle_line(s, line);
		return;
	}
	if (world->plan.watched && span_equal_nocase(line, SPAN("DONE"))) {	/* it crossed our end of IDLE */
		session_say(s, one_in(2) ? "DONE BAD what is that?" : "* BAD what is that?");
		return;
	}
	if (!span_word(&line, &tag) || !span_word(&line, &verb) || tag.len >= sizeof s->tag) {
		session_say(s, "* BAD what is that?");
		return;
	}
	memcpy(s->tag, tag.at, tag.len);
	s->tag[tag.len] = '\0';
	if (!peaceful() && s->selected && one_in(12))
		origin_others();
	if (watching_goes_on() && s->selected && one_in(60))
		origin_arrives();
	if (span_equal_nocase(verb, SPAN("CAPABILITY"))) {
		capability(s);
	} else if (span_equal_nocase(verb, SPAN("LOGIN"))) {
		login(s);
	} else if (span_equal_nocase(verb, SPAN("NOOP"))) {
		imapd_ok(s, "done");
	} else if (span_equal_nocase(verb, SPAN("LOGOUT"))) {
		session_say(s, "* BYE");
		imapd_ok(s, "bye");
		s->closing = true;
	} else if (s->logged_in) {
		logged_in_command(s, verb, line);
	} else {
		imapd_no(s, "not now");
	}
}

void imapd_start(struct session *s)
{
	char text[200];

	if (fault(80)) {
		session_say(s, "* BYE [UNAVAILABLE] too busy");
		s->closing = true;
	} else if (one_in(2)) {
		session_say(s, "* OK [CAPABILITY %s] ready", capabilities(text));
	} else {
		session_say(s, "* OK ready");
	}
}
