/* SPDX-License-Identifier: Apache-2.0
 *
 * The section `envelope` of a connection or a target, made ready for wire/envelope.h. */
#include "config/build.h"
#include "wire/envelope.h"

bool envelope_addresses(const char *text)
{
	struct span left = span_of(text);
	struct address a;
	size_t good = 0, parts = 1;

	while (addresses_next(&left, &a)) {
		if (!address_has_domain(&a))
			return false;
		good++;
	}
	for (bool quoted = false; *text; text++) {
		quoted ^= *text == '"';
		parts += !quoted && *text == ',';
	}
	return good == parts;
}

bool envelope_domain(struct arena *a, const char *text)
{
	size_t size = strlen(text) + 3;
	char *whole = arena_take(a, size);
	struct span left = { whole, size - 1 };
	struct address address;

	memcpy(whole, "x@", 2);
	memcpy(whole + 2, text, size - 2);
	return addresses_next(&left, &address) && strcmp(address.text, whole) == 0 && !left.len;
}

/* The section, or one of its keys by itself, as on the command line. */
bool envelope_given(const struct section *section)
{
	for (size_t n = 0; n < section->count; n++)
		if (strcmp(section->given[n].name, "envelope") == 0 || strncmp(section->given[n].name, "envelope.", 9) == 0)
			return true;
	return false;
}

/* More would be refused, each message of them. */
static void check_count(const struct section *section, const char *key, const char *const *texts, size_t count, struct report *r)
{
	struct address a;
	size_t addresses = 0;

	for (size_t n = 0; n < count; n++)
		for (struct span left = span_of(texts[n]); addresses_next(&left, &a);)
			addresses++;
	if (addresses > ENVELOPE_RECIPIENTS)
		section_error(section, r, key, "%zu addresses are too many; write at most %d", addresses, ENVELOPE_RECIPIENTS);
}

static void check_addresses(const struct section *section, const char *key, const char *text, struct report *r)
{
	if (!envelope_addresses(text))
		section_error(section, r, key, "%.*s is no address; write for instance anna@example.org", VALUE_SHOWN, text);
}

static void check_domain(struct settings *s, const struct section *section, const char *key, const char *text, struct report *r)
{
	if (text && !envelope_domain(&s->arena, text))
		section_error(section, r, key, "%.*s is no domain; write what stands behind the @", VALUE_SHOWN, text);
}

static struct envelope_list list_of(const struct texts *t)
{
	return (struct envelope_list){ t->at, t->count };
}

static void no_recipient(struct settings *s, const struct section *section, struct envelope_keys *keys, struct report *r)
{
	static const struct { const char *name; enum envelope_what what; } words[] = {
		{ "hold", ENVELOPE_HOLD }, { "delete", ENVELOPE_DELETE }, { "quarantine", ENVELOPE_QUARANTINE },
	};
	const char **otherwise;

	for (size_t n = 0; n < COUNT(words); n++) {
		keys->rules.no_recipient = words[n].what;
		if (strcmp(keys->no_recipient, words[n].name) == 0)
			return;
	}
	keys->rules.no_recipient = ENVELOPE_DELIVER;
	check_addresses(section, "envelope.no_recipient", keys->no_recipient, r);
	check_count(section, "envelope.no_recipient", &keys->no_recipient, 1, r);
	otherwise = arena_take(&s->arena, sizeof *otherwise);
	*otherwise = keys->no_recipient;
	keys->rules.otherwise = (struct envelope_list){ otherwise, 1 };
}

void build_envelope(struct settings *s, const struct section *section, struct envelope_keys *keys, struct report *r)
{
	keys->rules = (struct envelope_rules){ .headers = list_of(&keys->headers), .source_domain = keys->source_domain,
		.target_domain = keys->target_domain, .recipients = list_of(&keys->recipients) };
	for (size_t n = 0; n < keys->recipients.count; n++)
		check_addresses(section, "envelope.recipients", keys->recipients.at[n], r);
	check_count(section, "envelope.recipients", keys->recipients.at, keys->recipients.count, r);
	check_domain(s, section, "envelope.source_domain", keys->source_domain, r);
	check_domain(s, section, "envelope.target_domain", keys->target_domain, r);
	no_recipient(s, section, keys, r);
	if (keys->recipients.count && section_given(section, "envelope.no_recipient"))
		section_warning(section, r, "envelope.no_recipient", "with a fixed list of recipients there always is one; it has no effect");
}
