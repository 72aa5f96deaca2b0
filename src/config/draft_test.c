/* SPDX-License-Identifier: Apache-2.0 */
#include "config/draft.h"
#include "config/scratch.h"

static char text[1 << 16];

/* What the draft writes, and what settings_read makes of it. */
static void written(struct draft *d, struct settings *s)
{
	struct buf out;

	buf_lend(&out, text, sizeof text);
	assert_true(draft_write(d, &out));
	assert_true(buf_terminate(&out));
	assert_string_equal(scratch_read(span_of(text), 0600, s), "");
}

static struct draft_section *connection(struct draft *d, const char *name)
{
	struct draft_section *s = draft_connection(d, name, 7);

	assert_true(draft_set(d, s, "protocol", "imap", 7));
	assert_true(draft_set(d, s, "host", "h.example", 7));
	assert_true(draft_set(d, s, "user", "u", 7));
	assert_true(draft_add(d, s, "deliver", "maildir:/m", 7));
	return s;
}

/* Every octet that a password may have, beside the next one. */
static void passwords_are_themselves(void **state)
{
	static const char odd[] = "'\"\\$ {}%#~(),=;\xc3\xa4\xff\t\x01";
	struct arena a = { 0 };
	struct settings s;
	struct draft d;

	(void)state;
	for (const char *first = odd; *first; first++)
		for (const char *second = odd; *second; second++) {
			const char password[] = { 'x', *first, *second, '{', '$', '{', 'X', '}', *first, '\0' };
			struct draft_section *c;

			draft_start(&d, &a, "test", "rc");
			c = connection(&d, "c");
			assert_true(draft_set(&d, c, "password", password, 1));
			written(&d, &s);
			assert_int_equal(s.connections[0]->password.kind, SECRET_LITERAL);
			assert_string_equal(s.connections[0]->password.text, password);
			settings_end(&s);
			arena_end(&a);
		}
}

static void names_are_legal_and_unique(void **state)
{
	static const char *const names[] = { "a", "a", "a-2", "a", "a b|c'd\"", "", "maildir:/x", "...", "\xff\n", "include",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	static const char *const want[] = { "a", "a-2", "a-2-2", "a-3", "a-b-c-d-", "imported", "maildir--x", "imported-2", "imported-3", "include" };
	struct arena a = { 0 };
	struct settings s;
	struct draft d;

	(void)state;
	draft_start(&d, &a, "test", "rc");
	for (size_t n = 0; n < COUNT(names); n++)
		(void)connection(&d, names[n]);
	written(&d, &s);
	assert_int_equal(s.connection_count, COUNT(names));
	for (size_t n = 0; n < COUNT(want); n++)
		assert_string_equal(s.connections[n]->name, want[n]);
	settings_end(&s);
	arena_end(&a);
}

static void what_the_reader_would_refuse_is_a_note(void **state)
{
	struct arena a = { 0 };
	struct settings s;
	struct draft_section *c;
	struct draft d;

	(void)state;
	draft_start(&d, &a, "test", "r\nc");
	c = connection(&d, "c");
	assert_false(draft_set(&d, c, "port", "70000", 3));
	assert_true(draft_set(&d, c, "timeout", "90s", 3));
	assert_false(draft_set(&d, c, "timeout", "soon", 4));
	assert_false(draft_set(&d, c, "description", "a\nb", 5));
	assert_false(draft_set(&d, c, "host", "not a host", 6));
	assert_true(draft_set(&d, c, "tls.min", "TLSv1.3", 8));
	assert_true(draft_set(&d, c, "tls.max", "TLSv1.2", 9));
	assert_true(draft_set(&d, c, "delete_after", "3d", 10));
	for (unsigned n = 0; n < 10; n++) {
		char place[] = "maildir:/a";

		place[9] = (char)('a' + n);
		assert_true(draft_add(&d, c, "deliver", place, 11));
	}
	written(&d, &s);
	assert_string_equal(s.connections[0]->host, "h.example");
	assert_int_equal(s.connections[0]->timeout_ms, 90000);
	assert_int_equal(s.connections[0]->deliver_count, SETTINGS_DELIVER_MAX);
	for (const char *const *note = (const char *const[]){ "# r?c:3: port: ", "# r?c:4: timeout: ", "# r?c:5: description: ", "# r?c:6: host: ", "# r?c:8: tls.min: ",
			"# r?c:9: tls.max: ", "# r?c:10: delete_after: ", "# r?c:11: deliver: ", NULL }; *note; note++)
		assert_non_null(strstr(text, *note));
	settings_end(&s);
	arena_end(&a);
}

static void defaults_are_left_out(void **state)
{
	struct arena a = { 0 };
	struct settings s;
	struct draft_section *c;
	struct draft d;

	(void)state;
	draft_start(&d, &a, "test", "rc");
	c = connection(&d, "c");
	assert_true(draft_set(&d, c, "port", "993", 1) && draft_set(&d, c, "after", "keep", 1) && draft_set(&d, c, "tls.mode", "implicit", 1));
	assert_true(draft_add(&d, c, "mailbox", "INBOX", 1) && draft_set(&d, c, "timeout", "60s", 1));
	written(&d, &s);
	assert_non_null(strstr(text, "connection c {\n\tprotocol = imap\n\thost = \"h.example\"\n\tuser = \"u\"\n\tdeliver = {\"maildir:/m\"}\n}\n"));
	settings_end(&s);
	assert_true(draft_set(&d, c, "tls.mode", "explicit", 1) && draft_set(&d, c, "after", "delete", 1));
	written(&d, &s);
	assert_int_equal(s.connections[0]->port, 993);
	assert_int_equal(s.connections[0]->after, AFTER_DELETE);
	settings_end(&s);
	arena_end(&a);
}

static void targets_are_shared(void **state)
{
	struct draft_section *c, *first, *second, *other;
	struct arena a = { 0 };
	struct settings s;
	struct draft d;

	(void)state;
	draft_start(&d, &a, "test", "rc");
	c = connection(&d, "c");
	first = draft_target(&d, "t", 1);
	second = draft_target(&d, "t", 2);
	other = draft_target(&d, "t", 3);
	for (struct draft_section *t = first; t; t = t->next)
		assert_true(draft_set(&d, t, "type", "command", 1) && draft_add(&d, t, "argv", "a", 1) && draft_add(&d, t, "argv", "a", 1));
	assert_true(draft_add(&d, other, "argv", "b", 1));
	assert_ptr_equal(draft_shared(&d, first), first);
	assert_ptr_equal(draft_shared(&d, second), first);
	assert_ptr_equal(draft_shared(&d, other), other);
	assert_true(draft_add(&d, c, "deliver", first->name, 1));
	written(&d, &s);		/* the other one, nobody delivers to */
	assert_int_equal(s.target_count, 2);
	assert_int_equal(settings_target(&s, "t")->argv.count, 2);
	settings_end(&s);
	arena_end(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwords_are_themselves), cmocka_unit_test(names_are_legal_and_unique), cmocka_unit_test(what_the_reader_would_refuse_is_a_note),
		cmocka_unit_test(defaults_are_left_out), cmocka_unit_test(targets_are_shared),
	};

	return cmocka_run_group_tests(tests, scratch_start, scratch_end);
}
