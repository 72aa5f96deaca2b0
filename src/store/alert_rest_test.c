/* SPDX-License-Identifier: Apache-2.0 */
#include "store/alert_rest.h"

#include "store/fixture.h"

static const struct alert rows[] = {
	{ .scope = ALERT_ACCOUNT, .of = "anna@client1.com", .made = 1234567890123, .text = "hello" },
	{ .scope = ALERT_DOMAIN, .of = "client1.com", .made = -1, .text = "x" }, { .scope = ALERT_SERVER, .of = "", .made = 0, .text = "y" },
};

static void what_was_packed_comes_back(void **state)
{
	(void)state;
	for (const struct alert *r = rows; r < rows + COUNT(rows); r++) {
		char value[ALERT_VALUE];
		struct span whole = alert_pack(value, r);
		struct alert a = { .id = 7 };

		assert_true(alert_unpack(whole, &a));
		assert_true(a.id == 7 && a.scope == r->scope && a.made == r->made);
		assert_string_equal(a.of, r->of);
		assert_string_equal(a.text, r->text);
	}
}

/* Cut anywhere it is refused, or only the text is shorter; nothing beyond the end is read. */
static void any_cut_is_safe(void **state)
{
	char value[ALERT_VALUE];
	struct span whole = alert_pack(value, &rows[0]);

	(void)state;
	for (size_t cut = 0; cut < whole.len; cut++) {
		char *copy = malloc(cut + !cut);
		struct alert a;

		assert_non_null(copy);
		memcpy(copy, whole.at, cut);
		if (alert_unpack((struct span){ copy, cut }, &a) != (cut >= whole.len - strlen(rows[0].text)))
			fail_msg("cut at %zu", cut);
		free(copy);
	}
}

static void damage_is_refused(void **state)
{
	static const struct { size_t at; char octet; } damages[] = { { 0, 2 }, { 9, ALERT_QUOTA }, { 9, (char)0xff }, { 10, (char)0xff }, { 12, 1 }, { 13, 0x40 } };
	char value[ALERT_VALUE + 1];
	struct alert a = rows[0];

	(void)state;
	for (size_t n = 0; n < COUNT(damages); n++) {
		struct span whole = alert_pack(value, &rows[0]);

		value[damages[n].at] = damages[n].octet;
		if (alert_unpack(whole, &a))
			fail_msg("damage %zu", n);
	}
	memset(a.text, 'x', ALERT_TEXT_MAX);
	a.text[ALERT_TEXT_MAX] = '\0';
	(void)snprintf(a.of, sizeof a.of, "anna");
	assert_true(alert_unpack(alert_pack(value, &a), &a));
	(void)alert_pack(value, &a);
	value[14 + 4 + ALERT_TEXT_MAX] = 'x';	/* one more than there can be */
	assert_false(alert_unpack((struct span){ value, 14 + 4 + ALERT_TEXT_MAX + 1 }, &a));
}

static void what_was_told(void **state)
{
	const struct alert_told told = { .domain = 1, .server = UINT64_MAX, .level = 2 };
	struct alert_told got;
	char value[ALERT_TOLD];
	struct span whole = alert_told_pack(value, &told);

	(void)state;
	assert_true(alert_told_unpack(whole, &got) && got.domain == 1 && got.server == UINT64_MAX && got.level == 2);
	for (size_t cut = 0; cut < whole.len; cut++)
		assert_false(alert_told_unpack((struct span){ value, cut }, &got));
	value[0] = 9;
	assert_false(alert_told_unpack(whole, &got));
}

/* A name that begins like another one, or has the same letters in another scope, finds nothing of it. */
static void whose_they_are(void **state)
{
	static const struct { enum alert_scope scope; const char *of; uint64_t id; } all[] = {
		{ ALERT_ACCOUNT, "ann", 5 }, { ALERT_ACCOUNT, "anna", 3 }, { ALERT_ACCOUNT, "anna", 256 }, { ALERT_DOMAIN, "anna", 4 }, { ALERT_SERVER, "", 1 },
	};
	const char *directory = fixture_directory();
	struct store *s = fixture_store(directory);
	engine_part part = engine_part_of("test", SPAN(""));
	struct batch *b = store_batch(part);
	struct view *v;
	uint64_t id = 0;

	(void)state;
	for (size_t n = 0; n < COUNT(all); n++) {
		char key[ALERT_INDEX];

		must(batch_put(b, alert_index(key, all[n].scope, all[n].of, all[n].id), SPAN("x")));
	}
	must(engine_commit_wait(s->engine, &b, &fixture_err));
	v = store_view(s);
	assert_true(alert_next_of(v, part, ALERT_ACCOUNT, "anna", &id) && id == 3);
	assert_true(alert_next_of(v, part, ALERT_ACCOUNT, "anna", &id) && id == 256);
	assert_false(alert_next_of(v, part, ALERT_ACCOUNT, "anna", &id));
	id = 0;
	assert_true(alert_next_of(v, part, ALERT_DOMAIN, "anna", &id) && id == 4);
	assert_false(alert_next_of(v, part, ALERT_DOMAIN, "anna", &id));
	id = 0;
	assert_true(alert_next_of(v, part, ALERT_SERVER, "", &id) && id == 1);
	assert_false(alert_next_of(v, part, ALERT_SERVER, "", &id));
	id = 0;
	assert_false(alert_next_of(v, part, ALERT_ACCOUNT, "an", &id) || alert_next_of(v, part, ALERT_ACCOUNT, "annaa", &id));
	view_end(&v);
	store_close(&s);
	fixture_remove(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_comes_back), cmocka_unit_test(any_cut_is_safe), cmocka_unit_test(damage_is_refused),
		cmocka_unit_test(what_was_told), cmocka_unit_test(whose_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
