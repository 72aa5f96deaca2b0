/* SPDX-License-Identifier: Apache-2.0
 * What all operations have in common. */
#include "control/fixture.h"

#include <fcntl.h>

static const struct row rows[] = {
	{ "account.dance", "{}", "config: operation: no operation is called so: the request said \"account.dance\"" },
	{ "", "{}", "config: operation: no operation is called so*" },
	{ "account.show", NULL, "config: account.show: account is missing" },
	{ "account.show", "{\"account\":7}", "config: account.show: account is not a text" },
	{ "account.show", "{\"account\":\"anna\",\"x\":1}", "config: account.show: unknown member: the request said \"x\"" },
	{ "account.list", "{\"limit\":501}", "config: account.list: limit is more than 500" },
	{ "account.list", "{\"after\":\"%4\"}", "config: after is not what an answer's next said" },
	{ "account.list", "{\"after\":\"%00\"}", "config: after is not what an answer's next said" },
	{ "account.list", "{\"after\":\"%zz\"}", "config: after is not what an answer's next said" },
};

static void what_is_no_request(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks_rows(w, rows, COUNT(rows));
	world_end(w);
}

/* Octets and descriptors belong to some operations only; what came is taken all the same, and closed. */
static void octets_and_descriptors_that_nobody_wants(void **state)
{
	struct world *w = world(NULL);
	struct api_call *c = world_ask(w, "account.list", NULL, 5);
	int fd = open(w->directory, O_RDONLY | O_CLOEXEC);
	char *got;

	(void)state;
	assert_true(api_done(c));
	assert_int_equal(api_wants(c), 5);
	api_take(c, SPAN("abc"));
	api_take(c, SPAN("de"));
	assert_int_equal(api_wants(c), 0);
	got = world_says(c);
	fits(got, "config: account.list: no octets belong behind its request");
	free(got);
	api_end(&c);
	c = api_ask(w->api, "account.list", NULL, &(struct api_asker){ .answered = world_answered, .fd = fd });
	got = world_says(c);
	fits(got, "config: account.list: no descriptor belongs to its request");
	free(got);
	api_end(&c);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	world_end(w);
}

static void what_changes_is_known(void **state)
{
	struct world *w = world(NULL);
	struct api_call *c = world_ask(w, "account.list", NULL, 0);

	(void)state;
	assert_false(api_notable(c));
	api_end(&c);
	c = world_ask(w, "account.set", "{\"account\":\"anna\"}", 0);
	assert_true(api_notable(c));
	api_end(&c);
	world_end(w);
}

/* Broken off calls owe nothing; nor do those that are left when the API goes. */
static void calls_that_are_broken_off(void **state)
{
	struct world *w = world(NULL);
	struct api_call *c = world_ask(w, "mailbox.append", "{\"mailbox\":\"anna@main.example/INBOX\"}", 0), *left;
	struct store_done d;

	(void)state;
	assert_true(api_done(c));	/* there is no such account */
	api_end(&c);
	asks(w, "account.add", "{\"account\":\"bert\"}", "{\"account\":\"bert@main.example\"}");
	c = world_ask(w, "mailbox.append", "{\"mailbox\":\"bert/INBOX\"}", 0);
	assert_false(api_done(c));
	api_end(&c);			/* the ticket is still to come */
	left = world_ask(w, "mailbox.append", "{\"mailbox\":\"bert/INBOX\"}", 0);
	assert_false(api_done(left));
	left = world_ask(w, "mailbox.append", "{\"mailbox\":\"bert/INBOX\"}", 10);
	api_take(left, SPAN("half"));
	while (store_wait(w->store) && store_waiting(w->store) > 0)
		while (store_next(w->store, &d)) {
			assert_true(api_owns(d.ticket));
			api_answered(w->api, &d);
		}
	assert_int_equal(w->answered, 1);
	world_end(w);
}

static void main_domain_can_change(void **state)
{
	struct world *w = world(NULL);

	(void)state;
	asks(w, "account.add", "{\"account\":\"bert\"}", "{\"account\":\"bert@main.example\"}");
	api_reload(w->api, "other.example");
	asks(w, "account.add", "{\"account\":\"bert\"}", "{\"account\":\"bert@other.example\"}");
	api_reload(w->api, NULL);
	asks(w, "account.add", "{\"account\":\"bert\"}", "{\"account\":\"bert\"}");
	world_end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_request), cmocka_unit_test(octets_and_descriptors_that_nobody_wants), cmocka_unit_test(what_changes_is_known),
		cmocka_unit_test(calls_that_are_broken_off), cmocka_unit_test(main_domain_can_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
