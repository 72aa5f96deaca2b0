/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/server_story.h"

/* Each command before and after the login, without an argument and with too many: it is answered
 * once, with +OK only where it is at home. */
static const struct command {
	const char *name;
	bool auth, trans, bare;		/* known in that phase; good without arguments */
} commands[] = {
	{ "APOP", .auth = true }, { "AUTH", .auth = true, .bare = true }, { "CAPA", true, true, true }, { "DELE", .trans = true },
	{ "LANG", true, true, true }, { "LIST", .trans = true, .bare = true }, { "NOOP", .trans = true, .bare = true }, { "PASS", .auth = true },
	{ "QUIT", true, true, true }, { "RETR", .trans = true }, { "RSET", .trans = true, .bare = true }, { "STAT", .trans = true, .bare = true },
	{ "STLS", .auth = true }, { "TOP", .trans = true }, { "UIDL", .trans = true, .bare = true }, { "USER", .auth = true },
	{ "UTF8", .auth = true, .bare = true }, { "XTND", .trans = true },
	/* and what is none */
	{ .name = "LAST" }, { .name = "TURN" }, { .name = "QUI" }, { .name = "QUITS" }, { .name = "*" }, { .name = "+OK" }, { .name = "GET" }, { .name = "EHLO" }, { .name = "RPOP" },
};

static void say(const struct command *c, bool in, const char *arguments)
{
	char peer[128], name[64];
	int n = snprintf(peer, sizeof peer, "%s%s%s\r\n", in ? IN : "", c->name, arguments);
	struct server_row row = { name, .peer = { peer, (size_t)n } };
	bool known = in ? c->trans : c->auth, good = known && c->bare && !*arguments;
	const char *before = in ? IN_SENT : HI;
	struct server_story t;
	struct span reply;

	(void)snprintf(name, sizeof name, "%s%s", c->name, arguments);
	server_story_start(&t, &row);
	server_story_play(&t, row.peer, 0, false);
	assert_true(span_starts(buf_span(&t.sent), span_of(before)));
	reply = span_from(buf_span(&t.sent), strlen(before));
	if (span_starts(reply, SPAN("+OK")) != good || (!good && !span_starts(reply, SPAN("-ERR "))))
		fail_msg("%s, logged in %d: %.*s", name, in, (int)reply.len, reply.at);
	if (!known)
		assert_true(span_starts(reply, SPAN("-ERR unknown")) || span_starts(reply, SPAN("-ERR not ")));
	assert_true(good || span_find(reply, '\n') == reply.len - 1);	/* once */
	server_story_end(&t);
}

static void every_command_in_every_phase(void **state)
{
	(void)state;
	for (const struct command *c = commands; c < commands + COUNT(commands); c++)
		for (int in = 0; in < 2; in++) {
			say(c, in, "");
			if (strcmp(c->name, "PASS") && strcmp(c->name, "USER"))	/* which take all */
				say(c, in, " 1 2 3");
		}
}

/* Octets of every value in front, within, and behind: one answer a line, and never an echo. */
static void every_octet_in_a_command(void **state)
{
	(void)state;
	for (unsigned octet = 0; octet < 256; octet++)
		for (unsigned at = 0; at <= 4; at++) {
			char peer[] = "NOOP_\r\nQUIT\r\n";
			struct server_row row = { "octet", .peer = { peer, sizeof peer - 1 } };
			struct server_story t;
			size_t lines = 0;

			if (octet == '\n')
				continue;
			memmove(peer + at + 1, peer + at, 4 - at);
			peer[at] = (char)octet;
			server_story_start(&t, &row);
			server_story_play(&t, row.peer, 0, false);
			for (size_t i = 0; i < t.sent.len; i++)
				lines += t.sent.at[i] == '\n';
			assert_int_equal(lines, 3);
			assert_true(t.over && !t.rest.len);
			server_story_end(&t);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_in_every_phase),
		cmocka_unit_test(every_octet_in_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
