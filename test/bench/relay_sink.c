/* SPDX-License-Identifier: Apache-2.0
 *
 * relay_sink -- an SMTP or LMTP server that accepts everything, keeps nothing, and counts: where relaying.py has mail
 * delivered to.  It announces PIPELINING and 8BITMIME, with -c CHUNKING too.
 *
 * usage: relay_sink [-l] [-c] PORT     -l: LMTP; listens on 127.0.0.1
 * SIGTERM ends it; then one line of JSON: messages accepted, Message-IDs that came more than once, bodies whose X-Bench-CRC
 * is right, wrong, not there, connections.  relaying.py builds it for itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zlib.h>

enum { IN_MAX = 1 << 16, SEEN_MAX = 1 << 18, MESSAGE_MAX = 64 << 20 };

struct peer {
	int fd;
	bool data, over;
	size_t chunk, recipients;	/* chunk: what is still to come of a BDAT */
	bool last;
	char in[IN_MAX];
	size_t in_len;
	char *message, *out;
	size_t message_len, message_room, out_len, out_room;
};

static bool lmtp, chunking;
static unsigned long accepted, again, good, bad, bare, connections;
static uint64_t seen[SEEN_MAX];		/* 0 = free */

static void put(char **to, size_t *len, size_t *room, const char *octets, size_t count)
{
	if (*len + count > *room) {
		*room = (*len + count) * 2;
		*to = realloc(*to, *room);
		if (!*to)
			abort();
	}
	memcpy(*to + *len, octets, count);
	*len += count;
}

static void say(struct peer *p, const char *line)
{
	put(&p->out, &p->out_len, &p->out_room, line, strlen(line));
}

static void remember(const char *id, size_t len)
{
	uint64_t hash = 14695981039346656037U;

	for (size_t n = 0; n < len; n++)
		hash = (hash ^ (unsigned char)id[n]) * 1099511628211U;
	hash += !hash;
	for (size_t at = hash % SEEN_MAX;; at = (at + 1) % SEEN_MAX) {
		if (seen[at] == hash)
			again++;
		else if (seen[at])
			continue;
		seen[at] = hash;
		return;
	}
}

/* As the harness's verify_maildir.py does. */
static void check(const char *message, size_t len)
{
	const char *end = memmem(message, len, "\r\n\r\n", 4), *crc = memmem(message, len, "\nX-Bench-CRC: ", 14);
	const char *id = memmem(message, len, "\nMessage-ID: ", 13), *body = end ? end + 4 : message;
	size_t count = len - (size_t)(body - message);

	accepted++;
	if (!end || !crc || crc > end || !id || id > end) {
		bare++;
		return;
	}
	remember(id + 1, strcspn(id + 1, "\r\n"));
	if (crc32(0, (const Bytef *)body, (uInt)count) == strtoul(crc + 14, NULL, 16))
		good++;
	else
		bad++;
}

static void whole(struct peer *p)
{
	check(p->message ? p->message : "", p->message_len);
	for (size_t n = 0; n < (lmtp ? p->recipients : 1); n++)
		say(p, "250 2.0.0 taken\r\n");
	p->message_len = p->recipients = 0;
	p->data = false;
}

static void hello(struct peer *p)
{
	say(p, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n");
	if (chunking)
		say(p, "250-CHUNKING\r\n");
	say(p, "250 SIZE 0\r\n");
}

static void command(struct peer *p, const char *line)
{
	if (strncasecmp(line, lmtp ? "LHLO" : "EHLO", 4) == 0) {
		hello(p);
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		p->recipients++;
		say(p, "250 2.1.5 ok\r\n");
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		p->data = p->recipients;
		say(p, p->data ? "354 go on\r\n" : "503 5.5.1 nobody\r\n");
	} else if (chunking && strncasecmp(line, "BDAT ", 5) == 0) {
		p->chunk = strtoul(line + 5, NULL, 10);
		p->last = strcasestr(line, "LAST");
		if (!p->chunk && p->last)
			whole(p);
		else if (!p->chunk)
			say(p, "250 2.0.0 ok\r\n");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(p, "221 2.0.0 bye\r\n");
		p->over = true;
	} else {
		say(p, "250 2.0.0 ok\r\n");
	}
}

static void take(struct peer *p, const char *octets, size_t count)
{
	put(&p->message, &p->message_len, &p->message_room, octets, count);
	if (p->message_len > MESSAGE_MAX)
		abort();
}

/* One line, or one piece of a chunk; how many octets that were, 0: more are needed. */
static size_t one(struct peer *p, char *at, size_t left)
{
	char *end;
	size_t len;

	if (p->chunk) {
		len = left < p->chunk ? left : p->chunk;
		take(p, at, len);
		p->chunk -= len;
		if (!p->chunk && p->last)
			whole(p);
		else if (!p->chunk)
			say(p, "250 2.0.0 ok\r\n");
		return len;
	}
	end = memchr(at, '\n', left);
	if (!end)
		return 0;
	len = (size_t)(end - at) + 1;
	if (!p->data) {
		*end = '\0';
		command(p, at);
	} else if (len == 3 && memcmp(at, ".\r\n", 3) == 0) {
		whole(p);
	} else {
		take(p, at + (*at == '.'), len - (*at == '.'));
	}
	return len;
}

static void eat(struct peer *p)
{
	size_t done = 0, n;

	while (done < p->in_len && (n = one(p, p->in + done, p->in_len - done)))
		done += n;
	p->in_len -= done;
	memmove(p->in, p->in + done, p->in_len);
	if (p->in_len == sizeof p->in)
		abort();	/* a line of 64 KiB: not of this bench */
}

/* False: it is over. */
static bool drive(struct peer *p)
{
	for (;;) {
		while (p->out_len) {
			ssize_t n = send(p->fd, p->out, p->out_len, MSG_NOSIGNAL);

			if (n < 0)
				return errno == EAGAIN;
			p->out_len -= (size_t)n;
			memmove(p->out, p->out + n, p->out_len);
		}
		if (p->over)
			return false;
		ssize_t n = recv(p->fd, p->in + p->in_len, sizeof p->in - p->in_len, 0);

		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		p->in_len += (size_t)n;
		eat(p);
	}
}

static void let_in(int listener, int epoll)
{
	int fd, yes = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct peer *p = calloc(1, sizeof *p);
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p };

		if (!p)
			abort();
		connections++;
		p->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
		say(p, "220 sink\r\n");
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
	}
}

static void leave(struct peer *p)
{
	close(p->fd);
	free(p->message);
	free(p->out);
	free(p);
}

static int serve(int listener, int signals)
{
	int epoll = epoll_create1(0), listening = listener;
	struct epoll_event all[64], e = { .events = EPOLLIN, .data.ptr = &listening }, s = { .events = EPOLLIN, .data.ptr = &signals };

	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
	epoll_ctl(epoll, EPOLL_CTL_ADD, signals, &s);
	for (;;) {
		int count = epoll_wait(epoll, all, 64, -1);

		for (int n = 0; n < count; n++) {
			if (all[n].data.ptr == &signals) {
				printf("{\"accepted\": %lu, \"again\": %lu, \"good\": %lu, \"bad\": %lu, \"bare\": %lu, \"connections\": %lu}\n", accepted,
					again, good, bad, bare, connections);
				return fflush(stdout) ? 1 : 0;
			}
			if (all[n].data.ptr == &listening)
				let_in(listener, epoll);
			else if (!drive(all[n].data.ptr))
				leave(all[n].data.ptr);
		}
	}
}

int main(int argc, char **argv)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1, at = 1;
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	sigset_t term;

	for (; at < argc && *argv[at] == '-'; at++) {
		lmtp = lmtp || strcmp(argv[at], "-l") == 0;
		chunking = chunking || strcmp(argv[at], "-c") == 0;
	}
	if (at + 1 != argc)
		return fputs("usage: relay_sink [-l] [-c] PORT\n", stderr), 2;
	here.sin_port = htons((uint16_t)strtoul(argv[at], NULL, 10));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 1024))
		return perror("relay_sink"), 1;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	puts("ready");
	fflush(stdout);
	return serve(listener, signalfd(-1, &term, SFD_NONBLOCK));
}
