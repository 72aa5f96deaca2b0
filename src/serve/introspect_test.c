/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/test_server.h"
#include "serve/introspect.h"

enum { NOW = 1800000000 };

static int64_t now_s = NOW;

static int64_t test_now(void)
{
	return now_s;
}

/* ---- an endpoint that says one thing */

static struct {
	const char *status, *body;
	char request[32768];
	atomic_uint requests;
} endpoint;

static bool take_request(struct server_peer *p)
{
	static const struct span header = SPAN("Content-Length:");
	static char request[sizeof endpoint.request];
	uint64_t length = 0;
	size_t used = 0;
	char line[1024];

	do {
		if (!peer_line(p, line, sizeof line))
			return false;
		if (span_starts_nocase(span_of(line), header)) {
			assert_true(span_number(span_trim(span_from(span_of(line), header.len)), 1 << 20, &length));
			continue;
		}
		used += (size_t)snprintf(request + used, sizeof request - used, "%s|", line);
	} while (line[0]);
	assert_true(used + length < sizeof request);
	for (size_t got; length; length -= got) {
		got = peer_read(p, request + used, length);
		if (!got)
			return false;
		used += got;
	}
	request[used] = '\0';
	memcpy(endpoint.request, request, used + 1);
	(void)atomic_fetch_add(&endpoint.requests, 1);
	return true;
}

static void talk(struct server_peer *p, void *user)
{
	char answer[8192];

	(void)user;
	while (take_request(p)) {
		(void)snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", endpoint.status, strlen(endpoint.body), endpoint.body);
		if (!peer_say(p, answer))
			return;
	}
}

/* ---- asking */

static struct server server;
static struct loop *loop;
static struct introspect *i;
static void *job;
static struct {
	unsigned count;
	enum elsewhere_said said;
	char account[128], why[600];
} heard;

static void set(const char *id, const char *scope)
{
	char url[64];
	struct err e;
	const struct introspect_settings s = { .url = url, .client_id = id, .client_secret = SPAN("s:cret"), .username_claim = "username", .scope = scope };
	struct introspect_endpoint *p;

	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/introspect", server.port);
	p = introspect_endpoint_new(&s, &e);
	if (!p)
		fail_msg("%s", e.text);
	introspect_take(i, &p);
	assert_null(p);
}

static void begin(void)
{
	struct err e;

	endpoint.status = "200 OK";
	endpoint.requests = 0;
	now_s = NOW;
	server_start(&server, "127.0.0.1", talk, NULL);
	loop = loop_new(&e);
	assert_non_null(loop);
	i = introspect_new(test_now, &e);
	assert_non_null(i);
	set("client a", NULL);
}

static void finish(void)
{
	introspect_free(&i);
	loop_run(loop);
	loop_free(&loop);
	server_stop(&server);
}

static void on_done(void *user, enum elsewhere_said said, const char *account, const char *why)
{
	(void)user;
	heard.count++;
	heard.said = said;
	(void)snprintf(heard.account, sizeof heard.account, "%s", account ? account : "(NULL)");
	(void)snprintf(heard.why, sizeof heard.why, "%s", why ? why : "(NULL)");
	introspect_judge(i)->end(introspect_judge(i)->context, job);
}

static bool try_ask(const char *account, const char *token, struct err *e)
{
	const struct elsewhere *judge = introspect_judge(i);
	const struct elsewhere_ask ask = { .loop = loop, .account = account, .secret = span_of(token), .rhost = "192.0.2.1", .done = on_done };

	heard.count = 0;
	job = judge->ask(judge->context, &ask, e);
	return job;
}

static void ask(const char *account, const char *token)
{
	struct err e;

	if (!try_ask(account, token, &e))
		fail_msg("%s", e.text);
	assert_int_equal(heard.count, 0);
	loop_run(loop);
	assert_int_equal(heard.count, 1);
}

#define GOOD "{\"active\":true,\"username\":\"anna@example.org\"}"

static void what_answers_mean([[maybe_unused]] void **state)
{
	static const struct { const char *status, *body, *scope; enum elsewhere_said said; const char *text; } rows[] = {
		{ "200 OK", GOOD, NULL, ELSEWHERE_RIGHT, "anna@example.org" },
		{ "200 OK", "{\"active\":true,\"username\":\"anna\",\"exp\":1800000001,\"nbf\":1800000000,\"scope\":\"imap pop other\"}", "pop imap", ELSEWHERE_RIGHT, "anna" },
		{ "200 OK", "{\"active\":false}", NULL, ELSEWHERE_WRONG, "not active" },
		{ "200 OK", "{\"active\":\"true\",\"username\":\"anna\"}", NULL, ELSEWHERE_WRONG, "not active" },
		{ "200 OK", "{\"username\":\"anna\"}", NULL, ELSEWHERE_WRONG, "not active" },
		{ "200 OK", "{}", NULL, ELSEWHERE_WRONG, "not active" },
		{ "200 OK", "{\"active\":true}", NULL, ELSEWHERE_WRONG, "no claim" },
		{ "200 OK", "{\"active\":true,\"username\":\"\"}", NULL, ELSEWHERE_WRONG, "no claim" },
		{ "200 OK", "{\"active\":true,\"username\":7}", NULL, ELSEWHERE_WRONG, "no claim" },
		{ "200 OK", "{\"active\":true,\"username\":\"an\\nna\"}", NULL, ELSEWHERE_WRONG, "no claim" },
		{ "200 OK", "{\"active\":true,\"sub\":\"anna\"}", NULL, ELSEWHERE_WRONG, "no claim" },
		{ "200 OK", "{\"active\":true,\"username\":\"anna\",\"exp\":1800000000}", NULL, ELSEWHERE_WRONG, "has ended" },
		{ "200 OK", "{\"active\":true,\"username\":\"anna\",\"exp\":\"1900000000\"}", NULL, ELSEWHERE_WRONG, "has ended" },
		{ "200 OK", "{\"active\":true,\"username\":\"anna\",\"nbf\":1800000001}", NULL, ELSEWHERE_WRONG, "not hold yet" },
		{ "200 OK", GOOD, "pop", ELSEWHERE_WRONG, "scope" },
		{ "200 OK", "{\"active\":true,\"username\":\"anna\",\"scope\":\"popular imap\"}", "pop", ELSEWHERE_WRONG, "scope" },
		{ "200 OK", "{\"active\":true,\"active\":false,\"username\":\"anna\"}", NULL, ELSEWHERE_BUSY, "no JSON" },
		{ "200 OK", "[]", NULL, ELSEWHERE_BUSY, "no JSON" }, { "200 OK", "", NULL, ELSEWHERE_BUSY, "no JSON" },
		{ "200 OK", "<html>", NULL, ELSEWHERE_BUSY, "no JSON" },
		{ "401 No", GOOD, NULL, ELSEWHERE_BUSY, "client_secret" }, { "500 Oh", GOOD, NULL, ELSEWHERE_BUSY, "500" },
		{ "302 Found", GOOD, NULL, ELSEWHERE_BUSY, "302" },
	};

	begin();
	for (size_t n = 0; n < COUNT(rows); n++) {
		char token[16];

		(void)snprintf(token, sizeof token, "token%zu", n);
		endpoint.status = rows[n].status;
		endpoint.body = rows[n].body;
		set("client a", rows[n].scope);
		ask("anna", token);
		if (heard.said != rows[n].said || !strstr(rows[n].said == ELSEWHERE_RIGHT ? heard.account : heard.why, rows[n].text))
			fail_msg("row %zu: %d %s %s", n, heard.said, heard.account, heard.why);
		assert_null(strstr(heard.why, token));
	}
	finish();
}

static void how_it_is_asked([[maybe_unused]] void **state)
{
	begin();
	endpoint.body = GOOD;
	ask("anna", "a+b/c~d.e==");
	assert_non_null(strstr(endpoint.request, "||token_type_hint=access_token&token=a%2Bb%2Fc~d.e%3D%3D"));
	assert_non_null(strstr(endpoint.request, "Authorization: Basic Y2xpZW50JTIwYTpzJTNBY3JldA==|"));	/* client%20a:s%3Acret */
	set(NULL, NULL);
	ask("anna", "another");
	assert_null(strstr(endpoint.request, "Authorization"));
	finish();
}

/* Whose it is, and nothing else: who asks about bert hears of anna, each time. */
static void whose_it_was_is_remembered([[maybe_unused]] void **state)
{
	static const char *const accounts[] = { "anna@example.org", "anna", "bert", "" };

	begin();
	endpoint.body = GOOD;
	for (size_t n = 0; n < COUNT(accounts); n++) {
		ask(accounts[n], "token");
		assert_int_equal(heard.said, ELSEWHERE_RIGHT);
		assert_string_equal(heard.account, "anna@example.org");
	}
	assert_int_equal(endpoint.requests, 1);
	ask("anna", "token2");
	assert_int_equal(endpoint.requests, 2);
	endpoint.body = "{\"active\":false}";
	ask("anna", "wrong");
	ask("anna", "wrong");
	assert_int_equal(endpoint.requests, 4);
	ask("anna", "token");			/* revoked: not known yet */
	assert_int_equal(endpoint.requests, 4);
	set("client a", NULL);			/* other settings: all is forgotten */
	ask("anna", "token");
	assert_int_equal(endpoint.requests, 5);
	assert_int_equal(heard.said, ELSEWHERE_WRONG);
	finish();
}

static void on_passed([[maybe_unused]] void *user)
{
}

static void pass(uint64_t ms)
{
	struct timer *t = timer_new(loop, on_passed, NULL);

	timer_set(t, ms, 0);
	loop_run(loop);
	timer_free(&t);
}

static void not_longer_than_it_lasts([[maybe_unused]] void **state)
{
	begin();
	endpoint.body = "{\"active\":true,\"username\":\"anna\",\"exp\":1800000000.01}";	/* ten milliseconds */
	ask("anna", "brief");
	assert_int_equal(heard.said, ELSEWHERE_RIGHT);
	pass(20);
	ask("anna", "brief");
	assert_int_equal(endpoint.requests, 2);
	endpoint.body = "{\"active\":true,\"username\":\"anna\",\"exp\":1900000000}";
	ask("anna", "long");
	ask("anna", "long");
	assert_int_equal(endpoint.requests, 3);
	finish();
}

static void nobody_to_ask([[maybe_unused]] void **state)
{
	const struct introspect_settings bad = { .url = "http://auth.example.org/", .username_claim = "sub" };
	struct introspect_endpoint *none = NULL;
	struct err e;

	begin();
	endpoint.body = GOOD;
	assert_null(introspect_endpoint_new(&bad, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	ask("anna", "token");
	introspect_take(i, &none);
	assert_false(try_ask("anna", "token", &e));
	assert_int_equal(e.kind, ERR_BUSY);
	finish();
}

/* Who asks while the settings change is answered by those that it asked under. */
static void settings_change_meanwhile([[maybe_unused]] void **state)
{
	struct introspect_endpoint *none = NULL;
	struct err e;

	begin();
	endpoint.body = GOOD;
	if (!try_ask("anna", "token", &e))
		fail_msg("%s", e.text);
	introspect_take(i, &none);
	loop_run(loop);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.said, ELSEWHERE_RIGHT);
	finish();
}

static char *read_all(FILE *f)
{
	static char text[8192];
	size_t n;

	rewind(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	return text;
}

static unsigned count(const char *text, const char *words)
{
	unsigned n = 0;

	for (; (text = strstr(text, words)); text++)
		n++;
	return n;
}

/* Why nobody can log in by a token is told, and not once a login. */
static void the_log_tells_when_it_is_down([[maybe_unused]] void **state)
{
	char path[] = "/tmp/postrider-introspect-XXXXXX";
	int fd = mkstemp(path);
	FILE *f;
	struct err e;

	assert_true(fd >= 0 && log_start(LOG_DEBUG, LOG_TEXT, path, &e));
	f = fdopen(fd, "r");
	assert_non_null(f);
	begin();
	endpoint.body = "oops";
	for (int n = 0; n < 3; n++)
		ask("anna", "secret-token");
	assert_int_equal(heard.said, ELSEWHERE_BUSY);
	endpoint.body = GOOD;
	for (int n = 0; n < 3; n++)
		ask(NULL, n ? "another-token" : "secret-token");
	endpoint.status = "503 Busy";
	ask("anna", "third-token");
	finish();
	assert_int_equal(count(read_all(f), "cannot be judged now"), 2);
	assert_int_equal(count(read_all(f), "no JSON object"), 1);
	assert_int_equal(count(read_all(f), "judged again"), 1);
	assert_int_equal(count(read_all(f), "-token"), 0);
	assert_int_equal(count(read_all(f), "s:cret"), 0);
	(void)fclose(f);
	(void)unlink(path);
	assert_true(log_start(LOG_ERROR, LOG_TEXT, "/dev/null", &e));
}

static void no_more_at_once_than_there_may_be([[maybe_unused]] void **state)
{
	const struct elsewhere *judge;
	void *jobs[INTROSPECT_AT_ONCE];
	struct err e;

	begin();
	endpoint.body = GOOD;
	judge = introspect_judge(i);
	for (size_t n = 0; n < COUNT(jobs); n++) {
		assert_true(try_ask("anna", "token", &e));
		jobs[n] = job;
	}
	assert_false(try_ask("anna", "token", &e));
	assert_int_equal(e.kind, ERR_BUSY);
	for (size_t n = 0; n < COUNT(jobs); n++)
		judge->end(judge->context, jobs[n]);
	ask("anna", "token");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_answers_mean), cmocka_unit_test(how_it_is_asked), cmocka_unit_test(whose_it_was_is_remembered),
		cmocka_unit_test(not_longer_than_it_lasts), cmocka_unit_test(nobody_to_ask), cmocka_unit_test(settings_change_meanwhile),
		cmocka_unit_test(the_log_tells_when_it_is_down), cmocka_unit_test(no_more_at_once_than_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
