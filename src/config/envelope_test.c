/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scratch.h"

#include "config/read.h"

#define C "connection c { protocol = pop3 host = h user = u deliver = 'maildir:/x' envelope { "
#define AT "c.conf:1: connection c: envelope."
#define ADDRESS "; write for instance anna@example.org\n"
#define DOMAIN "; write what stands behind the @\n"

static struct settings s;

/* What is said; with "" the rules are looked at by `want`. */
static const struct row {
	const char *keys, *said, *want;
} rows[] = {
	{ "", "", "X-Real-To Delivered-To X-Original-To Envelope-To|-|-||hold|" },
	{ "headers = {To, Cc}", "", "To Cc|-|-||hold|" },
	{ "source_domain = 'a.b' target_domain = c", "", "X-Real-To Delivered-To X-Original-To Envelope-To|a.b|c||hold|" },
	{ "headers = X recipients = {'a@b', 'C <c@d>, e@f'}", "", "X|-|-|a@b C <c@d>, e@f|hold|" },
	{ "headers = X no_recipient = delete", "", "X|-|-||delete|" },
	{ "headers = X no_recipient = quarantine", "", "X|-|-||quarantine|" },
	{ "headers = X no_recipient = 'a@b, \"c, d\"@e'", "", "X|-|-||deliver|a@b, \"c, d\"@e" },
	{ "headers = {'a b'}", "headers", NULL },
	{ "recipients = 'anna'", AT "recipients: anna is no address" ADDRESS, NULL },
	{ "recipients = {'a@b', 'a@b, x y'}", AT "recipients: a@b, x y is no address" ADDRESS, NULL },
	{ "recipients = ''", AT "recipients", NULL },
	{ "no_recipient = 'a@'", AT "no_recipient: a@ is no address" ADDRESS, NULL },
	{ "source_domain = '@a.b'", AT "source_domain: @a.b is no domain" DOMAIN, NULL },
	{ "target_domain = 'a b'", AT "target_domain: a b is no domain" DOMAIN, NULL },
	{ "target_domain = 'a, c'", AT "target_domain: a, c is no domain" DOMAIN, NULL },
};

static const char *const outcomes[] = {
	[ENVELOPE_DELIVER] = "deliver", [ENVELOPE_HOLD] = "hold", [ENVELOPE_DELETE] = "delete", [ENVELOPE_QUARANTINE] = "quarantine",
	[ENVELOPE_REFUSED] = "refused",
};

static void put(char *out, size_t size, const struct envelope_list *list)
{
	for (size_t n = 0; n < list->count; n++)
		(void)snprintf(out + strlen(out), size - strlen(out), "%s%s", n ? " " : "", list->at[n]);
	(void)snprintf(out + strlen(out), size - strlen(out), "|");
}

static void tell(const struct envelope_rules *rules, char *out, size_t size)
{
	out[0] = '\0';
	put(out, size, &rules->headers);
	(void)snprintf(out + strlen(out), size - strlen(out), "%s|%s|", rules->source_domain ? rules->source_domain : "-",
		rules->target_domain ? rules->target_domain : "-");
	put(out, size, &rules->recipients);
	(void)snprintf(out + strlen(out), size - strlen(out), "%s|", outcomes[rules->no_recipient]);
	if (rules->otherwise.count)
		(void)snprintf(out + strlen(out), size - strlen(out), "%s", rules->otherwise.at[0]);
}

static void rules_of_a_connection([[maybe_unused]] void **state)
{
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		char text[400], said[1000];
		const char *errors;

		print_message("%s\n", r->keys);
		(void)snprintf(text, sizeof text, C "%s } }", r->keys);
		errors = scratch_read(span_of(text), 0644, &s);
		if (r->want) {
			assert_string_equal(errors, "");
			assert_int_equal(s.warning_count, 0);
			tell(&s.connections[0]->envelope.rules, said, sizeof said);
			assert_string_equal(said, r->want);
		} else {
			assert_non_null(strstr(errors, r->said));
		}
		settings_end(&s);
	}
}

/* A target's, too; and who has no such section has the defaults. */
static void rules_of_a_target([[maybe_unused]] void **state)
{
	char said[1000];

	assert_string_equal(scratch_read(SPAN("target t { type = smtp host = h envelope { recipients = 'a@b' } }\n"
		"connection c { protocol = pop3 host = h user = u deliver = 'maildir:/x' }"), 0644, &s), "");
	tell(&s.targets[0]->envelope.rules, said, sizeof said);
	assert_string_equal(said, "X-Real-To Delivered-To X-Original-To Envelope-To|-|-|a@b|hold|");
	tell(&s.connections[0]->envelope.rules, said, sizeof said);
	assert_string_equal(said, "X-Real-To Delivered-To X-Original-To Envelope-To|-|-||hold|");
	settings_end(&s);
	assert_string_equal(scratch_read(SPAN("target t { type = smtp host = h envelope { recipients = a } }"), 0644, &s),
		"c.conf:1: target t: envelope.recipients: a is no address" ADDRESS);
	settings_end(&s);
}

/* More than 100 would be refused with each message. */
static void not_too_many([[maybe_unused]] void **state)
{
	static const char *const keys[] = { "recipients = 'a@b", "recipients = {x@y, 'a@b", "no_recipient = 'a@b" };
	static const bool braces[] = { false, true, false };

	for (size_t k = 0; k < COUNT(keys); k++)
		for (unsigned count = 99; count <= 101; count++) {
			char text[2000] = C;
			const char *errors;
			unsigned all = count + braces[k];

			(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s", keys[k]);
			for (unsigned n = 1; n < count; n++)
				(void)snprintf(text + strlen(text), sizeof text - strlen(text), ", a@b");
			(void)snprintf(text + strlen(text), sizeof text - strlen(text), "'%s } }", braces[k] ? "}" : "");
			errors = scratch_read(span_of(text), 0644, &s);
			assert_int_equal(errors[0] == '\0', all <= 100);
			assert_true(all <= 100 || strstr(errors, "101 addresses are too many; write at most 100"));
			if (!errors[0])
				settings_end(&s);
			if (all == 101)
				break;
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_of_a_connection),
		cmocka_unit_test(rules_of_a_target),
		cmocka_unit_test(not_too_many),
	};

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
