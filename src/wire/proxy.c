/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/proxy.h"

#include <assert.h>

enum {
	HEAD = 16,		/* of version 2: signature, version and command, family, length */
	AT_COMMAND = 12, AT_FAMILY = 13, AT_LENGTH = 14,
	SIZE_IPV4 = 12, SIZE_IPV6 = 36, SIZE_UNIX = 216,
	VALUE_HEAD = 3,
	GROUPS = 8,
};

static const struct span v1_begins = SPAN("PROXY "), v2_begins = SPAN("\r\n\r\n\0\r\nQUIT\n");

void proxy_start(struct proxy *p, unsigned versions)
{
	assert(versions && !(versions & ~(unsigned)(PROXY_V1 | PROXY_V2)));
	*p = (struct proxy){ .allowed = versions };
}

static enum proxy_got bad(struct proxy *p, const char *why)
{
	p->why = why;
	return PROXY_BAD;
}

/* Numbers and addresses as texts */

/* Canonical: "0", or without a zero in front. */
static bool number(struct span s, uint64_t max, uint64_t *value)
{
	return (s.len == 1 || (s.len && s.at[0] != '0')) && span_number(s, max, value);
}

/* What stands before the next `byte`; false when there is none. */
static bool before(struct span *s, char byte, struct span *part)
{
	size_t n = span_find(*s, byte);

	if (n == s->len)
		return false;
	*part = (struct span){ s->at, n };
	*s = span_from(*s, n + 1);
	return true;
}

static bool parse_ipv4(struct span s, uint8_t out[4])
{
	for (size_t i = 0; i < 4; i++) {
		struct span part = s;
		uint64_t value;

		if ((i < 3 && !before(&s, '.', &part)) || !number(part, UINT8_MAX, &value))
			return false;
		out[i] = (uint8_t)value;
	}
	return true;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to four hexadecimal digits; how many there were. */
static size_t parse_group(struct span s, uint8_t out[2])
{
	unsigned value = 0;
	size_t n = 0;

	for (; n < s.len && n < 4 && hex(s.at[n]) >= 0; n++)
		value = value << 4 | (unsigned)hex(s.at[n]);
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return n;
}

/* Groups up to `max`, or to a "::" (*gap becomes true); false when it is none. */
static bool parse_groups(struct span *s, uint8_t *out, size_t max, size_t *count, bool *gap)
{
	for (*count = 0; s->len; ) {
		size_t n = *count < max ? parse_group(*s, out + 2 * *count) : 0;

		if (!n)
			return false;
		if (n < s->len && s->at[n] == '.') {	/* the last two may be written as IPv4 */
			if (*count + 2 > max || !parse_ipv4(*s, out + 2 * *count))
				return false;
			*count += 2;
			*s = span_from(*s, s->len);
			return true;
		}
		++*count;
		*s = span_from(*s, n);
		if (!s->len)
			return true;
		if (span_starts(*s, SPAN("::"))) {
			*gap = true;
			*s = span_from(*s, 2);
			return true;
		}
		if (s->at[0] != ':' || s->len == 1)
			return false;
		*s = span_from(*s, 1);
	}
	return true;
}

static bool parse_ipv6(struct span s, uint8_t out[16])
{
	uint8_t tail[2 * GROUPS];
	size_t front = 0, back = 0;
	bool gap = span_starts(s, SPAN("::")), again = false;

	memset(out, 0, 16);
	if (gap)
		s = span_from(s, 2);
	else if (!parse_groups(&s, out, GROUPS, &front, &gap))
		return false;
	if (!gap)
		return front == GROUPS;
	if (front == GROUPS || !parse_groups(&s, tail, GROUPS - 1 - front, &back, &again) || again)
		return false;
	memcpy(out + 2 * (GROUPS - back), tail, 2 * back);
	return true;
}

/* Version 1 */

static bool parse_address(struct span s, enum proxy_family family, uint8_t out[16])
{
	return family == PROXY_IPV4 ? parse_ipv4(s, out) : parse_ipv6(s, out);
}

static enum proxy_got parse_line(struct proxy *p, struct span line)
{
	struct span words[4], family;
	uint64_t ports[2];

	line = span_from(line, v1_begins.len);
	family = (struct span){ line.at, span_find(line, ' ') };
	if (span_equal(family, SPAN("UNKNOWN")))
		return PROXY_DONE;		/* whatever follows */
	p->family = span_equal(family, SPAN("TCP4")) ? PROXY_IPV4 : PROXY_IPV6;
	if (p->family == PROXY_IPV6 && !span_equal(family, SPAN("TCP6")))
		return bad(p, "neither TCP4 nor TCP6 nor UNKNOWN");
	line = span_from(line, family.len + 1);
	for (size_t i = 0; i < 3; i++)
		if (!before(&line, ' ', &words[i]))
			return bad(p, "not two addresses and two ports, one space between them");
	words[3] = line;
	if (!parse_address(words[0], p->family, p->client.octets) || !parse_address(words[1], p->family, p->server.octets))
		return bad(p, "an address that is none of its family");
	for (size_t i = 0; i < 2; i++)
		if (!number(words[2 + i], UINT16_MAX, &ports[i]))
			return bad(p, "a port that is none");
	p->client.port = (uint16_t)ports[0];
	p->server.port = (uint16_t)ports[1];
	return PROXY_DONE;
}

static enum proxy_got step_v1(struct proxy *p)
{
	char c = p->held[p->len - 1];

	if (p->len <= v1_begins.len)
		return c == v1_begins.at[p->len - 1] ? PROXY_MORE : bad(p, "no PROXY header");
	if (c == '\n')
		return p->held[p->len - 2] == '\r' ? parse_line(p, (struct span){ p->held, p->len - 2U }) : bad(p, "a line feed alone");
	if (p->held[p->len - 2] == '\r')
		return bad(p, "a carriage return alone");
	if (p->len == PROXY_V1_MAX)
		return bad(p, "longer than 107 octets");
	return c == '\r' || (c >= ' ' && c <= '~') ? PROXY_MORE : bad(p, "an octet that is no text");
}

/* Version 2 */

static const struct family {
	uint8_t octet;
	uint16_t size;
	enum proxy_family means;
} families[] = {
	{ 0x00, 0, PROXY_SAME },		/* UNSPEC */
	{ 0x11, SIZE_IPV4, PROXY_IPV4 },
	{ 0x21, SIZE_IPV6, PROXY_IPV6 },
	{ 0x31, SIZE_UNIX, PROXY_SAME },
};

static uint16_t two(const char *at)
{
	return (uint16_t)((uint8_t)at[0] << 8 | (uint8_t)at[1]);
}

/* The first 16 octets are there: what follows them? */
static enum proxy_got parse_head(struct proxy *p)
{
	uint8_t command = (uint8_t)p->held[AT_COMMAND];
	const struct family *f = families;

	p->left = two(p->held + AT_LENGTH);
	if (p->left > PROXY_V2_MAX - HEAD)
		return bad(p, "longer than 4096 octets");
	if (command == 0x21) {
		while (f->octet != (uint8_t)p->held[AT_FAMILY])
			if (++f == families + COUNT(families))
				return bad(p, "a family or transport that is no stream's");
		if (p->left < f->size)
			return bad(p, "too short for its addresses");
		p->family = f->means;
		p->address = f->size;
		p->counted = f->size != 0;
	} else if (command != 0x20) {
		return bad(p, "a version or command that is not known");
	}
	return p->left ? PROXY_MORE : PROXY_DONE;
}

static void take_addresses(struct proxy *p)
{
	size_t n = p->family == PROXY_IPV4 ? 4 : 16;
	const char *at = p->held + HEAD;

	if (p->family == PROXY_SAME)
		return;
	memcpy(p->client.octets, at, n);
	memcpy(p->server.octets, at + n, n);
	p->client.port = two(at + 2 * n);
	p->server.port = two(at + 2 * n + 2);
}

/* One octet of a type-length-value: its length must end inside of the header. */
static bool count_value(struct proxy *p, char c)
{
	if (p->value_head == VALUE_HEAD) {
		p->value--;
	} else {
		p->value_head++;
		p->value = (uint16_t)(p->value_head == 1 ? 0 : p->value << 8 | (uint8_t)c);
	}
	if (p->value_head == VALUE_HEAD && !p->value)
		p->value_head = 0;
	return p->value_head < VALUE_HEAD || p->value <= p->left;
}

static enum proxy_got step_v2(struct proxy *p, char c)
{
	if (p->address) {
		if (--p->address == 0)
			take_addresses(p);
	} else if (p->counted && !count_value(p, c)) {
		return bad(p, "a value longer than the header");
	}
	if (p->left)
		return PROXY_MORE;
	return p->value_head ? bad(p, "a value cut off") : PROXY_DONE;
}

static enum proxy_got step(struct proxy *p, char c)
{
	if (!p->version) {
		p->version = c == v1_begins.at[0] ? PROXY_V1 : c == v2_begins.at[0] ? PROXY_V2 : 0;
		if (!(p->version & p->allowed))
			return bad(p, p->version ? "no PROXY header of the version that is wanted" : "no PROXY header");
	}
	if (p->version == PROXY_V2 && p->len >= HEAD) {
		p->left--;
		if (p->len < HEAD + SIZE_IPV6)
			p->held[p->len++] = c;
		return step_v2(p, c);
	}
	p->held[p->len++] = c;
	if (p->version == PROXY_V1)
		return step_v1(p);
	if (p->len <= v2_begins.len && c != v2_begins.at[p->len - 1])
		return bad(p, "no PROXY header");
	return p->len == HEAD ? parse_head(p) : PROXY_MORE;
}

enum proxy_got proxy_feed(struct proxy *p, struct span *in)
{
	assert(!p->why);
	while (in->len) {
		enum proxy_got got = step(p, in->at[0]);

		*in = span_from(*in, 1);
		if (got != PROXY_MORE)
			return got;
	}
	return PROXY_MORE;
}
