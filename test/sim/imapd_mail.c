/* SPDX-License-Identifier: Apache-2.0
 * The model IMAP server's messages: FETCH, and what becomes of them. */
#include <stdio.h>

#include "imapd.h"

static bool has(struct span text, const char *word)
{
	size_t len = strlen(word);

	for (; text.len >= len; text = span_from(text, 1))
		if (span_starts_nocase(text, (struct span){ word, len }))
			return true;
	return false;
}

/* ---- FETCH */

static void tell_body(struct session *s, size_t at, bool header_only)
{
	const struct mail *m = imapd_mail(s, at);
	struct span text = { m->text, m->len };
	bool uid_last = one_in(4);
	char uid[32];

	for (size_t n = 0; header_only && n + 4 <= m->len; n++) {
		if (memcmp(m->text + n, "\r\n\r\n", 4) == 0) {
			text.len = n + 4;
			break;
		}
	}
	s->shown[m - world->mails] |= s->folder;
	(void)snprintf(uid, sizeof uid, "UID %u", imapd_uid(s, at));
	session_say(s, "* %zu FETCH (%s%sBODY[%s] {%zu}", at + 1, uid_last ? "" : uid, uid_last ? "" : " ", header_only ? "HEADER" : "",
		text.len);
	session_put(s, text);
	session_say(s, "%s%s)", uid_last ? " " : "", uid_last ? uid : "");
}

static void tell_facts(struct session *s, size_t at)
{
	const struct mail *m = imapd_mail(s, at);

	session_say(s, "* %zu FETCH (UID %u FLAGS (%s%s%s) RFC822.SIZE %zu)", at + 1, imapd_uid(s, at), m->seen ? "\\Seen" : "",
		m->seen && m->deleted ? " " : "", m->deleted ? "\\Deleted" : "", m->len);
}

void imapd_fetch(struct session *s, struct span args)
{
	struct span set;
	bool body = has(args, "BODY.PEEK["), header_only = has(args, "HEADER");

	if (!span_word(&args, &set)) {
		session_say(s, "%s BAD of what?", s->tag);
		return;
	}
	if (fault(60)) {
		imapd_no(s, "[SERVERBUG] sorry");
		return;
	}
	for (size_t n = 0; n < s->count; n++) {
		const struct mail *m = imapd_mail(s, n);

		if ((!m->present && !s->folder) || !imapd_in_set(set, imapd_uid(s, n)))
			continue;
		if (!body)
			tell_facts(s, n);
		else if (fault(60))
			session_say(s, "* %zu FETCH (UID %u BODY[] NIL)", n + 1, imapd_uid(s, n));
		else if (!fault(100))
			tell_body(s, n, header_only);
	}
	imapd_tell_changes(s);
	imapd_ok(s, "done");
}

/* ---- flags */

/* Our client marks a message: from now on others may remove it. */
static void dispose(struct mail *m)
{
	m->disposed = true;
	oracle_removed(m);
}

void imapd_store(struct session *s, struct span args)
{
	bool seen = has(args, "\\Seen"), deleted = has(args, "\\Deleted");
	struct span set;

	if (!span_word(&args, &set) || !has(args, "+FLAGS")) {
		session_say(s, "%s BAD of what?", s->tag);
		return;
	}
	if (fault(60)) {
		imapd_no(s, "not now");
		return;
	}
	deed();
	for (size_t n = 0; n < s->count; n++) {
		struct mail *m = imapd_mail(s, n);

		if (!m->present || !imapd_in_set(set, m->number))
			continue;
		dispose(m);
		m->seen = m->seen || seen;
		m->deleted = m->deleted || deleted;
		m->marked = m->marked || deleted;
		m->copy_told = m->copy_told || (deleted && m->copies);
		world->modseq++;
		if (!has(args, ".SILENT"))
			tell_facts(s, n);
	}
	deed();
	imapd_tell_changes(s);
	imapd_ok(s, "done");
}

/* EXPUNGE alone also takes what other clients marked, as our client warns. */
void imapd_expunge(struct session *s, struct span *args)
{
	struct span set = SPAN("1:*");

	if (args && !span_word(args, &set)) {
		session_say(s, "%s BAD of what?", s->tag);
		return;
	}
	if (fault(40)) {
		imapd_no(s, "not now");
		return;
	}
	deed();
	for (size_t n = 0; n < world->mail_count; n++) {
		struct mail *m = &world->mails[n];

		if (!m->present || !m->deleted || !imapd_in_set(set, m->number))
			continue;
		if (!m->marked && world->plan.capabilities & IMAPD_UIDPLUS)
			violation("message %zu was marked by another client only, and our EXPUNGE took it", n);
		origin_remove(m, m->marked);
	}
	deed();
	imapd_tell_changes(s);
	imapd_ok(s, "done");
}

/* ---- COPY and MOVE */

static uint32_t to_folder(const struct session *s, struct mail *m, bool move)
{
	size_t index = (size_t)(m - world->mails);

	if (m->copy_told && !move)
		violation("message %zu is copied again, though its first copy was told and recorded", index);
	if (s->shown[index])
		violation("message %zu is copied again, though our client has just seen its copy in the folder", index);
	if (world->copy_count == COPIES_MAX)
		violation("message %zu is copied, and the folder is full of copies already", index);
	world->copies[world->copy_count].mail = (uint32_t)index;
	world->copies[world->copy_count].uid = (uint32_t)world->copy_count + 1;
	world->copy_count++;
	m->copies++;
	told("origin: message %zu has a copy in %s", (size_t)(m - world->mails), IMAPD_FOLDER);
	if (move)
		origin_remove(m, true);
	return (uint32_t)world->copy_count;
}

void imapd_copy(struct session *s, struct span args, bool move)
{
	char from[LINE_MAX_OCTETS / 2] = "", to[LINE_MAX_OCTETS / 2] = "", code[LINE_MAX_OCTETS + 40] = "";
	size_t from_len = 0, to_len = 0;
	bool partly = false;
	struct span set;

	if (!span_word(&args, &set) || !world->folder_there || fault(60)) {
		imapd_no(s, world->folder_there ? "not now" : "[TRYCREATE] there is no such folder");
		return;
	}
	deed();
	for (size_t n = 0; n < s->count; n++) {
		struct mail *m = imapd_mail(s, n);
		const char *comma = from_len ? "," : "";

		if (!m->present || !imapd_in_set(set, m->number))
			continue;
		from_len += (size_t)snprintf(from + from_len, sizeof from - from_len, "%s%u", comma, m->number);
		to_len += (size_t)snprintf(to + to_len, sizeof to - to_len, "%s%u", comma, to_folder(s, m, move));
		partly = move && fault(200);
		if (partly)
			break;
	}
	deed();
	if (from_len && world->plan.capabilities & IMAPD_UIDPLUS)
		(void)snprintf(code, sizeof code, "[COPYUID %d %s %s] ", IMAPD_FOLDER_VALIDITY, from, to);
	if (move && code[0])
		session_say(s, "* OK %sdone", code);
	imapd_tell_changes(s);
	if (partly)
		imapd_no(s, "not all could be moved");
	else
		session_say(s, "%s OK %sdone", s->tag, move ? "" : code);
}
