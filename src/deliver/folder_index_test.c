/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/fixture.h"

#include <jansson.h>

#include "deliver/folder_index.h"

enum { NOW = 1795662735 };

/* All that it can have, and nobody's words break it. */
static void all_of_it([[maybe_unused]] void **state)
{
	static const char *const recipients[] = { "bert@example.org", "\"x\\y\"\n\xff" };
	static const struct deliver_fact facts[] = { { "PEER", "127.0.0.1" }, { "ACCOUNT", "anna \"quoted\"" } };
	static const char *argv[] = { "x" };
	const struct target target = { .name = "arch\"ive", .canonical = "command:x", .type = TARGET_COMMAND, .argv = { argv, 1 } };
	struct split_part part = { .type = "text/plain", .name = "a\"b", .charset = "utf-8", .body = true, .octets = 5 };
	const char *directory = fixture_directory();
	struct deliver_ask ask = { .sender = "anna@example.org", .recipients = recipients, .recipient_count = 2, .facts = facts, .fact_count = 2 };
	struct folder_index *x;
	json_t *read, *want;
	struct spool *message;
	char *text;

	ask.target = deliver_target_new(&target, &fixture_err);
	must(ask.target);
	message = spool_new(directory, &fixture_err);
	must(message && spool_add(message, SPAN("12345"), &fixture_err));
	ask.message = message;
	x = folder_index_new(&ask, NOW, SPAN("Subject: a\r\n \"b\" \xff\r\nFROM: x\r\nX-Other: y\r\nMessage-ID: <z>\r\n\r\nTo: body\r\n"));
	folder_index_file(x, "message", "m.eml");
	folder_index_file(x, "unsplit", "why");
	folder_index_part(x, &part, "m.body.txt");
	part = (struct split_part){ .type = "image/png", .id = "i@x", .attachment = true };
	folder_index_part(x, &part, "m.1.png");
	text = folder_index_text(x);
	assert_non_null(text);
	assert_int_equal(text[strlen(text) - 1], '\n');
	read = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	want = json_loads("{\"version\":1,\"delivered\":\"2026-11-26T03:12:15Z\",\"target\":\"arch\\\"ive\",\"sender\":\"anna@example.org\","
		"\"recipients\":[\"bert@example.org\",\"\\\"x\\\\y\\\"??\"],\"size\":5,\"headers\":{\"subject\":\"a \\\"b\\\" ?\",\"from\":\"x\",\"message_id\":\"<z>\"},"
		"\"facts\":{\"peer\":\"127.0.0.1\",\"account\":\"anna \\\"quoted\\\"\"},\"message\":\"m.eml\",\"unsplit\":\"why\",\"parts\":["
		"{\"file\":\"m.body.txt\",\"type\":\"text/plain\",\"name\":\"a\\\"b\",\"charset\":\"utf-8\",\"size\":5,\"body\":true,\"attachment\":false},"
		"{\"file\":\"m.1.png\",\"type\":\"image/png\",\"content_id\":\"i@x\",\"size\":0,\"body\":false,\"attachment\":true}]}", 0, NULL);
	assert_non_null(want);
	assert_true(json_equal(read, want));
	json_decref(read);
	json_decref(want);
	free(text);
	folder_index_free(&x);
	assert_null(x);
	spool_free(&message);
	deliver_target_put(&ask.target);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
