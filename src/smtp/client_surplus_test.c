/* SPDX-License-Identifier: Apache-2.0
 *
 * A reply too many, or too few: nothing that the server did not mean for a message may be believed of it. */
#include "smtp/client_story.h"

#define NO "550 no\r\n"
#define LATER "452 later\r\n"
#define ONE "ready;body;0.0 accepted the message 250 [ok];done 0;"
#define LOST(n) #n ".0 deferred peer;done " #n " broken;failed peer;"

enum { ROOM = 512 };

static const struct mode {
	const char *name;
	unsigned how;
	const char *hello;	/* the answer to EHLO */
} modes[] = {
	{ "neither", 0, "250 host\r\n" }, { "PIPELINING", 0, "250-host\r\n250 PIPELINING\r\n" },
	{ "both", NO_CHUNKING, "250-host\r\n250-PIPELINING\r\n250 CHUNKING\r\n" }, { "CHUNKING", NO_CHUNKING, "250-host\r\n250 CHUNKING\r\n" },
	{ "lock-step", LOCKSTEP, "250-host\r\n250 PIPELINING\r\n" },
	{ "LMTP, neither", LMTP, "250 host\r\n" }, { "LMTP, PIPELINING", LMTP, "250-host\r\n250 PIPELINING\r\n" },
	{ "LMTP, both", LMTP | NO_CHUNKING, "250-host\r\n250-PIPELINING\r\n250 CHUNKING\r\n" },
};

/* Two mails.  `peer` is what comes behind the answer to EHLO; where the server waits for
 * us the next line comes alone, JOIN: at once. */
static const struct surplus {
	const char *name, *between;	/* between: behind EHLO's answer comes this, and its answer again */
	const char *peer, *want;
} cases[] = {
	{ "EHLO twice, at once", JOIN, OK OK GO OK, "ready;" LOST(0) },
	{ "EHLO twice", "", OK OK GO OK, "ready;" LOST(0) },
	{ "MAIL twice, at once", NULL, OK JOIN OK OK GO LATER, "ready;" LOST(0) },
	{ "MAIL twice", NULL, OK OK OK GO LATER, "ready;" LOST(0) },
	{ "RCPT twice, at once", NULL, OK OK JOIN OK GO LATER, "ready;" LOST(0) },
	{ "RCPT twice", NULL, OK OK OK GO LATER, "ready;" LOST(0) },
	{ "354 and 250 at once", NULL, OK OK GO JOIN OK LATER, "ready;body;" LOST(0) },
	{ "354 and 550 at once", NULL, OK OK GO JOIN NO LATER, "ready;body;" LOST(0) },
	{ "354 twice, at once", NULL, OK OK GO JOIN GO OK, "ready;body;" LOST(0) },
	{ "354 twice", NULL, OK OK GO GO OK, "ready;body;0.0 doubt peer;done 0 broken;" },
	{ "the message twice, at once", NULL, OK OK GO OK JOIN OK OK OK GO LATER, ONE LOST(1) },
	{ "the message twice", NULL, OK OK GO OK OK OK OK GO LATER, ONE LOST(1) },
	{ "the message twice, then all at once", NULL, OK OK GO OK OK JOIN OK JOIN OK JOIN GO LATER, ONE LOST(1) },
	{ "250 and 250, 452 at once", NULL, OK OK GO OK JOIN LATER OK OK GO OK, NULL },
	{ "DATA is accepted", NULL, OK OK OK, "ready;" LOST(0) },
	{ "354 to MAIL", NULL, GO OK GO OK, "ready;" LOST(0) },
	{ "354 to RCPT", NULL, OK GO GO OK, "ready;" LOST(0) },
};

static const char *tail(const struct mode *m, const char *want, char room[ROOM])
{
	bool ahead = !(m->how & LOCKSTEP) && strstr(m->hello, "PIPELINING");

	/* The second mail's commands ride behind the first one's end, where they may. */
	(void)snprintf(room, ROOM, "%s%s", want, strstr(want, "failed") ? "" : ahead ? "1.0 deferred peer;done 1 broken;failed peer;" : "failed peer;");
	return room;
}

static void nothing_is_believed(void **state)
{
	char peer[ROOM], want[ROOM], name[ROOM];

	(void)state;
	for (const struct mode *m = modes; m < modes + COUNT(modes); m++)
		for (const struct surplus *c = cases; c < cases + COUNT(cases); c++) {
			struct story_row row = { .name = name, .how = m->how, .mails = "a@b>c@d|a@b>e@d" };

			(void)snprintf(name, sizeof name, "%s: %s", m->name, c->name);
			(void)snprintf(peer, sizeof peer, HI "%s%s%s%s", m->hello, c->between ? c->between : "", c->between ? m->hello : "", c->peer);
			row.peer = span_of(peer);
			row.want = c->want ? tail(m, c->want, want) : NULL;
			story_run(&row, 1);
		}
}

static const struct story_row rows[] = {
	/* refusals of one that was lost */
	{ "the second answer is a refusal, at once", 0, .peer = SPAN(BARE OK OK GO OK JOIN NO OK OK GO OK), .mails = "a@b>c@d|a@b>e@d", .want = ONE LOST(1) },
	{ "the second answer is a refusal, and later commands are out", 0, .peer = SPAN(PIPES OK OK GO OK JOIN NO OK OK GO OK), .mails = "a@b>c@d|a@b>e@d",
		.want = ONE "1.0 refused peer MAIL 550 [no];done 1 broken;failed peer;" },
	{ "a RCPT twice, and the last is refused", 0, .peer = SPAN(PIPES OK OK OK OK NO GO OK), .mails = "a@b>c@d,e@d,f@d",
		.want = "ready;0.0 refused peer DATA 550 [no];0.1 refused peer DATA 550 [no];0.2 refused peer DATA 550 [no];done 0 broken;failed peer;" },
	/* LMTP */
	{ "LMTP, one too many, at once", LMTP, .peer = SPAN(PIPES OK OK OK GO OK JOIN OK JOIN LATER), .mails = "a@b>c@d,e@d|a@b>f@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];0.1 accepted the message 250 [ok];done 0 broken;failed peer;" },
	{ "LMTP, one too many", LMTP, .peer = SPAN(PIPES OK OK OK GO OK OK OK OK OK GO OK), .mails = "a@b>c@d,e@d|a@b>f@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];0.1 accepted the message 250 [ok];done 0;1.0 deferred peer;done 1 broken;failed peer;" },
	{ "LMTP, one too few: no other command's answer takes its place", LMTP | SILENT_AT_END, .peer = SPAN(PIPES OK OK OK GO OK), .mails = "a@b>c@d,e@d|a@b>f@d",
		.want = "ready;body;0.0 accepted the message 250 [ok];0.1 doubt net;done 0;failed net;",
		.sent = "LHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@d>\r\nDATA\r\nhi\r\n.\r\n" },
	{ "LMTP, the answers of a RCPT and of a message are one too many", LMTP, .peer = SPAN(PIPES OK OK OK OK GO OK OK), .mails = "a@b>c@d,e@d",
		.want = "ready;0.0 deferred peer;0.1 deferred peer;done 0 broken;failed peer;", .why = "as if the message had come" },
	/* in the middle of a reply the command goes out */
	{ "a part of the next answer came early", 0, .peer = SPAN(BARE OK OK GO OK JOIN "250-o\r\n" "250 k\r\n"), .mails = "a@b>c@d|a@b>e@d", .want = ONE LOST(1) },
	{ "421 may come early", 0, .peer = SPAN(BARE OK OK GO OK JOIN "421 bye\r\n"), .mails = "a@b>c@d|a@b>e@d",
		.want = ONE "1.0 deferred busy MAIL 421 [bye];done 1;failed busy;" },
};

static void every_split_tells_the_same_story(void **state)
{
	(void)state;
	story_run(rows, COUNT(rows));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_believed),
		cmocka_unit_test(every_split_tells_the_same_story),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
