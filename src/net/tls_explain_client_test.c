/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "net/certificate.h"
#include "net/test_plan.h"

static void speaks_nonsense(struct server_peer *peer, void *user)
{
	(void)user;
	(void)peer_send(peer, SPAN("\x16\x03\x01\x00\x08nonsense"));
	peer_wait_end(peer);
}

static const struct row {
	const char *name;
	void (*talk)(struct server_peer *p, void *user);
	struct plan plan;
	const char *why;
} rows[] = {
	{ "it names another", plan_converses, { .alpn = "\2h2\10http/1.1" }, ": TLS broke: the client asks for another protocol than ours (ALPN)" },
	{ "ciphers for another key", plan_converses, { .version = TLS1_2_VERSION, .ciphers = "AES128-SHA" }, ": TLS broke: no cipher is common with the client" },
	{ "strange groups", plan_converses, { .groups = "X448" }, ": TLS broke: no group for the key exchange is common with the client" },
	{ "TLSv1.1", plan_converses, { .version = TLS1_1_VERSION }, ": TLS broke: the client speaks no TLS version that tls.min and tls.max allow" },
	{ "it does not know our authority", plan_converses, { .verifies = true }, ": TLS broke: the client does not know the authority of our certificate" },
	{ "it speaks nonsense", speaks_nonsense, { 0 }, ": TLS broke: " },
};

static void handshakes_break(void **state)
{
	struct tls_server *t = plan_server(NULL);

	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct plan p = r->plan;
		struct client c;

		plan_visit(&c, t, CONN_TLS_IMPLICIT, PLAN_PATIENCE_MS, r->talk, &p);
		if (strcmp(c.story, "closed") != 0 || c.why.kind != ERR_TLS || !strstr(c.why.text, r->why))
			fail_msg("%s: %s: %s", r->name, c.story, c.why.text);
		client_end(&c);
	}
	tls_server_put(&t);
}

/* Certificates of clients */

static char seen[PLAN_LINE];			/* what our side read of it */

static void reads_the_certificate(struct client *c)
{
	struct certificates all;
	struct arena arena = { 0 };
	struct buf pem;
	struct err e;

	seen[0] = '\0';
	buf_start(&pem, 65536);
	if (conn_tls_client_certificate(c->conn, &pem) && certificates_read(&arena, buf_span(&pem), &all, &e))
		(void)snprintf(seen, sizeof seen, "%s %s", all.list[0].subject, all.list[0].name_count ? all.list[0].names[0] : "");
	arena_end(&arena);
	buf_end(&pem);
}

static void clients_show_certificates(void **state)
{
	static const struct {
		const struct pki *certificate;
		const char *seen, *why;
	} list[] = {
		{ NULL, "", NULL },
		{ &plan_anna, "CN=anna email:anna@example.org", NULL },
		{ &plan_stranger, "", ": the client's certificate is not accepted: " },
	};
	struct tls_server *t = plan_server(plan_ca);

	(void)state;
	for (size_t i = 0; i < COUNT(list); i++)
		for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			struct plan p = { .version = version, .certificate = list[i].certificate };
			struct conn_accepted s = { .tls = CONN_TLS_IMPLICIT, .tls_server = t, .timeout_ms = PLAN_PATIENCE_MS };

			seen[0] = '\0';
			for (int again = 0; again < 2; again++) {	/* a resumed session knows it too */
				struct client c;

				client_start(&c);
				c.say = "+OK\r\n";
				c.on_turn = plan_turn;
				c.on_opened = reads_the_certificate;
				visit(&c, &s, plan_converses, &p);
				assert_string_equal(seen, list[i].seen);
				assert_int_equal(p.resumed, again && !list[i].why);
				if (list[i].why ? c.why.kind != ERR_TLS || !strstr(c.why.text, list[i].why) : c.why.kind != ERR_NONE)
					fail_msg("%zu: %s", i, c.why.text);
				client_end(&c);
				SSL_SESSION_free(p.session);
				p.session = p.got;
				p.got = NULL;
			}
			SSL_SESSION_free(p.session);
		}
	tls_server_put(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_break),
		cmocka_unit_test(clients_show_certificates),
	};

	return cmocka_run_group_tests(tests, plans_set_up, plans_tear_down);
}
