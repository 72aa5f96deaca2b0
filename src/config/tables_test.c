/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/option.h"

/* What every row of every table must keep. */
static void check_rows(const struct option *rows, struct arena *a, const char *path, bool kept)
{
	for (const struct option *o = rows; o->name; o++) {
		struct given g = { .option = o, .name = o->name, .kept = false };
		struct connection nowhere;
		struct err e;

		for (const struct option *other = rows; other < o; other++)
			assert_string_not_equal(o->name, other->name);
		assert_true(span_find(span_of(o->name), '.') == strlen(o->name));	/* dots are between sections */
		assert_int_equal(o->type == OPTION_SECTION, o->inner != NULL);
		if (o->inner) {
			check_rows(o->inner, a, o->name, kept && o->size);
			continue;
		}
		if (!o->help || !o->help[0])
			fail_msg("%s.%s says nothing of what to write", path, o->name);
		assert_int_equal(o->type == OPTION_CHOICE || o->type == OPTION_WORD || o->type == OPTION_FLAGS || o->type == OPTION_AFTER, o->names != NULL);
		assert_true(o->max == 0 || o->min <= o->max);
		if (!o->dflt)
			continue;
		g.values = option_split(o, o->dflt, a);
		if (!option_set(&g, &nowhere, a, &e))
			fail_msg("%s.%s: the default is wrong: %s", path, o->name, e.text);
	}
}

static void every_row_is_well_formed(void **state)
{
	struct arena a = { 0 };

	(void)state;
	check_rows(settings_rows, &a, "", true);
	arena_end(&a);
}

/* PRODUCT 2.1, 2.2, 2.4: none is forgotten. */
static const char *const connection_keys[] = {
	"description", "enabled", "protocol", "host", "port", "user", "password", "auth", "allow_cleartext", "detect",
	"oauth.provider", "oauth.tenant", "oauth.flow", "oauth.client_id", "oauth.client_secret", "oauth.token_url", "oauth.device_url", "oauth.scope",
	"oauth.ca_certificates", "tls.mode", "tls.required",
	"tls.protocols", "tls.min", "tls.max", "tls.legacy", "tls.ciphers", "tls.ciphersuites", "tls.certificate", "tls.key",
	"tls.ca_certificates", "tls.crl", "tls.verify_server", "tls.verify_host", "tls.verify_depth", "tls.pin", "mailbox", "pull", "search",
	"newer_than", "max_size", "max_messages", "use_top", "after", "delete_after", "on_refused", "held_max", "history_keep", "interval", "idle", "active",
	"max_retries", "retry_interval", "delay_failed_host", "delay_failed_account", "source_address", "proxy", "connect_timeout", "timeout",
	"envelope.headers", "envelope.source_domain", "envelope.target_domain", "envelope.recipients", "envelope.no_recipient", "trace", "deliver",
};
static const char *const target_keys[] = {
	"type", "mailbox", "path", "prefix", "template", "split", "host", "port", "tls.mode", "auth", "user", "password", "parallel", "argv",
	"timeout", "envelope.recipients",
};
static const char *const top_keys[] = {
	"state", "store", "store_map", "main_domain", "run_as", "log.level", "log.format", "log.to", "max_per_host", "workers", "connections_dir",
	"pop3.listen.address", "pop3.listen.port", "pop3.listen.tls", "pop3.listen.allow_cleartext", "pop3.listen.proxy_protocol",
	"pop3.listen.trusted", "pop3.certificate", "pop3.key", "pop3.ca_certificates", "pop3.tls.min", "pop3.tls.max", "pop3.tls.ciphers",
	"pop3.tls.ciphersuites", "pop3.max_sessions", "pop3.max_per_address", "pop3.max_per_user", "pop3.access", "pop3.except",
	"pop3.mechanisms", "pop3.apop", "pop3.greeting", "pop3.hide_version", "pop3.login_delay", "pop3.idle_timeout", "pop3.login_timeout",
	"pop3.overlong", "pop3.failed_delay", "pop3.failed_limit", "pop3.failed_block", "pop3.exclusive", "pop3.after_retr_seen",
	"pop3.submission", "pop3.submission_limit", "pop3.submission_size", "pop3.route_header", "pop3.maildir", "pop3.uidl", "pop3.users",
	"console.listen", "console.certificate", "console.key",
};

static void check_keys(const struct option *rows, const char *const *keys, size_t count)
{
	for (size_t n = 0; n < count; n++) {
		struct given g;

		if (!option_find(rows, span_of(keys[n]), &g))
			fail_msg("%s is not there", keys[n]);
		assert_true(g.option->type != OPTION_SECTION);
	}
}

static void every_key_is_there(void **state)
{
	(void)state;
	check_keys(connection_rows, connection_keys, COUNT(connection_keys));
	check_keys(target_rows, target_keys, COUNT(target_keys));
	check_keys(settings_rows, top_keys, COUNT(top_keys));
}

static void the_types_of_targets_have_their_keys(void **state)
{
	(void)state;
	for (const struct option *o = target_rows; o->name; o++)
		assert_true(o->types != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_well_formed),
		cmocka_unit_test(every_key_is_there),
		cmocka_unit_test(the_types_of_targets_have_their_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
