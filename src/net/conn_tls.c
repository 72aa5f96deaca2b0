/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS as a byte filter: OpenSSL reads the octets of this turn where they lie,
 * and writes behind what waits to go out.  It never sees the socket. */
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "net/conn_inside.h"

enum { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, SAID_MAX = 80 };

static int bio_write(BIO *b, const char *at, size_t len, size_t *written)
{
	struct conn *c = BIO_get_data(b);

	if (!c->deaf && !conn_queue(c, (struct span){ at, len }))
		return 0;
	*written = len;
	return 1;
}

static int bio_read(BIO *b, char *at, size_t room, size_t *got)
{
	struct conn *c = BIO_get_data(b);
	size_t n = c->cipher.len < room ? c->cipher.len : room;

	BIO_clear_retry_flags(b);
	if (!n) {
		BIO_set_retry_read(b);
		return 0;
	}
	memcpy(at, c->cipher.at, n);
	c->cipher = span_from(c->cipher, n);
	*got = n;
	return 1;
}

static long bio_ctrl([[maybe_unused]] BIO *b, int what, [[maybe_unused]] long number, [[maybe_unused]] void *at)
{
	return what == BIO_CTRL_FLUSH;	/* all else does not concern us */
}

static BIO_METHOD *method;		/* for the life of the process */

static void make_method(void)
{
	method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "turn");
	if (method) {
		(void)BIO_meth_set_write_ex(method, bio_write);
		(void)BIO_meth_set_read_ex(method, bio_read);
		(void)BIO_meth_set_ctrl(method, bio_ctrl);
	}
}

static BIO *new_bio(struct conn *c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *b;

	(void)pthread_once(&once, make_method);
	b = method ? BIO_new(method) : NULL;
	if (b) {
		BIO_set_data(b, c);
		BIO_set_init(b, 1);
	}
	return b;
}

/* What OpenSSL's last answer was; `why` is filled if it was an error.  To be asked
 * before anybody else uses OpenSSL: its errors are kept per thread. */
static int outcome(struct conn *c, int result, struct err *why)
{
	int code = SSL_get_error(c->ssl, result);

	assert(code != SSL_ERROR_WANT_WRITE);
	if (code == SSL_ERROR_NONE || code == SSL_ERROR_WANT_READ || code == SSL_ERROR_ZERO_RETURN)
		return code;
	if (c->serving) {
		tls_explain_client(c->ssl, why);
		return code;
	}
	if (!SSL_is_init_finished(c->ssl))	/* a session that cannot be resumed must not be in the way for ever */
		tls_sessions_drop(&c->peer.client->sessions, c->name, c->port);
	tls_explain(&c->peer, c->ssl, &c->technical, why);
	return code;
}

/* False: nothing more to do with the octets of this turn. */
static bool go_on(struct conn *c, int code, const struct err *why)
{
	if (c->state > CONN_OPEN || code == SSL_ERROR_WANT_READ)
		return false;
	if (code == SSL_ERROR_NONE)
		return true;
	if (conn_deflate_parts(c, code == SSL_ERROR_ZERO_RETURN ? NULL : why))
		return false;
	if (code == SSL_ERROR_ZERO_RETURN && c->serving) {
		conn_half_closed(c);
	} else if (code == SSL_ERROR_ZERO_RETURN) {
		conn_tls_bye(c);
		conn_end(c, NULL);
	} else {
		conn_fail_as(c, why);
	}
	return false;
}

static bool handshake(struct conn *c)
{
	struct err why;
	int code;

	ERR_clear_error();
	code = outcome(c, SSL_do_handshake(c->ssl), &why);
	if (!go_on(c, code, &why))
		return false;
	if (!c->serving && !tls_peer_trusted(&c->peer))		/* a session that was resumed has shown no certificate */
		return conn_fail(c, ERR_TLS, "the server's certificate counted only because it was accepted, and that was taken back just now");
	(void)snprintf(c->tls_text, sizeof c->tls_text, "%s %s", SSL_get_version(c->ssl), SSL_get_cipher_name(c->ssl));
	c->state = CONN_OPEN;
	conn_set_deadline(c, 0, NULL, false);
	conn_opened(c);
	return c->state == CONN_OPEN;
}

void conn_tls_begin(struct conn *c)
{
	struct err why;
	BIO *b;

	assert(!c->ssl && (c->tls_client || c->tls_server));
	c->state = CONN_HANDSHAKING;
	c->heard = false;
	c->peer = (struct tls_peer){ .client = c->tls_client, .host = c->name, .port = c->port, .verdict = &c->why, .offered = &c->offered };
	conn_set_deadline(c, c->timeout_ms, "TLS handshake", true);
	c->ssl = c->serving ? tls_server_start(c->tls_server, &why) : tls_peer_start(&c->peer, &why);
	if (!c->ssl) {
		conn_fail_as(c, &why);
		return;
	}
	b = new_bio(c);
	if (!b) {
		(void)conn_fail(c, ERR_LOCAL, "out of memory");
		return;
	}
	SSL_set_bio(c->ssl, b, b);
	(void)handshake(c);
}

/* The first octet after our ClientHello decides: it begins a record, or the
 * other side does not speak TLS (on a TLS port), or somebody slipped octets in
 * behind the answer to STLS. */
static bool begins_tls(struct conn *c, struct span in)
{
	struct err why;

	if (in.at[0] == RECORD_HANDSHAKE || in.at[0] == RECORD_ALERT)
		return true;
	if (c->upgraded)
		return conn_fail(c, ERR_PEER, "data before TLS: octets in clear came after the answer to the TLS start; "
			"the %s is broken, or somebody is interfering", conn_other(c));
	if (c->serving) {
		(void)err_set(&why, ERR_TLS, "the client speaks in clear, where this port begins with TLS");	/* what it says may be a password */
		conn_fail_as(c, &why);
		return false;
	}
	c->technical = true;
	(void)err_set(&why, ERR_TLS, "this port does not speak TLS; try tls.mode = explicit, or check `port`");
	(void)err_peer(&why, (struct span){ in.at, span_find(in, '\n') < SAID_MAX ? span_find(in, '\n') : SAID_MAX });
	conn_fail_as(c, &why);
	return false;
}

/* Gathers what several records hold before it calls the user. */
static void read_records(struct conn *c)
{
	struct err why;
	int code;

	do {
		size_t len = 0, n;
		int result = 1;

		ERR_clear_error();
		while (len < CONN_IN_MAX && result == 1) {
			result = SSL_read_ex(c->ssl, c->loop->clear + len, CONN_IN_MAX - len, &n);
			if (result == 1)
				len += n;
		}
		code = outcome(c, result, &why);
		if (code == SSL_ERROR_SSL || code == SSL_ERROR_SYSCALL) {
			conn_flush(c);		/* our alert; after that nothing can be sent, */
			c->deaf = EPROTO;	/* but what came before is still good */
		}
		if (len)
			conn_input(c, (struct span){ c->loop->clear, len });
		wipe(c->loop->clear, len);	/* a password may have been in it */
	} while (go_on(c, code, &why));
}

void conn_tls_input(struct conn *c, struct span cipher)
{
	bool first = c->state == CONN_HANDSHAKING && !c->heard;

	c->heard = true;
	c->cipher = cipher;
	if ((!first || begins_tls(c, cipher)) && (c->state == CONN_OPEN || handshake(c)))
		read_records(c);
	assert(c->state > CONN_OPEN || c->ended || !c->cipher.len);	/* behind a close_notify nothing counts */
	c->cipher = (struct span){ 0 };
}

bool conn_tls_send(struct conn *c, struct span out)
{
	size_t written;

	ERR_clear_error();
	return SSL_write_ex(c->ssl, out.at, out.len, &written) == 1 && written == out.len;
}

void conn_tls_bye(struct conn *c)
{
	if (c->ssl && SSL_is_init_finished(c->ssl)) {
		ERR_clear_error();
		(void)SSL_shutdown(c->ssl);
	}
}

void conn_tls_eof(struct conn *c)
{
	if (c->state == CONN_HANDSHAKING) {
		c->technical = true;
		(void)conn_fail(c, ERR_NET, "the %s closed the connection %s", conn_other(c),
			c->heard || !c->serving ? "during the TLS handshake" : "before it said anything");
	} else {
		(void)conn_fail(c, ERR_NET, "the connection was cut: it ended without TLS's own end (close_notify)");
	}
}

bool conn_tls_client_certificate(const struct conn *c, struct buf *pem)
{
	X509 *x = c->serving && conn_is_tls(c) && SSL_get_verify_result(c->ssl) == X509_V_OK ? SSL_get0_peer_certificate(c->ssl) : NULL;
	BIO *b = x ? BIO_new(BIO_s_mem()) : NULL;
	char *at = NULL;
	long len = 0;
	bool good;

	if (b && PEM_write_bio_X509(b, x) == 1)
		len = BIO_get_mem_data(b, &at);
	good = len > 0 && buf_add(pem, (struct span){ at, (size_t)len });
	(void)BIO_free(b);
	return good;
}

bool conn_tls_resumed(const struct conn *c)
{
	return conn_is_tls(c) && SSL_session_reused(c->ssl);
}

bool conn_tls_technical(const struct conn *c)
{
	return c->technical;
}

bool conn_tls_offered(const struct conn *c, struct conn_offered *offered)
{
	if (!c->offered)
		return false;
	*offered = (struct conn_offered){ { c->offered->chain, c->offered->len }, c->offered->reason };
	return true;
}

bool conn_tls_trusted(const struct conn *c)
{
	return c->serving || !conn_is_tls(c) || tls_peer_trusted(&c->peer);
}

bool conn_is_tls(const struct conn *c)
{
	return c->tls_text[0] != '\0';
}

const char *conn_tls_text(const struct conn *c)
{
	return c->tls_text;
}

void conn_tls_certificate(const struct conn *c, char *out, size_t size)
{
	X509 *x = conn_is_tls(c) ? SSL_get0_peer_certificate(c->ssl) : NULL;

	*out = '\0';
	if (x)
		tls_certificate_text(x, out, size);
}

/* Bindings are unique only where both ends' keys went into the secrets (RFC 7627). */
static bool binds(const struct conn *c)
{
	return conn_is_tls(c) && (SSL_version(c->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(c->ssl) == 1);
}

size_t conn_tls_exporter(const struct conn *c, char out[32])
{
	static const struct span label = SPAN("EXPORTER-Channel-Binding");

	if (!binds(c) || SSL_export_keying_material(c->ssl, (unsigned char *)out, 32, label.at, label.len, NULL, 0, 0) != 1)
		return 0;
	return 32;
}

/* The first Finished of the handshake: the client's in a full one, the server's in a resumed one.  TLSv1.3 has none. */
size_t conn_tls_unique(const struct conn *c, char out[64])
{
	size_t n;

	if (!binds(c) || SSL_version(c->ssl) >= TLS1_3_VERSION)
		return 0;
	n = SSL_session_reused(c->ssl) != c->serving ? SSL_get_peer_finished(c->ssl, out, 64) : SSL_get_finished(c->ssl, out, 64);
	return n <= 64 ? n : 0;
}
