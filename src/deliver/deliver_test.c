/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/fixture.h"

static void which_types_are_built([[maybe_unused]] void **state)
{
	static const bool built[] = { [TARGET_MAILBOX] = true, [TARGET_MAILDIR] = true, [TARGET_FOLDER] = true, [TARGET_SMTP] = true,
		[TARGET_LMTP] = true, [TARGET_COMMAND] = true };

	for (size_t n = 0; n < COUNT(built); n++)
		assert_int_equal(deliver_serves(&(struct target){ .type = (enum target_type)n, .host = "h" }), built[n]);
}

/* It lives by itself: the settings may go. */
static void a_target_is_a_copy([[maybe_unused]] void **state)
{
	char name[] = "relay", canonical[] = "command:relay", word[] = "relay";
	const char *argv[] = { word };
	const struct target given = { .name = name, .canonical = canonical, .type = TARGET_COMMAND, .argv = { argv, 1 } };
	struct deliver_target *t = deliver_target_new(&given, &fixture_err), *other;

	must(t);
	name[0] = canonical[0] = word[0] = 'X';
	assert_string_equal(deliver_target_name(t), "relay");
	assert_false(deliver_target_final(t));
	other = deliver_target_keep(t);
	deliver_target_put(&t);
	assert_null(t);
	assert_string_equal(deliver_target_name(other), "relay");
	deliver_target_put(&other);
}

static void keys_that_cannot_be_used_are_said([[maybe_unused]] void **state)
{
	const struct target given = { .name = "relay", .canonical = "folder:/x", .type = TARGET_FOLDER, .has_smime = true, .smime = { .certificate = "/nowhere" } };

	assert_null(deliver_target_new(&given, &fixture_err));
	assert_int_equal(fixture_err.kind, ERR_CONFIG);
	assert_true(strstr(fixture_err.text, "target relay: smime: ") && strstr(fixture_err.text, "/nowhere"));
}

/* A slow program does not keep the others: each comes back when it is done. */
static void targets_do_not_wait_for_each_other([[maybe_unused]] void **state)
{
	static const char *slow[] = { "/bin/sleep", "0.4" };
	const struct target command = { .name = "c", .type = TARGET_COMMAND, .canonical = "command:c", .argv = { slow, 2 }, .timeout_ms = 60000, .parallel = 1 };
	const struct target box = { .name = "a", .type = TARGET_MAILBOX, .canonical = "mailbox:anna/INBOX", .mailbox = "anna/INBOX" };
	struct world *w = world(10);

	world_asks_for(w, &command, NULL);
	world_asks_for(w, &box, NULL);
	world_runs(w);
	assert_int_equal(w->which[0], 1);
	assert_int_equal(w->which[1], 0);
	assert_int_equal(w->said[0], DELIVER_ACCEPTED);
	assert_int_equal(w->said[1], DELIVER_ACCEPTED);
	world_end(w);
}

static unsigned count_done;

static void count([[maybe_unused]] void *user, const struct deliver_result *r)
{
	assert_int_equal(r->said, DELIVER_ACCEPTED);
	count_done++;
}

/* As many as a visit of many connections has under way, to a hundred targets that queue and to a mailbox.  None is lost, and nothing
 * but them keeps the loop. */
static void a_thousand_at_a_time([[maybe_unused]] void **state)
{
	enum { MANY = 1024, TARGETS = 100, PROGRAMS = 200 };
	static const char *argv[] = { "/bin/true" };
	static char names[TARGETS][32];
	struct deliver_target *targets[TARGETS], *box;
	struct world *w = world(10);

	box = deliver_target_new(&(struct target){ .name = "a", .type = TARGET_MAILBOX, .canonical = "mailbox:anna/INBOX", .mailbox = "anna/INBOX" }, &fixture_err);
	must(box);
	for (unsigned n = 0; n < TARGETS; n++) {
		(void)snprintf(names[n], sizeof names[n], "command:%u", n);
		targets[n] = deliver_target_new(&(struct target){ .name = "c", .type = TARGET_COMMAND, .canonical = names[n], .argv = { argv, 1 },
			.timeout_ms = WORLD_PATIENCE_MS, .parallel = 1 }, &fixture_err);
		must(targets[n]);
	}
	for (unsigned n = 0; n < MANY; n++)
		deliver(w->all, &(struct deliver_ask){ .target = n < PROGRAMS ? targets[n % TARGETS] : box, .message = w->message, .sender = "", .done = count });
	assert_int_equal(deliveries_waiting(w->all), MANY);
	loop_run(w->loop);
	assert_int_equal(count_done, MANY);
	assert_int_equal(deliveries_waiting(w->all), 0);
	for (unsigned n = 0; n < TARGETS; n++)
		deliver_target_put(&targets[n]);
	deliver_target_put(&box);
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_types_are_built),
		cmocka_unit_test(a_target_is_a_copy),
		cmocka_unit_test(keys_that_cannot_be_used_are_said),
		cmocka_unit_test(targets_do_not_wait_for_each_other),
		cmocka_unit_test(a_thousand_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
