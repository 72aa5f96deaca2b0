/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/test_guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "sasl/apop.h"
#include "serve/test_service.h"
#include "wire/base64.h"

enum { PATIENCE_S = 60 };

static void connect_to(struct guest *g, const char *listener)
{
	uint16_t port = serve_port(service.serve, listener);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = PATIENCE_S };

	assert_int_not_equal(port, 0);
	for (size_t n = 0; n < COUNT(service.listeners); n++)
		if (service.listeners[n].name && strcmp(service.listeners[n].name, listener) == 0)
			assert_int_equal(inet_pton(AF_INET, service.listeners[n].address, &a.sin_addr), 1);
	g->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(g->fd >= 0);
	if (g->room)
		assert_int_equal(setsockopt(g->fd, SOL_SOCKET, SO_RCVBUF, &g->room, sizeof g->room), 0);
	assert_int_equal(setsockopt(g->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	assert_int_equal(setsockopt(g->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
	assert_int_equal(connect(g->fd, (struct sockaddr *)&a, sizeof a), 0);
}

void guest_secure(struct guest *g)
{
	assert_int_equal(g->at, g->len);	/* nothing came in clear behind the answer to STLS */
	g->ctx = SSL_CTX_new(TLS_client_method());
	assert_non_null(g->ctx);
	(void)SSL_CTX_set_options(g->ctx, g->options);
	if (g->pki) {
		assert_int_equal(SSL_CTX_use_certificate(g->ctx, g->pki->cert), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(g->ctx, g->pki->key), 1);
	}
	g->ssl = SSL_new(g->ctx);
	assert_non_null(g->ssl);
	assert_int_equal(SSL_set_fd(g->ssl, g->fd), 1);
	assert_int_equal(SSL_connect(g->ssl), 1);
}

void guest_call(struct guest *g, const char *listener)
{
	*g = (struct guest){ .room = g->room, .pki = g->pki, .options = g->options };
	connect_to(g, listener);
	if (strcmp(listener, "tls") == 0)
		guest_secure(g);
}

void guest_leave(struct guest *g)
{
	SSL_free(g->ssl);
	SSL_CTX_free(g->ctx);
	g->ssl = NULL;
	g->ctx = NULL;
	(void)close(g->fd);
}

void guest_send(struct guest *g, struct span octets)
{
	while (octets.len) {
		ssize_t n = g->ssl ? SSL_write(g->ssl, octets.at, (int)octets.len) : send(g->fd, octets.at, octets.len, MSG_NOSIGNAL);

		if (n <= 0)
			fail_msg("the service took nothing more");
		octets = span_from(octets, (size_t)n);
	}
}

void guest_say(struct guest *g, const char *line)
{
	char text[sizeof g->line];
	int n = snprintf(text, sizeof text, "%s\r\n", line);

	assert_true(n > 0 && (size_t)n < sizeof text);
	guest_send(g, (struct span){ text, (size_t)n });
}

/* False: the end. */
static bool fill(struct guest *g)
{
	ssize_t n;

	do	/* a program of the service's that ends is a signal here, and none with SO_RCVTIMEO is restarted */
		n = g->ssl ? SSL_read(g->ssl, g->got, sizeof g->got) : recv(g->fd, g->got, sizeof g->got, 0);
	while (n < 0 && !g->ssl && errno == EINTR);
	if (n < 0 && !g->ssl && errno == EAGAIN)
		fail_msg("the service said nothing for %d s", PATIENCE_S);
	g->at = 0;
	g->len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

const char *guest_line(struct guest *g)
{
	size_t n = 0;

	for (;;) {
		char c;

		if (g->at == g->len && !fill(g)) {
			assert_int_equal(n, 0);		/* no line is cut */
			return NULL;
		}
		c = g->got[g->at++];
		assert_true(n + 1 < sizeof g->line);
		g->line[n++] = c;
		if (c != '\n')
			continue;
		assert_true(n >= 2 && g->line[n - 2] == '\r');
		g->line[n - 2] = '\0';
		return g->line;
	}
}

void guest_hears(struct guest *g, const char *begins)
{
	const char *line = guest_line(g);

	if (!line)
		fail_msg("the service closed, where \"%s\" was to come", begins);
	if (strncmp(line, begins, strlen(begins)) != 0)
		fail_msg("\"%s\" came, not \"%s\"", line, begins);
}

void guest_asks(struct guest *g, const char *say, const char *hears)
{
	guest_say(g, say);
	guest_hears(g, hears);
}

void guest_hears_end(struct guest *g)
{
	const char *line = guest_line(g);

	if (line)
		fail_msg("\"%s\" came, not the end", line);
}

/* Memory for a text of that length: it doubles, for large ones come in small pieces. */
static size_t room_for(size_t len)
{
	size_t room = sizeof ((struct guest *)0)->got;

	while (room <= len)
		room *= 2;
	return room;
}

static void collect(struct guest *g, struct fixture_text *t)
{
	size_t n = g->len - g->at;

	if (!t->at || room_for(t->len) != room_for(t->len + n))
		t->at = realloc(t->at, room_for(t->len + n));
	assert_non_null(t->at);
	memcpy(t->at + t->len, g->got + g->at, n);
	t->len += n;
	t->at[t->len] = '\0';
	g->at = g->len;
}

/* Behind the final dot's CRLF; what lies before `looked` was looked at. */
static char *end_of(const struct fixture_text *t, size_t looked)
{
	char *dot;

	if (t->len >= 3 && memcmp(t->at, ".\r\n", 3) == 0)
		return t->at + 3;
	dot = memmem(t->at + looked, t->len - looked, "\r\n.\r\n", 5);
	return dot ? dot + 5 : NULL;
}

bool guest_body(struct guest *g, struct fixture_text *t)
{
	size_t looked = 0;
	char *end;

	do {
		if (g->at == g->len && !fill(g))
			return false;
		collect(g, t);
		end = end_of(t, looked);
		looked = t->len > 4 ? t->len - 4 : 0;
	} while (!end);
	g->at -= t->len - (size_t)(end - t->at);	/* what came behind it */
	t->len = (size_t)(end - t->at);
	*end = '\0';
	return true;
}

void guest_rest(struct guest *g, struct fixture_text *t)
{
	do
		collect(g, t);
	while (fill(g));
}

void guest_greets(struct guest *g, const char *listener)
{
	const char *stamp;

	guest_call(g, listener);
	guest_hears(g, "+OK ");
	stamp = strrchr(g->line, '<');
	(void)snprintf(g->stamp, sizeof g->stamp, "%s", stamp ? stamp : "");
}

void guest_enters(struct guest *g, const char *listener)
{
	guest_greets(g, listener);
	guest_asks(g, "USER bob", "+OK");
	guest_asks(g, "PASS geheim", "+OK");
}

static bool apop(struct guest *g, const char *password)
{
	char digest[APOP_DIGEST], line[64];

	assert_true(apop_digest(span_of(g->stamp), span_of(password), digest));
	(void)snprintf(line, sizeof line, "APOP bob %s", digest);
	guest_say(g, line);
	return guest_line(g) && strncmp(g->line, "+OK", 3) == 0;
}

static void respond(struct guest *g, struct sasl_client *c, const char *challenge)
{
	struct buf in, out, line;

	buf_start(&in, SASL_RESPONSE_MAX);
	buf_start(&out, SASL_RESPONSE_MAX);
	buf_start(&line, SASL_RESPONSE_MAX);
	assert_true(base64_decode(span_of(challenge), &in));
	must(sasl_client_step(c, in.len ? buf_span(&in) : SPAN(""), &out, &fixture_err));
	assert_true(base64_encode(buf_span(&out), &line) && buf_add(&line, SPAN("\r\n")));
	guest_send(g, buf_span(&line));
	buf_end(&in);
	buf_end(&out);
	buf_end(&line);
}

bool guest_proves(struct guest *g, enum sasl_mech mech, const char *password)
{
	char exporter[32], line[64];
	struct sasl_credentials with = { .user = "bob", .password = span_of(password), .service = "pop", .host = "localhost" };
	struct sasl_client *c;
	bool good;

	if (mech == SASL_APOP)
		return apop(g, password);
	if (g->ssl && SSL_export_keying_material(g->ssl, (unsigned char *)exporter, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0) == 1)
		with.tls_exporter = (struct span){ exporter, 32 };
	c = sasl_client_new(mech, &with, &fixture_err);
	must(c);
	(void)snprintf(line, sizeof line, "AUTH %s", sasl_mech_name(mech));
	guest_say(g, line);
	while (guest_line(g) && g->line[0] == '+' && g->line[1] == ' ')
		respond(g, c, g->line + 2);
	good = strncmp(g->line, "+OK", 3) == 0;
	if (good)
		assert_true(sasl_client_verified(c));
	sasl_client_free(&c);
	return good;
}
