/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"
#include "net/test_pki.h"
#include "net/test_server.h"

static int connect_to(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union address a;

	assert_true(fd >= 0 && address_parse("127.0.0.1", port, &a));
	if (connect(fd, &a.any, address_size(&a)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void echoes(struct server_peer *p, void *user)
{
	char line[100];

	if (user && !peer_tls(p, user))
		return;
	while (peer_line(p, line, sizeof line) && strcmp(line, "reset") != 0)
		if (!peer_say(p, line))
			return;
	peer_reset(p);
}

static void one_connection_after_the_other(void **state)
{
	struct server s;
	char got[8];

	(void)state;
	server_start(&s, "127.0.0.1", echoes, NULL);
	for (int i = 0; i < 3; i++) {
		struct server_peer p = { .fd = connect_to(s.port) };

		assert_true(peer_say(&p, "abc\r\n"));
		assert_int_equal(peer_read(&p, got, sizeof got), 3);
		assert_true(peer_say(&p, "reset\n"));
		assert_int_equal(recv(p.fd, got, sizeof got, 0), -1);
		assert_int_equal(errno, ECONNRESET);
		peer_cut(&p);
		assert_int_equal(p.fd, -1);
		assert_false(peer_say(&p, "x"));
	}
	assert_int_equal(s.accepted, 3);
	server_stop(&s);
	assert_int_equal(connect_to(server_refusing_port()), -1);
}

static void it_speaks_tls(void **state)
{
	struct pki self;
	struct server s;
	struct server_peer p = { .fd = -1 };
	SSL_CTX *server, *client = SSL_CTX_new(TLS_client_method());
	char got[8];

	(void)state;
	pki_make(&self, &(struct pki_wish){ .name = "localhost" });
	server = pki_server(&self, NULL);
	server_start(&s, "127.0.0.1", echoes, server);
	p.fd = connect_to(s.port);
	p.ssl = SSL_new(client);
	assert_true(SSL_set_fd(p.ssl, p.fd) == 1 && SSL_connect(p.ssl) == 1);
	assert_true(peer_say(&p, "abc\n"));
	assert_int_equal(peer_read(&p, got, sizeof got), 3);
	peer_end(&p);
	server_stop(&s);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	pki_free(&self);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_connection_after_the_other),
		cmocka_unit_test(it_speaks_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
