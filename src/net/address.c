/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

/* "fe80::1%eth0" → "fe80::1" and the number of eth0. */
static bool split_zone(char *text, uint32_t *zone)
{
	char *percent = strchr(text, '%');
	uint64_t number;

	*zone = 0;
	if (!percent)
		return true;
	*percent++ = '\0';
	*zone = if_nametoindex(percent);
	if (!*zone && span_number(span_of(percent), UINT32_MAX, &number))
		*zone = (uint32_t)number;
	return *zone != 0;
}

bool address_parse(const char *text, uint16_t port, union address *a)
{
	struct span s = span_of(text);
	char bare[ADDRESS_TEXT];
	uint32_t zone;

	*a = (union address){ .v6 = { .sin6_family = AF_UNSPEC } };
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return true;
	}
	if (s.len >= 2 && s.at[0] == '[' && s.at[s.len - 1] == ']')
		s = (struct span){ s.at + 1, s.len - 2 };
	if (s.len >= sizeof bare)
		return false;
	memcpy(bare, s.at, s.len);
	bare[s.len] = '\0';
	*a = (union address){ .v6 = { .sin6_family = AF_INET6 } };
	if (!split_zone(bare, &zone) || inet_pton(AF_INET6, bare, &a->v6.sin6_addr) != 1)
		return false;
	a->v6.sin6_port = htons(port);
	a->v6.sin6_scope_id = zone;
	return true;
}

bool address_literal(const char *text)
{
	union address a;

	return address_parse(text, 0, &a);
}

socklen_t address_size(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof a->v4 : sizeof a->v6;
}

bool address_unmap(union address *a)
{
	struct in6_addr six = a->v6.sin6_addr;
	in_port_t port = a->v6.sin6_port;

	if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six))
		return false;
	*a = (union address){ .v4 = { .sin_family = AF_INET, .sin_port = port } };
	memcpy(&a->v4.sin_addr, six.s6_addr + 12, sizeof a->v4.sin_addr);
	return true;
}

const char *address_text(const union address *a, bool with_port, char out[ADDRESS_TEXT])
{
	char bare[INET6_ADDRSTRLEN] = "?", zone[IF_NAMESIZE + 1] = "";
	bool six = a->any.sa_family == AF_INET6;
	uint16_t port = ntohs(six ? a->v6.sin6_port : a->v4.sin_port);

	if (six)
		(void)inet_ntop(AF_INET6, &a->v6.sin6_addr, bare, sizeof bare);
	else
		(void)inet_ntop(AF_INET, &a->v4.sin_addr, bare, sizeof bare);
	if (six && a->v6.sin6_scope_id) {
		zone[0] = '%';
		if (!if_indextoname(a->v6.sin6_scope_id, zone + 1))
			(void)snprintf(zone + 1, sizeof zone - 1, "%u", a->v6.sin6_scope_id);
	}
	if (!with_port)
		(void)snprintf(out, ADDRESS_TEXT, "%s%s", bare, zone);
	else
		(void)snprintf(out, ADDRESS_TEXT, six ? "[%s%s]:%u" : "%s%s:%u", bare, zone, port);
	return out;
}
