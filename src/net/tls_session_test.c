/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "net/tls_inside.h"

enum { NOW = 7, JUDGED = 1000000 };

static const struct tls_basis basis = { .kind = TLS_TRUST_KEY };

/* Is it this one that comes back, and does getting leave it there? */
static void assert_has(struct tls_sessions *s, const char *host, uint16_t port, const SSL_SESSION *want)
{
	struct tls_basis got_basis;
	int64_t judged;

	for (int i = 0; i < 2; i++) {
		SSL_SESSION *got = tls_sessions_get(s, host, port, NOW, JUDGED, &got_basis, &judged);

		assert_ptr_equal(got, want);
		SSL_SESSION_free(got);
	}
}

static void a_session_belongs_to_host_and_port(void **state)
{
	SSL_SESSION *a = SSL_SESSION_new(), *b = SSL_SESSION_new(), *newer = SSL_SESSION_new();
	struct tls_sessions s;

	(void)state;
	tls_sessions_start(&s);
	assert_has(&s, "a.example", 995, NULL);
	tls_sessions_put(&s, "a.example", 995, a, NOW, &basis, JUDGED);
	tls_sessions_put(&s, "a.example", 110, b, NOW, &basis, JUDGED);
	assert_has(&s, "a.example", 995, a);
	assert_has(&s, "a.example", 110, b);
	assert_has(&s, "a.exampl", 995, NULL);
	assert_has(&s, "b.example", 995, NULL);
	tls_sessions_put(&s, "a.example", 995, newer, NOW, &basis, JUDGED);
	assert_has(&s, "a.example", 995, newer);
	tls_sessions_drop(&s, "a.example", 995);
	tls_sessions_drop(&s, "a.example", 995);
	assert_has(&s, "a.example", 995, NULL);
	assert_has(&s, "a.example", 110, b);
	tls_sessions_end(&s);
}

/* There is a limit, and what is used and what is new stays. */
static void the_oldest_makes_room(void **state)
{
	enum { MANY = 3 * TLS_HOSTS * TLS_HOSTS_EACH };
	SSL_SESSION *used = SSL_SESSION_new();
	struct tls_basis got_basis;
	int64_t judged;
	struct tls_sessions s;
	size_t left = 0;
	char host[30];

	(void)state;
	tls_sessions_start(&s);
	tls_sessions_put(&s, "used.example", 995, used, NOW, &basis, JUDGED);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(host, sizeof host, "h%d.example", i);
		tls_sessions_put(&s, host, 995, SSL_SESSION_new(), NOW, &basis, JUDGED);
		assert_has(&s, "used.example", 995, used);
	}
	for (int i = 0; i < MANY; i++) {
		SSL_SESSION *got;

		(void)snprintf(host, sizeof host, "h%d.example", i);
		got = tls_sessions_get(&s, host, 995, NOW, JUDGED, &got_basis, &judged);
		left += got != NULL;
		if (i == MANY - 1)
			assert_non_null(got);
		SSL_SESSION_free(got);
	}
	assert_in_range(left, TLS_HOSTS_EACH, TLS_HOSTS * TLS_HOSTS_EACH);
	tls_sessions_end(&s);
}

/* What was judged by another trust is forgotten, and the basis comes back with the session. */
static void trust_that_changed_ends_a_session(void **state)
{
	SSL_SESSION *a = SSL_SESSION_new(), *got;
	struct tls_basis got_basis = { 0 };
	int64_t judged;
	struct tls_sessions s;

	(void)state;
	tls_sessions_start(&s);
	tls_sessions_put(&s, "a.example", 995, a, NOW, &basis, JUDGED);
	got = tls_sessions_get(&s, "a.example", 995, NOW, JUDGED, &got_basis, &judged);
	assert_ptr_equal(got, a);
	SSL_SESSION_free(got);
	assert_memory_equal(&got_basis, &basis, sizeof basis);
	assert_null(tls_sessions_get(&s, "a.example", 995, NOW + 1, JUDGED, &got_basis, &judged));
	assert_null(tls_sessions_get(&s, "a.example", 995, NOW, JUDGED, &got_basis, &judged));
	tls_sessions_end(&s);
}

/* However often it was resumed meanwhile: its certificate is to be looked at once a day. */
static void a_session_lasts_a_day(void **state)
{
	static const struct { int64_t now; bool there; } rows[] = {
		{ JUDGED, true }, { JUDGED + TLS_RESUMES_S - 1, true }, { JUDGED + TLS_RESUMES_S, false }, { JUDGED - 1, false },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(rows); n++) {
		struct tls_basis got_basis;
		struct tls_sessions s;
		SSL_SESSION *got;
		int64_t judged = 0;

		tls_sessions_start(&s);
		tls_sessions_put(&s, "a.example", 995, SSL_SESSION_new(), NOW, &basis, JUDGED);
		got = tls_sessions_get(&s, "a.example", 995, NOW, rows[n].now, &got_basis, &judged);
		assert_int_equal(got != NULL, rows[n].there);
		assert_int_equal(judged, rows[n].there ? JUDGED : 0);
		SSL_SESSION_free(got);
		got = tls_sessions_get(&s, "a.example", 995, NOW, JUDGED, &got_basis, &judged);
		assert_int_equal(got != NULL, rows[n].there);	/* forgotten, and not for that once */
		SSL_SESSION_free(got);
		tls_sessions_end(&s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_belongs_to_host_and_port),
		cmocka_unit_test(the_oldest_makes_room),
		cmocka_unit_test(trust_that_changed_ends_a_session),
		cmocka_unit_test(a_session_lasts_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
