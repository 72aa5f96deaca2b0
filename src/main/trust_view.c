/* SPDX-License-Identifier: Apache-2.0 */
#include "main/trust_view.h"

#include <stdio.h>

#include "base/text.h"
#include "control/json.h"

static const char *when(const json_t *row, const char *member)
{
	const char *text = json_member_text(row, member);

	return *text ? text : "an unknown date";
}

static const char *text(const json_t *row, const char *member)
{
	return json_member_text(row, member);
}

static unsigned number(const json_t *row, const char *member)
{
	return (unsigned)json_member_number(row, member);
}

/* HOST:PORT, an IPv6 address in brackets. */
const char *trust_name_of(const json_t *row, char out[TRUST_NAME_MAX + 1])
{
	const char *host = text(row, "host");
	bool six = strchr(host, ':');

	(void)snprintf(out, TRUST_NAME_MAX + 1, "%s%s%s:%u", six ? "[" : "", host, six ? "]" : "", number(row, "port"));
	text_clean(out, strlen(out));
	return out;
}

void trust_line(const json_t *row)
{
	char name[TRUST_NAME_MAX + 1];

	(void)printf("%s  %s  %u time%s", when(row, "last_seen"), trust_name_of(row, name), number(row, "times"), number(row, "times") == 1 ? "" : "s");
	if (json_object_get(row, "key_sha256"))
		(void)printf("  \"%s\"  issuer \"%s\"  key %s", text(row, "subject"), text(row, "issuer"), text(row, "key_sha256"));
	(void)printf("  %s: %s\n", text(row, "state"), text(row, "reason"));
}

static void show_names(const json_t *c)
{
	const json_t *names = json_object_get(c, "names"), *one;
	size_t i;

	(void)printf("  names       ");
	json_array_foreach(names, i, one)
		(void)printf("%s%s", i ? ", " : "", json_string_value(one));
	if (number(c, "names_left"))
		(void)printf(" and %u more", number(c, "names_left"));
	(void)printf("%s\n", json_member_flag(c, "names_broken") ? "they cannot be read" : json_array_size(names) ? "" : "none");
}

void trust_certificate(const json_t *c)
{
	(void)printf("  subject     %s\n", *text(c, "subject") ? text(c, "subject") : "none");
	(void)printf("  issuer      %s%s\n", text(c, "issuer"), json_member_flag(c, "self_issued") ? " (itself)" : "");
	show_names(c);
	(void)printf("  serial      %s\n", text(c, "serial"));
	(void)printf("  valid       from %s to %s%s%s\n", when(c, "not_before"), when(c, "not_after"),
		json_member_flag(c, "early") ? "  NOT YET VALID" : "", json_member_flag(c, "expired") ? "  EXPIRED" : "");
	(void)printf("  key         %s", text(c, "key_type"));
	if (number(c, "key_bits"))
		(void)printf(", %u bits", number(c, "key_bits"));
	(void)printf("%s%s\n", *text(c, "key_group") ? ", " : "", text(c, "key_group"));
	(void)printf("  signed by   %s%s\n", text(c, "signature"), json_member_flag(c, "authority") ? "; may sign others" : "");
	(void)printf("  sha256      %s\n", text(c, "sha256"));
	(void)printf("  key sha256  %s\n", text(c, "key_sha256"));
	(void)printf("%s", text(c, "pem"));
}

/* The first authority that the chain has; 0: none. */
static size_t authority_of(const json_t *chain)
{
	const json_t *c;
	size_t i;

	json_array_foreach(chain, i, c)
		if (i && json_member_flag(c, "authority"))
			return i;
	return 0;
}

static void show_advice(const char *name, const json_t *chain)
{
	const char *key = text(json_array_get(chain, 0), "key_sha256");
	size_t n = authority_of(chain);

	(void)printf("\nNothing proves that this is the server's own: somebody on the way could have offered it.  Compare the key's\n"
		"sha256 with what the server's owner says, by another way.  Then\n"
		"  postrider trust accept %s --key %s\n"
		"      accepts this key at %s alone, whatever names and dates its certificate has; or\n", name, key, name);
	if (n)
		(void)printf("  postrider trust accept %s --authority %zu --key %s\n"
			"      accepts what that authority signed at %s alone; names and dates must still be right; or\n", name, n + 1,
			text(json_array_get(chain, n), "key_sha256"), name);
	(void)printf("  postrider trust import FILE\n"
		"      accepts what the authorities in FILE signed (PEM), of every server.  In the connection itself:\n"
		"  tls { pin = \"%s\" }\n"
		"      accepts this key and no other;\n"
		"  tls { ca_certificates = \"FILE\" }\n"
		"      accepts what the authorities in FILE signed, instead of the system's.\n", key);
}

static const char *meaning(const json_t *row)
{
	const char *kind = text(row, "kind");

	return strcmp(kind, "key") == 0 ? "its key, whatever names and dates its certificate has" :
		strcmp(kind, "authority") == 0 ? "what this authority signed, where names and dates are right" :
		"what this authority signed, of every server without tls.ca_certificates of its own";
}

void trusted_line(const json_t *row)
{
	const json_t *c = json_object_get(row, "certificate");

	(void)printf("%s  %s  %s: %s", when(row, "since"), text(row, "name"), text(row, "state"), meaning(row));
	if (c)
		(void)printf("  \"%s\"  issuer \"%s\"  key %s", text(c, "subject"), text(c, "issuer"), text(c, "key_sha256"));
	(void)printf("  sha256 %s\n", text(row, "sha256"));
}

void trusted_text(const json_t *row)
{
	(void)printf("%s: %s since %s: %s\n\n", text(row, "name"), text(row, "state"), when(row, "since"), meaning(row));
	if (json_object_get(row, "certificate"))
		trust_certificate(json_object_get(row, "certificate"));
	else
		(void)printf("  it cannot be read, and trusts nobody\n");
}

void trust_text(const json_t *row)
{
	const json_t *chain = json_object_get(row, "certificates"), *c;
	char name[TRUST_NAME_MAX + 1];
	size_t i;

	(void)printf("%s: not trusted\n  %s\n  first seen %s, last seen %s, %u time%s\n", trust_name_of(row, name), text(row, "reason"), when(row, "first_seen"), when(row, "last_seen"), number(row, "times"), number(row, "times") == 1 ? "" : "s");
	if (!json_array_size(chain))
		(void)printf("\nwhat it offered cannot be read\n");
	json_array_foreach(chain, i, c) {
		(void)printf("\ncertificate %zu of %zu%s\n", i + 1, json_array_size(chain), i ? "" : ": the server's");
		trust_certificate(c);
	}
	if (json_array_size(chain))
		show_advice(name, chain);
}
