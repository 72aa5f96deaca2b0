/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct api_call *begun(struct world *w, int *fd)
{
	*fd = open(w->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(*fd >= 0);
	return api_ask(w->api, "store.backup", NULL,
		&(struct api_asker){ .answered = world_answered, .user = w, .fd = fcntl(*fd, F_DUPFD_CLOEXEC, 0) });
}

static void says(struct world *w, struct api_call *c, const char *want)
{
	char *got;

	world_settle(w, c);
	got = world_says(c);
	fits(got, want);
	free(got);
	api_end(&c);
}

static void the_store_is_in_the_file(void **state)
{
	struct world *w = world(NULL);
	char want[128];
	struct stat st;
	int fd;
	struct api_call *c;

	(void)state;
	fixture_fill(w->store, fixture_box(w->store, "anna/INBOX"), 500);
	c = begun(w, &fd);
	assert_false(api_done(c));
	world_settle(w, c);
	assert_int_equal(w->answered, 1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_size > 4096);
	(void)snprintf(want, sizeof want, "{\"made\":\"20*Z\",\"octets\":%lld,\"sha256\":\"*\",\"packed\":true}", (long long)st.st_size);
	says(w, c, want);
	(void)close(fd);
	world_end(w);
}

static void what_is_no_file_for_it_is_refused(void **state)
{
	struct world *w = world(NULL);
	struct api_call *c;
	int fd;

	(void)state;
	asks(w, "store.backup", NULL, "config: store.backup: its request must come with a descriptor");
	asks(w, "store.backup", "{\"to\":\"/etc/passwd\"}", "config: store.backup: *to*");
	c = api_ask(w->api, "store.backup", NULL, &(struct api_asker){ .answered = world_answered, .user = w, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC) });
	says(w, c, "config: a copy of the store is written to an empty regular file");
	fd = open(w->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "x", 1), 1);
	c = api_ask(w->api, "store.backup", NULL, &(struct api_asker){ .answered = world_answered, .user = w, .fd = fd });
	says(w, c, "config: a copy of the store is written to an empty regular file");
	world_end(w);
}

static void one_at_a_time(void **state)
{
	struct world *w = world(NULL);
	struct api_call *first, *second;
	int fd[2];

	(void)state;
	first = begun(w, &fd[0]);
	second = begun(w, &fd[1]);
	says(w, second, "busy: a backup is being made already; try again when it is done");
	says(w, first, "{\"made\":*}");
	second = begun(w, &fd[1]);
	says(w, second, "{\"made\":*}");
	(void)close(fd[0]);
	(void)close(fd[1]);
	world_end(w);
}

/* Who asked goes: no answer, no harm, and the next one may. */
static void broken_off(void **state)
{
	struct world *w = world(NULL);
	struct api_call *c;
	struct store_done d;
	int fd;

	(void)state;
	fixture_fill(w->store, fixture_box(w->store, "anna/INBOX"), 500);
	c = begun(w, &fd);
	api_end(&c);
	while (store_wait(w->store))
		while (store_next(w->store, &d))
			api_answered(w->api, &d);
	assert_int_equal(w->answered, 0);
	(void)close(fd);
	c = begun(w, &fd);
	says(w, c, "{\"made\":*}");
	(void)close(fd);
	c = begun(w, &fd);
	(void)close(fd);
	(void)c;
	world_end(w);		/* ends with one under way */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_store_is_in_the_file),
		cmocka_unit_test(what_is_no_file_for_it_is_refused),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(broken_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
