/* SPDX-License-Identifier: Apache-2.0 */
#include "config/host.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdio.h>

#include "config/value.h"

static bool is_address(int family, const char *text)
{
	struct in6_addr address;

	return inet_pton(family, text, &address) == 1;
}

/* A scope may follow an IPv6 address: fe80::1%eth0. */
static bool is_ipv6(struct arena *a, const char *text)
{
	const char *scope = strchr(text, '%');

	if (scope && !scope[1])
		return false;
	return is_address(AF_INET6, scope ? arena_text(a, (struct span){ text, (size_t)(scope - text) }) : text);
}

static bool ascii_name(struct arena *a, const char *name, const char **host, struct err *e)
{
	char *ascii = NULL;
	int code;

	if (!name[0])
		return err_set(e, ERR_CONFIG, "the name of the host is missing");
	code = idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (code != IDN2_OK)
		return err_set(e, ERR_CONFIG, "%.*s is no name of a host: %s", VALUE_SHOWN, name, idn2_strerror(code));
	*host = arena_text(a, span_of(ascii));
	idn2_free(ascii);
	for (const char *p = *host; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", *p))
			return err_set(e, ERR_CONFIG, "%.*s is no name of a host", VALUE_SHOWN, name);
	if (strlen(*host) > HOST_MAX || (*host)[0] == '.' || strstr(*host, ".."))
		return err_set(e, ERR_CONFIG, "%.*s is no name of a host", VALUE_SHOWN, name);
	return true;
}

static void lower(struct arena *a, const char **host)
{
	char *copy = arena_text(a, span_of(*host));

	*host = copy;
	for (; *copy; copy++)
		if (*copy >= 'A' && *copy <= 'Z')
			*copy = (char)(*copy | 0x20);
}

bool host_read(struct arena *a, const char *text, const char **host, uint16_t *port, struct err *e)
{
	const char *last = strrchr(text, ':'), *end = text + strlen(text);
	const char *name;
	uint64_t number = 0;
	bool bracketed = text[0] == '[';

	if (strchr(text, '@'))		/* there may be a password in front of it */
		return err_set(e, ERR_CONFIG, "what stands before the @ is not shown, and does not belong there; write user and password as keys of a section");
	if (is_ipv6(a, text)) {
		last = NULL;		/* its colons are its own */
	} else if (bracketed) {
		const char *closing = strchr(text, ']');

		last = closing && closing[1] == ':' ? closing + 1 : NULL;
		if (!closing || (closing[1] && !last))
			return err_set(e, ERR_CONFIG, "%.*s is no address in brackets", VALUE_SHOWN, text);
	}
	if (last && !value_uint(last + 1, 1, 65535, &number, e))
		return err_in(e, "the port behind the colon");
	if (last)
		end = last;
	name = arena_text(a, bracketed ? (struct span){ text + 1, (size_t)(end - text) - 2 } : (struct span){ text, (size_t)(end - text) });
	if (bracketed && !is_ipv6(a, name))
		return err_set(e, ERR_CONFIG, "%.*s is no IPv6 address", VALUE_SHOWN, name);
	*host = name;
	if (!is_address(AF_INET, name) && !is_ipv6(a, name) && !ascii_name(a, name, host, e))
		return false;
	lower(a, host);
	*port = (uint16_t)number;
	return true;
}

const char *host_text(struct arena *a, const char *host, uint16_t port)
{
	bool brackets = strchr(host, ':');
	size_t size = strlen(host) + sizeof "[]:65535";
	char *text = arena_take(a, size);

	(void)snprintf(text, size, port ? "%s%s%s:%u" : "%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "", port);
	return text;
}
