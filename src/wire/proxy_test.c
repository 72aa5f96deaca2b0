/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/proxy.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define BOTH (PROXY_V1 | PROXY_V2)
#define V4 "\xc0\x00\x02\x07\xc6\x33\x64\x01\x04\x00\x03\xe3"
#define V6 "\x20\x01\x0d\xb8" "\0\0\0\0\0\0\0\0\0\0\0\1" "\x20\x01\x0d\xb8" "\0\0\0\0\0\0\0\0\0\0\0\2" "\x04\x00\x03\xe3"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct row {
	const char *name;
	unsigned versions;
	struct span in;
	const char *want;	/* what is said of it; behind "|" what is left */
} rows[] = {
	{ "TCP4", BOTH, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 1024 995\r\n"), "192.0.2.7:1024 198.51.100.1:995|" },
	{ "what follows stays", PROXY_V1, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 1024 995\r\nCAPA\r\n"), "192.0.2.7:1024 198.51.100.1:995|CAPA\r\n" },
	{ "TCP6", BOTH, SPAN("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 65535 0\r\n"), "2001:db8::1:65535 ::ffff:192.0.2.1:0|" },
	{ "the longest TCP6", BOTH, SPAN("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:65535 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:65535|" },
	{ "UNKNOWN", BOTH, SPAN("PROXY UNKNOWN\r\nx"), "same|x" },
	{ "UNKNOWN with more", BOTH, SPAN("PROXY UNKNOWN ffff::1 whatever 1 2\r\n"), "same|" },
	{ "107 octets", BOTH, SPAN("PROXY UNKNOWN 01234567890" TEN TEN TEN TEN TEN TEN TEN TEN "\r\n."), "same|." },
	{ "108 octets", BOTH, SPAN("PROXY UNKNOWN 012345678901" TEN TEN TEN TEN TEN TEN TEN TEN "\r\n"), "bad: longer than 107 octets" },
	{ "no end", BOTH, SPAN("PROXY TCP4 " HUNDRED HUNDRED), "bad: longer than 107 octets" },
	{ "a word like UNKNOWN", BOTH, SPAN("PROXY UNKNOWNS\r\n"), "bad: neither TCP4 nor TCP6 nor UNKNOWN" },
	{ "UDP", BOTH, SPAN("PROXY UDP4 192.0.2.7 198.51.100.1 1024 995\r\n"), "bad: neither TCP4 nor TCP6 nor UNKNOWN" },
	{ "nothing behind PROXY", BOTH, SPAN("PROXY \r\n"), "bad: neither TCP4 nor TCP6 nor UNKNOWN" },
	{ "no word behind PROXY", BOTH, SPAN("PROXY\r\n"), "bad: no PROXY header" },
	{ "small letters", BOTH, SPAN("proxy TCP4 192.0.2.7 198.51.100.1 1024 995\r\n"), "bad: no PROXY header" },
	{ "a command", BOTH, SPAN("CAPA\r\n"), "bad: no PROXY header" },
	{ "a command like it", BOTH, SPAN("PASS x\r\n"), "bad: no PROXY header" },
	{ "a TLS hello", BOTH, SPAN("\x16\x03\x01\x02\x00"), "bad: no PROXY header" },
	{ "two spaces", BOTH, SPAN("PROXY TCP4  192.0.2.7 198.51.100.1 1024 995\r\n"), "bad: an address that is none of its family" },
	{ "a space at the end", BOTH, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 1024 995 \r\n"), "bad: a port that is none" },
	{ "one port", BOTH, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 1024\r\n"), "bad: not two addresses and two ports, one space between them" },
	{ "a leading zero", BOTH, SPAN("PROXY TCP4 192.0.2.07 198.51.100.1 1024 995\r\n"), "bad: an address that is none of its family" },
	{ "a port with a zero", BOTH, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 1024 0995\r\n"), "bad: a port that is none" },
	{ "a port too large", BOTH, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 65536 995\r\n"), "bad: a port that is none" },
	{ "a sign", BOTH, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 +1024 995\r\n"), "bad: a port that is none" },
	{ "256", BOTH, SPAN("PROXY TCP4 192.0.2.256 198.51.100.1 1024 995\r\n"), "bad: an address that is none of its family" },
	{ "the other family", BOTH, SPAN("PROXY TCP4 2001:db8::1 2001:db8::2 1024 995\r\n"), "bad: an address that is none of its family" },
	{ "IPv4 as TCP6", BOTH, SPAN("PROXY TCP6 192.0.2.7 198.51.100.1 1024 995\r\n"), "bad: an address that is none of its family" },
	{ "a zone", BOTH, SPAN("PROXY TCP6 fe80::1%lo fe80::2 1024 995\r\n"), "bad: an address that is none of its family" },
	{ "LF alone", BOTH, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 1024 995\n"), "bad: a line feed alone" },
	{ "CR alone", BOTH, SPAN("PROXY TCP4 192.0.2.7\r198.51.100.1 1024 995\r\n"), "bad: a carriage return alone" },
	{ "a NUL", BOTH, SPAN("PROXY TCP4 192.0.2.7\0 198.51.100.1 1024 995\r\n"), "bad: an octet that is no text" },
	{ "v1 where v2 is wanted", PROXY_V2, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 1024 995\r\n"), "bad: no PROXY header of the version that is wanted" },
	{ "cut", BOTH, SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 1024 995\r"), "more" },

	{ "v2, IPv4", BOTH, SPAN(SIG "\x21\x11\0\x0c" V4 "CAPA"), "192.0.2.7:1024 198.51.100.1:995|CAPA" },
	{ "v2, IPv6", PROXY_V2, SPAN(SIG "\x21\x21\0\x24" V6), "2001:db8::1:1024 2001:db8::2:995|" },
	{ "v2, values", BOTH, SPAN(SIG "\x21\x11\0\x16" V4 "\x01\0\x04pop3" "\x04\0\0" "x"), "192.0.2.7:1024 198.51.100.1:995|x" },
	{ "v2, LOCAL", BOTH, SPAN(SIG "\x20\0\0\0+"), "same|+" },
	{ "v2, LOCAL with addresses", BOTH, SPAN(SIG "\x20\x11\0\x0c" V4 "+"), "same|+" },
	{ "v2, LOCAL with anything", BOTH, SPAN(SIG "\x20\xff\0\x05" "abcde+"), "same|+" },
	{ "v2, UNSPEC", BOTH, SPAN(SIG "\x21\0\0\x05" "abcde+"), "same|+" },
	{ "v2, a Unix socket", BOTH, SPAN(SIG "\x21\x31\0\xd8" HUNDRED HUNDRED "0123456789abcdef+"), "same|+" },
	{ "v2, a Unix socket too short", BOTH, SPAN(SIG "\x21\x31\0\xd7"), "bad: too short for its addresses" },
	{ "v2, too short", BOTH, SPAN(SIG "\x21\x11\0\x0b"), "bad: too short for its addresses" },
	{ "v2, IPv6 too short", BOTH, SPAN(SIG "\x21\x21\0\x0c" V4), "bad: too short for its addresses" },
	{ "v2, UDP", BOTH, SPAN(SIG "\x21\x12\0\x0c" V4), "bad: a family or transport that is no stream's" },
	{ "v2, version 1", BOTH, SPAN(SIG "\x11\x11\0\x0c" V4), "bad: a version or command that is not known" },
	{ "v2, a command", BOTH, SPAN(SIG "\x22\x11\0\x0c" V4), "bad: a version or command that is not known" },
	{ "v2, a value cut off", BOTH, SPAN(SIG "\x21\x11\0\x0e" V4 "\x01\0"), "bad: a value cut off" },
	{ "v2, a value too long", BOTH, SPAN(SIG "\x21\x11\0\x10" V4 "\x01\0\x02x"), "bad: a value longer than the header" },
	{ "v2, too long", BOTH, SPAN(SIG "\x21\x11\x0f\xf1" V4), "bad: longer than 4096 octets" },
	{ "v2, a broken signature", BOTH, SPAN("\r\n\r\n\0\r\nQUIT\r\x21\x11\0\x0c" V4), "bad: no PROXY header" },
	{ "v2 where v1 is wanted", PROXY_V1, SPAN(SIG "\x21\x11\0\x0c" V4), "bad: no PROXY header of the version that is wanted" },
	{ "v2, cut", BOTH, SPAN(SIG "\x21\x11\0\x0c" "\xc0\x00\x02"), "more" },
};

static void tell_address(const struct proxy *p, const struct proxy_address *a, char *out, size_t size)
{
	char bare[INET6_ADDRSTRLEN];

	(void)inet_ntop(p->family == PROXY_IPV4 ? AF_INET : AF_INET6, a->octets, bare, sizeof bare);
	(void)snprintf(out, size, "%s:%u", bare, a->port);
}

static void tell(const struct proxy *p, enum proxy_got got, struct span left, char *out, size_t size)
{
	char client[80], server[80];

	switch (got) {
	case PROXY_MORE:
		assert_int_equal(left.len, 0);
		(void)snprintf(out, size, "more");
		break;
	case PROXY_BAD:
		(void)snprintf(out, size, "bad: %s", p->why);
		break;
	case PROXY_DONE:
		tell_address(p, &p->client, client, sizeof client);
		tell_address(p, &p->server, server, sizeof server);
		if (p->family == PROXY_SAME)
			(void)snprintf(out, size, "same|%.*s", (int)left.len, left.at);
		else
			(void)snprintf(out, size, "%s %s|%.*s", client, server, (int)left.len, left.at);
		break;
	}
}

/* Heap memory that ends with the part, so that a reach beyond is seen. */
static enum proxy_got feed_part(struct proxy *p, struct span in, size_t from, size_t to, size_t *used)
{
	char *part = malloc(to - from + 1);
	struct span left = { part, to - from };
	enum proxy_got got;

	assert_non_null(part);
	memcpy(part, in.at + from, to - from);
	got = proxy_feed(p, &left);
	*used = to - left.len;
	free(part);
	return got;
}

static void any_split_tells_the_same(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++)
		for (size_t cut = 0; cut <= r->in.len; cut++) {
			char said[300];
			size_t used;
			struct proxy p;
			enum proxy_got got;

			proxy_start(&p, r->versions);
			got = feed_part(&p, r->in, 0, cut, &used);
			if (got == PROXY_MORE)
				got = feed_part(&p, r->in, cut, r->in.len, &used);
			tell(&p, got, span_from(r->in, used), said, sizeof said);
			if (strcmp(said, r->want) != 0)
				fail_msg("%s, cut at %zu: %s", r->name, cut, said);
		}
}

static void octet_by_octet(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		enum proxy_got got = PROXY_MORE;
		size_t at = 0, used = 0;
		char said[300];
		struct proxy p;

		proxy_start(&p, r->versions);
		for (; got == PROXY_MORE && at < r->in.len; at++)
			got = feed_part(&p, r->in, at, at + 1, &used);
		tell(&p, got, span_from(r->in, at), said, sizeof said);
		if (strcmp(said, r->want) != 0)
			fail_msg("%s, octet by octet: %s", r->name, said);
	}
}

/* Our reader of addresses against the C library's. */
static void addresses_are_read_as_inet_pton_does(void **state)
{
	static const char *const texts[] = {
		"::", "::1", "1::", "1::2", ":", ":::", ":1", "1:", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::",
		"::2:3:4:5:6:7:8", "1::2::3", "12345::", "g::", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4:5",
		"::ffff:255.255.255.255", "::ffff:256.1.1.1", "ABCD:ef01::", "::1:", "1::2:", "::.1.2.3", "1:::2", "1:2:3:4:5:6:7:8::", "1:2:3:4:5:6:7:8::1:2", "1:2:3:4:5:6:7::8", "1:2:3:4::5:6:7:8", "", "::1.2.3.4.5",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		uint8_t want[16];
		char line[200];
		struct span in;
		struct proxy p;
		enum proxy_got got;

		(void)snprintf(line, sizeof line, "PROXY TCP6 %s ::1 1 2\r\n", texts[i]);
		in = span_of(line);
		proxy_start(&p, PROXY_V1);
		got = proxy_feed(&p, &in);
		if ((inet_pton(AF_INET6, texts[i], want) == 1) != (got == PROXY_DONE) || (got == PROXY_DONE && memcmp(p.client.octets, want, 16) != 0))
			fail_msg("\"%s\": %d", texts[i], (int)got);
	}
}

/* The longest header that we take, and not one octet of what follows. */
static void the_longest_v2(void **state)
{
	static char memory[PROXY_V2_MAX + 1];
	struct span in = { memory, sizeof memory };
	struct proxy p;

	(void)state;
	memset(memory, 0, sizeof memory);
	memcpy(memory, SIG "\x21\x11\x0f\xf0" V4 "\x04\x0f\xe1", 16 + 12 + 3);
	proxy_start(&p, PROXY_V2);
	assert_int_equal(proxy_feed(&p, &in), PROXY_DONE);
	assert_int_equal(in.len, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_split_tells_the_same),
		cmocka_unit_test(octet_by_octet),
		cmocka_unit_test(addresses_are_read_as_inet_pton_does),
		cmocka_unit_test(the_longest_v2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
