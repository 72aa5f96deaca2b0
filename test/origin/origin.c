/* SPDX-License-Identifier: Apache-2.0
 *
 * postrider-origin: a small POP3 server for the demo, until Postrider serves itself.
 *
 *     postrider-origin COUNT CERTIFICATE-FILE PORT-FILE
 *
 * It makes COUNT messages, a key and a certificate for localhost that nobody
 * else will ever see, listens with TLS on a free loopback port, writes the
 * certificate (PEM) and then the port to the files given, and serves until
 * SIGTERM or SIGINT.  Any user with any password gets the one maildrop.  One
 * thread a connection; commands may be pipelined; DELE takes effect at QUIT. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "wire/dot.h"
#include "wire/line.h"

enum { COUNT_MAX = 1000000, LINE_MAX_OCTETS = 512, OUT_ENOUGH = 64 * 1024, OUT_MAX = 1 << 20, IN_SIZE = 32 * 1024 };

struct maildrop {
	pthread_mutex_t lock;
	struct buf *letters;	/* with CRLF; never changed after fill() */
	bool *gone;		/* under the lock */
	uint32_t count;
};

struct session {
	struct maildrop *drop;
	SSL *ssl;
	struct buf out;
	uint32_t *letters;	/* the snapshot: which letter has which number */
	bool *marked;		/* DELE */
	uint32_t count;
	bool inside, over;
};

static void die(const char *what)
{
	fprintf(stderr, "postrider-origin: %s: %s\n", what, errno ? strerror(errno) : "failed");
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void *need(void *p)
{
	if (!p)
		die("memory");
	return p;
}

/* ---- the mail */

/* Numbers that look random and are the same every time (xorshift). */
static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void write_letter(struct buf *b, uint32_t number)
{
	static const char *const lines[] = {
		"Please find the figures of this week below.", "The meeting is moved to Thursday, same room.",
		".hidden files begin with a dot, and so does this line", "Grüße aus Zürich", "", ".",
		"Could you look at the second paragraph again?", "> as you wrote yesterday",
	};
	uint32_t state = number * 2654435761u + 1;
	uint32_t shift = next_random(&state) % 8;	/* sizes from a few hundred octets to 64 KiB, most of them small */
	size_t size = 200 + next_random(&state) % (256u << shift);
	bool good = buf_printf(b, "From: sender%u@example.net\r\nTo: anna@example.org\r\nSubject: letter %u\r\n"
		"Message-ID: <%u@origin.example>\r\n\r\n", number % 97, number, number);

	while (good && b->len < size)
		good = buf_printf(b, "%s\r\n", lines[next_random(&state) % COUNT(lines)]);
	if (!good)
		die("memory");
}

static void fill(struct maildrop *d, uint32_t count)
{
	d->letters = need(calloc(count, sizeof(*d->letters)));
	d->gone = need(calloc(count, sizeof(*d->gone)));
	d->count = count;
	for (uint32_t i = 0; i < count; i++) {
		buf_start(&d->letters[i], OUT_MAX);
		write_letter(&d->letters[i], i + 1);
	}
}

/* ---- one session */

static void flush(struct session *s)
{
	size_t done = 0;

	while (!s->over && done < s->out.len) {
		int n = SSL_write(s->ssl, s->out.at + done, (int)(s->out.len - done));
		if (n <= 0)
			s->over = true;
		else
			done += (size_t)n;
	}
	buf_drop(&s->out, s->out.len);
}

static void say(struct session *s, struct span text)
{
	if (s->out.len >= OUT_ENOUGH)
		flush(s);
	if (!buf_add(&s->out, text))
		die("memory");
}

static void say_number(struct session *s, uint32_t number, const struct buf *letter, bool uid)
{
	char line[80];
	int n = uid ? snprintf(line, sizeof(line), "%u %08x\r\n", number, s->letters[number - 1])
		: snprintf(line, sizeof(line), "%u %zu\r\n", number, letter->len);

	say(s, (struct span){ line, (size_t)n });
}

/* The letter of a number that was given as text and is not marked; else -ERR and NULL. */
static const struct buf *letter_of(struct session *s, struct span text, uint32_t *number)
{
	uint64_t n;

	if (!span_number(text, s->count, &n) || n == 0 || s->marked[n - 1]) {
		say(s, SPAN("-ERR no such message\r\n"));
		return NULL;
	}
	*number = (uint32_t)n;
	return &s->drop->letters[s->letters[n - 1]];
}

static void on_capa(struct session *s, struct span args)
{
	(void)args;
	say(s, SPAN("+OK\r\nTOP\r\nUIDL\r\nUSER\r\nRESP-CODES\r\nPIPELINING\r\n.\r\n"));
}

static void on_user(struct session *s, struct span args)
{
	(void)args;
	say(s, SPAN("+OK\r\n"));
}

static void on_pass(struct session *s, struct span args)
{
	struct maildrop *d = s->drop;

	(void)args;
	pthread_mutex_lock(&d->lock);
	s->letters = need(calloc(d->count + 1, sizeof(*s->letters)));
	s->marked = need(calloc(d->count + 1, sizeof(*s->marked)));
	for (uint32_t i = 0; i < d->count; i++)
		if (!d->gone[i])
			s->letters[s->count++] = i;
	pthread_mutex_unlock(&d->lock);
	s->inside = true;
	say(s, SPAN("+OK\r\n"));
}

static void on_stat(struct session *s, struct span args)
{
	char line[80];
	size_t octets = 0;
	uint32_t count = 0;

	(void)args;
	for (uint32_t i = 0; i < s->count; i++)
		if (!s->marked[i]) {
			octets += s->drop->letters[s->letters[i]].len;
			count++;
		}
	say(s, (struct span){ line, (size_t)snprintf(line, sizeof(line), "+OK %u %zu\r\n", count, octets) });
}

static void listing(struct session *s, struct span args, bool uid)
{
	uint32_t number;

	if (args.len) {
		const struct buf *letter = letter_of(s, args, &number);
		if (letter) {
			say(s, SPAN("+OK "));
			say_number(s, number, letter, uid);
		}
		return;
	}
	say(s, SPAN("+OK\r\n"));
	for (uint32_t i = 0; i < s->count; i++)
		if (!s->marked[i])
			say_number(s, i + 1, &s->drop->letters[s->letters[i]], uid);
	say(s, SPAN(".\r\n"));
}

static void on_list(struct session *s, struct span args)
{
	listing(s, args, false);
}

static void on_uidl(struct session *s, struct span args)
{
	listing(s, args, true);
}

static void send_body(struct session *s, struct span body)
{
	struct dot_out dot = { 0 };
	struct span piece;

	say(s, SPAN("+OK\r\n"));
	while (dot_out_next(&dot, &body, &piece))
		say(s, piece);
	say(s, dot_out_end(&dot));
}

static void on_retr(struct session *s, struct span args)
{
	uint32_t number;
	const struct buf *letter = letter_of(s, args, &number);

	if (letter)
		send_body(s, buf_span(letter));
}

/* The header and so many lines of what follows it. */
static void on_top(struct session *s, struct span args)
{
	struct span text, lines;
	uint64_t want;
	uint32_t number;
	const struct buf *letter = span_word(&args, &text) ? letter_of(s, text, &number) : NULL;

	if (!letter)
		return;
	if (!span_word(&args, &lines) || !span_number(lines, UINT32_MAX, &want)) {
		say(s, SPAN("-ERR how many lines?\r\n"));
		return;
	}
	const char *end = (const char *)need(memmem(letter->at, letter->len, "\r\n\r\n", 4)) + 4;
	const char *stop = letter->at + letter->len;
	for (uint64_t i = 0; i < want && end < stop; i++)
		end = (const char *)memchr(end, '\n', (size_t)(stop - end)) + 1;
	send_body(s, (struct span){ letter->at, (size_t)(end - letter->at) });
}

static void on_dele(struct session *s, struct span args)
{
	uint32_t number;

	if (letter_of(s, args, &number)) {
		s->marked[number - 1] = true;
		say(s, SPAN("+OK\r\n"));
	}
}

static void on_noop(struct session *s, struct span args)
{
	(void)args;
	say(s, SPAN("+OK\r\n"));
}

static void on_quit(struct session *s, struct span args)
{
	(void)args;
	pthread_mutex_lock(&s->drop->lock);
	for (uint32_t i = 0; i < s->count; i++)
		if (s->marked[i])
			s->drop->gone[s->letters[i]] = true;
	pthread_mutex_unlock(&s->drop->lock);
	say(s, SPAN("+OK bye\r\n"));
	flush(s);
	s->over = true;
}

static const struct verb {
	struct span name;
	bool inside;		/* only after login */
	void (*run)(struct session *s, struct span args);
} verbs[] = {
	{ { "CAPA", 4 }, false, on_capa }, { { "USER", 4 }, false, on_user }, { { "PASS", 4 }, false, on_pass },
	{ { "QUIT", 4 }, false, on_quit }, { { "STAT", 4 }, true, on_stat }, { { "LIST", 4 }, true, on_list },
	{ { "UIDL", 4 }, true, on_uidl }, { { "RETR", 4 }, true, on_retr }, { { "TOP", 3 }, true, on_top },
	{ { "DELE", 4 }, true, on_dele }, { { "NOOP", 4 }, true, on_noop },
};

static void dispatch(struct session *s, struct span line)
{
	struct span name;

	if (span_word(&line, &name))
		for (const struct verb *v = verbs; v < verbs + COUNT(verbs); v++)
			if (span_equal_nocase(name, v->name) && (s->inside || !v->inside)) {
				v->run(s, span_trim(line));
				return;
			}
	say(s, SPAN("-ERR not now, or never\r\n"));
}

static void talk(struct session *s)
{
	char in[IN_SIZE], memory[LINE_MAX_OCTETS];
	struct lines lines;
	struct span line;
	int n;

	lines_start(&lines, memory, sizeof(memory));
	say(s, SPAN("+OK postrider-origin ready\r\n"));
	while (flush(s), !s->over && (n = SSL_read(s->ssl, in, sizeof(in))) > 0) {
		struct span rest = { in, (size_t)n };
		enum line_got got;
		while ((got = lines_next(&lines, &rest, &line)) == LINE_WHOLE && !s->over)
			dispatch(s, line);
		s->over |= got == LINE_LONG;
	}
}

static void *session_run(void *arg)
{
	struct session *s = arg;
	int sock = SSL_get_fd(s->ssl);

	buf_start(&s->out, OUT_MAX + OUT_ENOUGH);
	if (SSL_accept(s->ssl) == 1) {
		talk(s);
		SSL_shutdown(s->ssl);
	}
	SSL_free(s->ssl);
	close(sock);
	buf_end(&s->out);
	free(s->letters);
	free(s->marked);
	free(s);
	return NULL;
}

/* ---- the certificate and the port */

static SSL_CTX *make_context(const char *path)
{
	SSL_CTX *ctx = need(SSL_CTX_new(TLS_server_method()));
	EVP_PKEY *key = need(EVP_EC_gen("P-256"));
	X509 *cert = need(X509_new());
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *alt = need(X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1"));
	FILE *f = fopen(path, "w");

	if (!f)
		die(path);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"postrider-origin", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	if (!X509_add_ext(cert, alt, -1) || !X509_sign(cert, key, EVP_sha256()) || !SSL_CTX_use_certificate(ctx, cert) ||
	    !SSL_CTX_use_PrivateKey(ctx, key) || !PEM_write_X509(f, cert) || fclose(f) != 0)
		die("certificate");
	X509_EXTENSION_free(alt);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static int listen_loopback(const char *port_file)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *f = fopen(port_file, "w");

	if (!f)
		die(port_file);
	if (sock < 0 || bind(sock, (struct sockaddr *)&at, len) != 0 || listen(sock, 64) != 0 ||
	    getsockname(sock, (struct sockaddr *)&at, &len) != 0)
		die("listen");
	fprintf(f, "%u\n", ntohs(at.sin_port));
	if (fclose(f) != 0)
		die(port_file);
	return sock;
}

static void serve(struct maildrop *d, SSL_CTX *ctx, int listener)
{
	pthread_attr_t detached;
	pthread_t thread;
	int one = 1;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (;;) {
		int sock = accept(listener, NULL, NULL);
		if (sock < 0)
			continue;
		struct session *s = need(calloc(1, sizeof(*s)));
		setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		s->drop = d;
		s->ssl = need(SSL_new(ctx));
		if (!SSL_set_fd(s->ssl, sock) || pthread_create(&thread, &detached, session_run, s) != 0)
			die("session");
	}
}

int main(int argc, char **argv)
{
	struct maildrop drop = { .lock = PTHREAD_MUTEX_INITIALIZER };
	uint64_t count;

	if (argc != 4 || !span_number(span_of(argv[1]), COUNT_MAX, &count) || count == 0) {
		fputs("usage: postrider-origin COUNT CERTIFICATE-FILE PORT-FILE\n", stderr);
		return 2;
	}
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	fill(&drop, (uint32_t)count);
	SSL_CTX *ctx = make_context(argv[2]);
	serve(&drop, ctx, listen_loopback(argv[3]));
}
