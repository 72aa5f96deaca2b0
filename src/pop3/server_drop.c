/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>

#include "pop3/server_internal.h"

void server_drop_open(struct p3d *s, const struct p3d_drop *drop)
{
	s->drop = drop;
	s->left = drop->count;
	for (uint32_t i = 0; i < drop->count; i++) {
		assert(!(drop_flags(&drop->messages[i]) & DROP_MARKS));
		s->octets += drop_octets(&drop->messages[i]);
	}
}

/* The message of that number; none that is marked, or none: NULL, and it is said. */
static struct drop_message *find(struct p3d *s, uint64_t number)
{
	if (number && number <= s->drop->count && !(drop_flags(&s->drop->messages[number - 1]) & DROP_DELETED))
		return &s->drop->messages[number - 1];
	server_say(s, "-ERR no such message");
	return NULL;
}

static bool parse_number(struct span word, uint32_t *number)
{
	uint64_t value;

	if (!span_number(word, UINT32_MAX, &value))
		return false;
	*number = (uint32_t)value;
	return true;
}

bool server_stat(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	(void)a, (void)ev;
	server_sayf(s, "+OK %" PRIu32 " %" PRIu64, s->left, s->octets);
	return true;
}

bool server_list(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	const struct drop_message *m;
	uint32_t number;

	(void)ev;
	if (!a->count) {
		server_sayf(s, "+OK %" PRIu32 " messages (%" PRIu64 " octets)", s->left, s->octets);
		server_list_begin(s, LISTING_SIZES);
		return true;
	}
	if (!parse_number(a->word[0], &number))
		return false;
	m = find(s, number);
	if (m)
		server_sayf(s, "+OK %" PRIu32 " %" PRIu64, number, drop_octets(m));
	return true;
}

bool server_uidl(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	char uid[P3D_UID_MAX + 1];
	uint32_t number;

	(void)ev;
	if (!a->count) {
		server_say(s, "+OK");
		server_list_begin(s, LISTING_UIDS);
		return true;
	}
	if (!parse_number(a->word[0], &number))
		return false;
	if (!find(s, number))
		return true;
	server_uid(s, number, uid);
	server_sayf(s, "+OK %" PRIu32 " %s", number, uid);
	return true;
}

/* ---- RETR and TOP */

static bool fetch(struct p3d *s, const struct args *a, struct p3d_event *ev, bool all)
{
	uint32_t number, lines = 0;

	if (!parse_number(a->word[0], &number) || (!all && !parse_number(a->word[1], &lines)))
		return false;
	if (!find(s, number))
		return true;
	s->number = ev->number = number;
	s->lines = ev->lines = lines;
	s->all = ev->all = all;
	server_wait(s, ev, WAIT_READABLE, P3D_RETR);
	return true;
}

bool server_retr(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	return fetch(s, a, ev, true);
}

bool server_top(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	return fetch(s, a, ev, false);
}

void server_begin(struct p3d *s, struct p3d_event *ev)
{
	if (s->all)
		server_sayf(s, "+OK %" PRIu64 " octets", drop_octets(&s->drop->messages[s->number - 1]));
	else
		server_say(s, "+OK");
	ev->number = s->number;
	ev->lines = s->lines;
	ev->all = s->all;
	server_wait(s, ev, WAIT_BODY, P3D_BODY);
}

void p3d_message_begin(struct p3d *s)
{
	server_answer(s, WAIT_READABLE, ANSWER_BEGIN);
}

void p3d_message_refused(struct p3d *s, enum p3d_code code, const char *words)
{
	server_turn_down(s, WAIT_READABLE, code, words, "the message cannot be read");
}

void p3d_message_end(struct p3d *s)
{
	struct drop_message *m = &s->drop->messages[s->number - 1];

	server_answer(s, WAIT_BODY, ANSWER_NONE);
	if (!s->all || (drop_flags(m) & DROP_READ))
		return;
	drop_mark(m, DROP_READ);
	s->read++;
}

/* ---- marks */

bool server_dele(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	struct drop_message *m;
	uint32_t number;

	(void)ev;
	if (!parse_number(a->word[0], &number))
		return false;
	m = find(s, number);
	if (!m)
		return true;
	if (s->drop->keep) {
		server_say(s, "-ERR [SYS/PERM] you have no right to delete messages here");
		return true;
	}
	assert(s->left);
	drop_mark(m, DROP_DELETED);
	s->marked++;
	s->left--;
	s->octets -= drop_octets(m);
	server_say(s, "+OK");
	return true;
}

bool server_rset(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	(void)a, (void)ev;
	for (uint32_t i = 0; s->marked && i < s->drop->count; i++) {
		struct drop_message *m = &s->drop->messages[i];

		if (!(drop_flags(m) & DROP_DELETED))
			continue;
		drop_unmark(m, DROP_DELETED);
		s->marked--;
		s->left++;
		s->octets += drop_octets(m);
	}
	assert(s->left == s->drop->count && !s->marked);
	s->work += s->drop->count;
	server_say(s, "+OK");
	return true;
}

bool server_noop(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	(void)a, (void)ev;
	server_say(s, "+OK");
	return true;
}

/* ---- the end */

static void bye(struct p3d *s, struct p3d_event *ev)
{
	server_say(s, "+OK");
	ev->good = true;
	server_over(s, ev, P3D_BYE);
}

bool server_quit(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	(void)a;
	if (s->marked || s->read)
		server_wait(s, ev, WAIT_COMMIT, P3D_COMMIT);
	else
		bye(s, ev);
	return true;
}

void p3d_committed(struct p3d *s, bool good)
{
	server_answer(s, WAIT_COMMIT, ANSWER_COMMITTED);
	s->good = good;
}

void server_say_committed(struct p3d *s, struct p3d_event *ev)
{
	if (s->good) {
		bye(s, ev);
		return;
	}
	server_say(s, "-ERR [SYS/TEMP] the messages are not deleted");
	server_over(s, ev, P3D_BYE);
}
