/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "config/settings.h"
#include "wire/template.h"

enum { PREFIX_MAX = 64, SUFFIX_MAX = 16 };	/* octets */

static const char suffix_octets[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
enum { SERVICE_MAX = 64 };	/* a name of a PAM service */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{ "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
};
static const struct unit sizes[] = {
	{ "", 1 }, { "B", 1 }, { "KB", 1ull << 10 }, { "MB", 1ull << 20 }, { "GB", 1ull << 30 }, { "TB", 1ull << 40 },
};

static const struct {
	const char *name;
	bool built;
} mechanisms[] = {
	[MECHANISM_EXTERNAL] =           { "external", true },
	[MECHANISM_SCRAM_SHA_256_PLUS] = { "scram-sha-256-plus", true },
	[MECHANISM_SCRAM_SHA_256] =      { "scram-sha-256", true },
	[MECHANISM_SCRAM_SHA_1_PLUS] =   { "scram-sha-1-plus", true },
	[MECHANISM_SCRAM_SHA_1] =        { "scram-sha-1", true },
	[MECHANISM_OAUTHBEARER] =        { "oauthbearer", true },
	[MECHANISM_XOAUTH2] =            { "xoauth2", true },
	[MECHANISM_GSSAPI] =             { "gssapi", true },
	[MECHANISM_DIGEST_MD5] =         { "digest-md5", true },
	[MECHANISM_CRAM_MD5] =           { "cram-md5", true },
	[MECHANISM_NTLM] =               { "ntlm", true },
	[MECHANISM_APOP] =               { "apop", true },
	[MECHANISM_PLAIN] =              { "plain", true },
	[MECHANISM_LOGIN] =              { "login", true },
	[MECHANISM_USER] =               { "user", true },
};
static_assert(COUNT(mechanisms) == MECHANISMS, "a row for each mechanism");

static bool wrong(struct err *e, const char *text, const char *why)
{
	if (!text[0])
		return err_set(e, ERR_CONFIG, "an empty text %s", why);
	return err_set(e, ERR_CONFIG, "%.*s %s", VALUE_SHOWN, text, why);
}

bool value_bool(const char *text, bool *value, struct err *e)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t n = 0; n < COUNT(words); n++) {
		if (strcasecmp(text, words[n]) != 0)
			continue;
		*value = n & 1;
		return true;
	}
	return wrong(e, text, "is neither true nor false");
}

bool value_uint(const char *text, uint64_t min, uint64_t max, uint64_t *value, struct err *e)
{
	uint64_t n;

	if (!text[0] || text[strspn(text, "0123456789")])
		return wrong(e, text, "is not a decimal number");
	if (!span_number(span_of(text), UINT64_MAX, &n) || n < min || n > max)
		return err_set(e, ERR_CONFIG, "%.*s is not in %llu..%llu", VALUE_SHOWN, text,
			(unsigned long long)min, (unsigned long long)max);
	*value = n;
	return true;
}

/* "15min": digits, then a unit, no blank between them. */
static bool with_unit(const char *text, const struct unit *units, size_t count, uint64_t *value, const char *what, struct err *e)
{
	size_t digits = strspn(text, "0123456789");
	const struct unit *u = units;
	uint64_t n;

	while (u < units + count && strcasecmp(text + digits, u->name) != 0)
		u++;
	if (!digits || u == units + count)
		return wrong(e, text, what);
	if (!span_number((struct span){ text, digits }, INT64_MAX / u->factor, &n))
		return wrong(e, text, "is too much");
	*value = n * u->factor;
	return true;
}

bool value_duration(const char *text, uint64_t *ms, struct err *e)
{
	if (strcmp(text, "0") == 0) {
		*ms = 0;
		return true;
	}
	if (text[0] && !text[strspn(text, "0123456789")])
		return wrong(e, text, "has no unit (s, min, h, d)");
	return with_unit(text, durations, COUNT(durations), ms, "is no duration", e);
}

bool value_size(const char *text, uint64_t *octets, struct err *e)
{
	return with_unit(text, sizes, COUNT(sizes), octets, "is no size", e);
}

bool value_choice(const char *text, const char *const *names, uint32_t *which, struct err *e)
{
	size_t used;

	for (uint32_t n = 0; names[n]; n++) {
		if (strcmp(text, names[n]) != 0)
			continue;
		*which = n;
		return true;
	}
	(void)wrong(e, text, "is none of");
	used = strlen(e->text);
	for (uint32_t n = 0; names[n]; n++) {
		(void)snprintf(e->text + used, sizeof e->text - used, "%s %s", n ? "," : "", names[n]);
		used = strlen(e->text);
	}
	return false;
}

bool value_mechanism(const char *text, uint8_t *mechanism, struct err *e)
{
	for (uint8_t n = 0; n < COUNT(mechanisms); n++) {
		if (strcasecmp(text, mechanisms[n].name) != 0)
			continue;
		*mechanism = n;
		return true;
	}
	return wrong(e, text, "is no mechanism");
}

bool value_mechanism_keyless(uint8_t mechanism)
{
	return mechanism == MECHANISM_EXTERNAL || mechanism == MECHANISM_GSSAPI;
}

bool value_mechanism_built(uint8_t mechanism)
{
	assert(mechanism < MECHANISMS);
	return mechanisms[mechanism].built;
}

bool value_mechanism_token(uint8_t mechanism)
{
	return mechanism == MECHANISM_OAUTHBEARER || mechanism == MECHANISM_XOAUTH2;
}

const char *value_mechanism_name(uint8_t mechanism)
{
	assert(mechanism < MECHANISMS);
	return mechanisms[mechanism].name;
}

static size_t characters(const char *text)
{
	size_t n = 0;

	for (const char *p = text; *p; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	return n;
}

bool value_text(const char *text, uint64_t max, struct err *e)
{
	if (span_has_control(span_of(text)))
		return err_set(e, ERR_CONFIG, "control characters cannot stand in it");
	if (max && characters(text) > max)
		return err_set(e, ERR_CONFIG, "%zu characters are too many, %llu are the most", characters(text),
			(unsigned long long)max);
	return true;
}

bool value_address(const char *text, struct err *e)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1)
		return true;
	return wrong(e, text, "is no IP address");
}

/* Something behind the prefix is a typing error more often than not. */
static bool behind(const uint8_t *octets, size_t count, uint64_t bits)
{
	for (size_t n = bits; n < 8 * count; n++)
		if (octets[n / 8] >> (7 - n % 8) & 1)
			return true;
	return false;
}

bool value_network(const char *text, struct err *e)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	struct in6_addr octets;
	uint64_t bits;
	bool v6;

	if (!slash)
		return value_address(text, e);
	if ((size_t)(slash - text) >= sizeof address)
		return wrong(e, text, "is no network");
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (!value_address(address, e))
		return false;
	v6 = inet_pton(AF_INET6, address, &octets) == 1;
	if (!span_number(span_of(slash + 1), v6 ? 128 : 32, &bits))
		return wrong(e, text, "has no such prefix");
	if (!v6)
		(void)inet_pton(AF_INET, address, &octets);
	if (behind(octets.s6_addr, v6 ? 16 : 4, bits))
		return wrong(e, text, "has an address behind its prefix");
	return true;
}

bool value_socket(const char *text, struct err *e)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (!colon || colon == text || (strchr(text, ':') != colon && (text[0] != '[' || colon[-1] != ']')))
		return wrong(e, text, "is not of the form ADDRESS:PORT");
	return value_uint(colon + 1, 1, 65535, &port, e);
}

bool value_pin(const char *text, struct err *e)
{
	size_t digits = 0;

	for (const char *p = text; *p; p++) {
		if (isxdigit((unsigned char)*p))
			digits++;
		else if (*p != ':' || digits % 2 || !digits || p[-1] == ':' || !p[1])
			return wrong(e, text, "is no SHA-256 in hexadecimal digits");
	}
	if (digits != 64)
		return err_set(e, ERR_CONFIG, "%zu hexadecimal digits are no SHA-256, which has 64", digits);
	return true;
}

static bool day(struct span s)
{
	static const char days[] = "Mon Tue Wed Thu Fri Sat Sun";

	for (size_t n = 0; n < sizeof days; n += 4)
		if (span_equal_nocase(s, (struct span){ days + n, 3 }))
			return true;
	return false;
}

static bool days(struct span s)
{
	size_t dash = span_find(s, '-');

	return day((struct span){ s.at, dash }) && (dash == s.len || day(span_from(s, dash + 1)));
}

static bool clock_time(struct span s)
{
	uint64_t hours, minutes;

	return s.len == 5 && s.at[2] == ':' && span_number((struct span){ s.at, 2 }, 24, &hours) &&
	       span_number(span_from(s, 3), 59, &minutes) && hours * 60 + minutes <= 24 * 60;
}

static bool times(struct span s)
{
	size_t dash = span_find(s, '-');

	return clock_time((struct span){ s.at, dash }) && clock_time(span_from(s, dash + 1));
}

/* Days, then at most one stretch of the day. */
bool value_hours(const char *text, struct err *e)
{
	struct span rest = span_of(text), word;
	bool any = false, timed = false;

	if (strcmp(text, "always") == 0)
		return true;
	while (span_word(&rest, &word)) {
		if (timed || !(days(word) || times(word)))
			return wrong(e, text, "is no window of time");
		timed = !days(word);
		any = true;
	}
	return any || wrong(e, text, "is no window of time");
}

bool value_field(const char *text, struct err *e)
{
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == ':')
			return wrong(e, text, "is no name of a header field");
	return text[0] || wrong(e, text, "is no name of a header field");
}

bool value_prefix(const char *text, struct err *e)
{
	if (text[0] == '.' || strchr(text, '/'))
		return wrong(e, text, "begins with a dot or has a slash: files of that name would be hidden, or elsewhere");
	return strlen(text) <= PREFIX_MAX || wrong(e, text, "is too long for the beginning of a file's name");
}

bool value_suffix(const char *text, struct err *e)
{
	const char *name = strrchr(text, '/') ? strrchr(text, '/') + 1 : text, *suffix = strrchr(name, '.');
	size_t len = suffix ? strlen(suffix + 1) : 0;

	for (size_t n = 0; n < len; n++)
		if (!strchr(suffix_octets, suffix[n + 1]))
			return wrong(e, text, "has an ending that is not of letters and digits; files made of it end as it does");
	if (!len || len > SUFFIX_MAX)
		return wrong(e, text, "has no ending such as .txt; files made of it end as it does");
	if (strcasecmp(suffix, ".eml") == 0 || strcasecmp(suffix, ".json") == 0)
		return wrong(e, text, "ends as the message or its index do; files made of it end as it does");
	return true;
}

bool value_user(const char *text, struct err *e)
{
	bool number = true;

	for (const char *p = text; *p; p++) {
		bool word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_';
		bool digit = *p >= '0' && *p <= '9';

		if (!word && !digit && (p == text || (*p != '-' && *p != '.' && (*p != '$' || p[1]))))
			return wrong(e, text, "is no name of a user");
		number = number && digit;
	}
	return !number || wrong(e, text, "is no name of a user");
}

static bool is_service(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strspn(name, letters);

	return name[0] != '.' && len <= SERVICE_MAX && !name[len];
}

bool value_users(const char *text, struct err *e)
{
	if (strcmp(text, "internal") == 0)
		return true;
	if (strncmp(text, "passwd-file:", 12) == 0 && text[12])
		return true;
	if (strncmp(text, "pam:", 4) == 0 && text[4])
		return is_service(text + 4) || wrong(e, text, "has no name of a PAM service: a file's in /etc/pam.d, letters, digits, '.', '_' and '-', at most 64");
	return wrong(e, text, "is no source of users");
}

bool value_maildirs(const char *text, struct err *e)
{
	return !text[0] || template_check(text, true, e);
}

static bool is_this_machine(struct span host)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr v4;

	if (host.len >= sizeof text)
		return false;
	(void)snprintf(text, sizeof text, "%.*s", (int)host.len, host.at);
	return (inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET) ||
	       strcasecmp(text, "localhost") == 0 || strcmp(text, "[::1]") == 0;
}

bool value_endpoint(const char *text, struct err *e)
{
	static const struct span secure = SPAN("https://"), clear = SPAN("http://");
	struct span rest = span_of(text), host;
	bool is_secure = span_starts_nocase(rest, secure);

	for (size_t n = 0; n < rest.len; n++)
		if ((unsigned char)rest.at[n] <= ' ' || (unsigned char)rest.at[n] >= 0x7f)
			return err_set(e, ERR_CONFIG, "a URL has no blanks, and nothing that is not ASCII");
	if (!is_secure && !span_starts_nocase(rest, clear))
		return wrong(e, text, "is no URL of HTTPS");
	rest = span_from(rest, is_secure ? secure.len : clear.len);
	host = (struct span){ rest.at, strcspn(rest.at, "/?#") };
	if (!host.len || host.at[0] == ':')
		return wrong(e, text, "names no host");
	if (span_find(host, '@') < host.len)
		return err_set(e, ERR_CONFIG, "a name and a password do not belong into the URL; write client_id and client_secret");
	host.len = host.at[0] == '[' ? span_find(host, ']') + (span_find(host, ']') < host.len) : span_find(host, ':');
	if (!is_secure && !is_this_machine(host))
		return wrong(e, text, "shows tokens to whoever is on the way");
	return true;
}

bool value_tenant(const char *text, struct err *e)
{
	for (const char *at = text; *at; at++)
		if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '-' || (*at == '.' && at != text)))
			return wrong(e, text, "is no tenant");
	return true;
}

bool value_proxy(const char *text, struct err *e)
{
	if (strncasecmp(text, "socks5://", 9) == 0)
		return value_socket(text + 9, e);
	return value_socket(text, e);
}

bool value_no_recipient(const char *text, struct err *e)
{
	if (strcmp(text, "hold") == 0 || strcmp(text, "delete") == 0 || strcmp(text, "quarantine") == 0 || strchr(text, '@'))
		return true;
	return wrong(e, text, "is none of hold, delete, quarantine, nor an address");
}
