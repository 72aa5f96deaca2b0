/* SPDX-License-Identifier: Apache-2.0
 * What servers say when they want to be left alone; the words are those of real ones. */
#include "collect/schedule_hint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

enum { NO = -1 };	/* it is no hint */

static const struct row {
	enum err_kind kind;
	const char *words;
	int64_t delay_s;
	bool host;
} rows[] = {
	/* codes */
	{ ERR_BUSY, "-ERR [SYS/TEMP] internal error", 0, false },
	{ ERR_BUSY, "-ERR [LOGIN-DELAY] minimum time between logins is 15 minutes", 900, false },
	{ ERR_BUSY, "-ERR [IN-USE] another session has the mailbox", NO, false },
	{ ERR_BUSY, "-ERR [IN-USE] Unable to lock maildrop, try again later", NO, false },
	{ ERR_BUSY, "-ERR [IN-USE] mailbox is locked, try again in 10 minutes", 600, false },
	{ ERR_BUSY, "NO [UNAVAILABLE] Temporary authentication failure.", 0, false },
	{ ERR_BUSY, "[LIMIT] Sorry", 0, false },
	{ ERR_NET, "[SERVERBUG] oops", 0, false },
	{ ERR_NET, "Session invalidated - AccessTokenExpired", NO, false },
	{ ERR_BUSY, "NO [LIMIT] Too many sessions for this user", 0, false },
	{ ERR_PEER, "BYE [THROTTLED] come back", 0, false },
	/* times */
	{ ERR_PEER, "-ERR try again in 5 minutes", 300, false },
	{ ERR_PEER, "-ERR Please wait 90 seconds and retry", 90, false },
	{ ERR_PEER, "try again after 1 hour", 3600, false },
	{ ERR_PEER, "try again in 2 hrs.", 7200, false },
	{ ERR_PEER, "retry in 30s", 30, false },
	{ ERR_PEER, "retry in 2h", 7200, false },
	{ ERR_PEER, "later: 10-minute pause", 600, false },
	{ ERR_PEER, "try again in 3 days", HINT_MAX_S, false },
	{ ERR_PEER, "try again in 999999999999999999999 hours", 0, false },
	{ ERR_PEER, "try again in 0 minutes", 0, false },
	{ ERR_PEER, "try again, error 550 5.7.1 id 4711 at 10:15 s", 0, false },
	{ ERR_PEER, "mx3 sees 10.1.2.3 min; try again", 0, false },
	/* providers */
	{ ERR_BUSY, "NO [ALERT] Too many simultaneous connections. (Failure)", 0, false },
	{ ERR_PEER, "NO [OVERQUOTA] Account exceeded command or bandwidth limits.", 0, false },
	{ ERR_PEER, "-ERR [SYS/TEMP] Temporary system problem. Please try again later.", 0, false },
	{ ERR_PEER, "NO Lockdown in sector 4 (Failure)", 0, false },
	{ ERR_PEER, "NO System Error (Failure)", 0, false },
	{ ERR_AUTH, "-ERR Exceeded the login limit for a 15 minute period. Reduce the frequency of requests to the POP3 server.", 900, false },
	{ ERR_AUTH, "-ERR login allowed only every 15 minutes", 900, false },
	{ ERR_BUSY, "BAD User is authenticated but not connected.", 0, false },
	{ ERR_PEER, "NO Request is throttled. Suggested Backoff Time: 299961 milliseconds", 300, false },
	{ ERR_PEER, "BYE Server Unavailable. 15", 0, false },
	{ ERR_PEER, "-ERR Server busy", 0, false },
	{ ERR_PEER, "NO [UNAVAILABLE] LOGIN Server error - Please try again later", 0, false },
	{ ERR_PEER, "NO LOGIN Rate limit hit.", 0, false },
	{ ERR_PEER, "* BYE Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", 0, false },
	{ ERR_PEER, "-ERR Too many connections from your IP address, wait 60 sec", 60, true },
	{ ERR_PEER, "421 too many connections from this IP", 0, true },
	/* a wrong password is one */
	{ ERR_AUTH, "-ERR [AUTH] Invalid login or password. Please try again", NO, false },
	{ ERR_AUTH, "NO [AUTHENTICATIONFAILED] Authentication failed, try again later", NO, false },
	{ ERR_AUTH, "-ERR [AUTH] Username and password not accepted. 5 attempts per day are free", NO, false },
	{ ERR_AUTH, "NO wrong password; try again in 15 minutes", 900, false },
	{ ERR_AUTH, "NO too many failed logins", 0, false },
	{ ERR_PEER, "-ERR unknown command", NO, false },
	{ ERR_PEER, "", NO, false },
};

static void hints(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct err e;
		struct hint h;

		(void)err_set(&e, r->kind, "login was refused for now; try again later, in 7 minutes");	/* our words do not count */
		(void)err_peer(&e, span_of(r->words));
		(void)err_in(&e, "connection box");
		h = hint_read(&e);
		if (h.throttled != (r->delay_s != NO) || (h.throttled && h.delay_s != r->delay_s) || h.host != r->host)
			fail_msg("%s: %s, %lld s, %s", r->words, h.throttled ? "throttled" : "no hint", (long long)h.delay_s, h.host ? "host" : "account");
		assert_int_equal(h.said, r->words[0] != 0);
	}
}

static void without_a_servers_words_there_is_none(void **state)
{
	struct err e = { .kind = ERR_NONE };

	(void)state;
	assert_false(hint_read(&e).throttled);
	(void)err_set(&e, ERR_NET, "no answer; too many tries, try again in 5 minutes");
	assert_false(hint_read(&e).throttled);
	(void)err_said(&e, "the program", SPAN("try again in 5 minutes"));
	assert_false(hint_read(&e).throttled);
}

static void too_many_sessions(void **state)
{
	static const struct {
		const char *words;
		bool crowded;
	} said[] = {
		{ "NO [LIMIT] Too many sessions for this user", true }, { "NO [ALERT] Too many simultaneous connections. (Failure)", true },
		{ "* BYE Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", true },
		{ "-ERR Too many connections from your IP address, wait 60 sec", true }, { "NO [UNAVAILABLE] Temporary authentication failure.", false },
		{ "NO Request is throttled. Suggested Backoff Time: 299961 milliseconds", false }, { "-ERR too many errors", false },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(said); n++) {
		struct err e;

		(void)err_set(&e, ERR_BUSY, "login");
		(void)err_peer(&e, span_of(said[n].words));
		if (hint_read(&e).crowded != said[n].crowded)
			fail_msg("%s", said[n].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hints),
		cmocka_unit_test(without_a_servers_words_there_is_none),
		cmocka_unit_test(too_many_sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
