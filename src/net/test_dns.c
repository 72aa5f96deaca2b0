/* SPDX-License-Identifier: Apache-2.0 */
#include "net/test_dns.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"

enum { HEAD = 12, TYPE_A = 1, TYPE_AAAA = 28, NO_SUCH_NAME = 3, PACKET = 512 };

/* The question's name as text; returns where it ends, 0 if it is broken. */
static size_t read_name(const unsigned char *packet, size_t len, char *name, size_t size)
{
	size_t at = HEAD, used = 0;

	while (at < len && packet[at]) {
		size_t n = packet[at++];

		if (n > 63 || at + n > len || used + n + 2 > size)
			return 0;
		if (used)
			name[used++] = '.';
		memcpy(name + used, packet + at, n);
		used += n;
		at += n;
	}
	name[used] = '\0';
	return at + 1;
}

static const struct dns_row *find(const struct dns *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++)
		if (span_equal_nocase(span_of(d->rows[i].name), span_of(name)))
			return &d->rows[i];
	return NULL;
}

static size_t add_answer(unsigned char *at, const char *text, int type)
{
	unsigned char head[] = { 0xc0, HEAD, 0, (unsigned char)type, 0, 1, 0, 0, 0, 60, 0, type == TYPE_A ? 4 : 16 };

	memcpy(at, head, sizeof head);
	if (inet_pton(type == TYPE_A ? AF_INET : AF_INET6, text, at + sizeof head) != 1)
		return 0;
	return sizeof head + head[11];
}

/* Makes the question the answer to itself; 0 = say nothing. */
static size_t answer(const struct dns *d, unsigned char *packet, size_t len)
{
	char name[256];
	size_t end = len > HEAD ? read_name(packet, len, name, sizeof name) : 0;
	const struct dns_row *row = end ? find(d, name) : NULL;
	int type = end && end + 4 <= len ? packet[end + 1] : 0;
	size_t count = 0;

	if (!type || (row && (type == TYPE_A ? row->silent_a : row->silent_aaaa)))
		return 0;
	end += 4;
	for (size_t i = 0; row && i < DNS_EACH && row->addresses[i]; i++) {
		size_t n = add_answer(packet + end, row->addresses[i], type);

		end += n;
		count += n > 0;
	}
	packet[2] = 0x81;		/* an answer, recursion was wanted */
	packet[3] = (unsigned char)(0x80 | (row ? row->code : NO_SUCH_NAME));
	memcpy(packet + 4, (unsigned char[]){ 0, 1, 0, (unsigned char)count, 0, 0, 0, 0 }, 8);
	return end;
}

struct packet {
	unsigned char at[2 * PACKET];
	size_t len;
	union address from;
	socklen_t from_size;
};

static void send_back(const struct dns *d, struct packet *p)
{
	if (p->len)
		(void)sendto(d->fd, p->at, p->len, 0, &p->from.any, p->from_size);
	p->len = 0;
}

/* Is this the answer that its row wants to come second? */
static bool comes_second(const struct dns *d, const struct packet *p)
{
	char name[256];
	size_t end = p->len > HEAD ? read_name(p->at, p->len, name, sizeof name) : 0;
	const struct dns_row *row = end ? find(d, name) : NULL;

	return row && row->aaaa_second && p->at[end + 1] == TYPE_AAAA;
}

static void *serve(void *arg)
{
	struct packet kept = { .len = 0 };
	const struct dns *d = arg;

	for (;;) {
		struct packet p = { .from_size = sizeof p.from };
		ssize_t n = recvfrom(d->fd, p.at, PACKET, 0, &p.from.any, &p.from_size);

		if (n <= 0)		/* shut down */
			return NULL;
		p.len = answer(d, p.at, (size_t)n);
		if (comes_second(d, &p)) {
			kept = p;
			continue;
		}
		send_back(d, &p);
		send_back(d, &kept);
	}
}

void dns_start(struct dns *d, const struct dns_row *rows, size_t count)
{
	socklen_t size = sizeof(union address);
	union address a;
	bool good = address_parse("127.0.0.1", 0, &a);

	assert(good);
	d->rows = rows;
	d->count = count;
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert(d->fd >= 0 && bind(d->fd, &a.any, address_size(&a)) == 0);
	assert(getsockname(d->fd, &a.any, &size) == 0);
	(void)address_text(&a, true, d->servers);
	assert(pthread_create(&d->thread, NULL, serve, d) == 0);
}

void dns_stop(struct dns *d)
{
	union address a;
	socklen_t size = sizeof a;

	/* An empty packet ends it. */
	assert(getsockname(d->fd, &a.any, &size) == 0);
	assert(sendto(d->fd, "", 0, 0, &a.any, size) == 0);
	assert(pthread_join(d->thread, NULL) == 0);
	(void)close(d->fd);
}
