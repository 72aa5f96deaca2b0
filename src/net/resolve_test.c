/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "net/inside.h"
#include "net/resolve.h"
#include "net/test_dns.h"

enum { SERVFAIL = 2, NXDOMAIN = 3 };

static const struct dns_row names[] = {
	{ .name = "both.example", .addresses = { "192.0.2.1", "2001:db8::1", "192.0.2.2" } },
	{ .name = "four.example", .addresses = { "192.0.2.4" } },
	{ .name = "six.example", .addresses = { "2001:db8::6" } },
	{ .name = "none.example" },
	{ .name = "gone.example", .code = NXDOMAIN },
	{ .name = "sick.example", .code = SERVFAIL },
	{ .name = "mute.example", .silent_a = true, .silent_aaaa = true },
};

static const struct row {
	const char *host, *found;	/* in order of the text; families may come in either */
	const char *why;		/* a piece of it */
} rows[] = {
	{ "192.0.2.7", "192.0.2.7:110", NULL },
	{ "2001:db8::7", "[2001:db8::7]:110", NULL },
	{ "[2001:db8::7]", "[2001:db8::7]:110", NULL },
	{ "localhost", "[::1]:110 127.0.0.1:110", NULL },
	{ "LocalHost.", "[::1]:110 127.0.0.1:110", NULL },
	{ "pop.localhost", "[::1]:110 127.0.0.1:110", NULL },
	{ "both.example.", "[2001:db8::1]:110 192.0.2.1:110 192.0.2.2:110", NULL },
	{ "four.example.", "192.0.2.4:110", NULL },
	{ "SIX.example.", "[2001:db8::6]:110", NULL },
	{ "none.example.", "", "none.example. has no address" },
	{ "gone.example.", "", "no such host: DNS does not know gone.example." },
	{ "unheard.example.", "", "no such host" },
	{ "notlocalhost.", "", "no such host" },
	{ "sick.example.", "", "the name sick.example. cannot be looked up" },
	{ "a..example.", "", "no such host" },
	{ "", "", "no such host" },
	{ "a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789."
		"a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789.a23456789."
		"a23456789.a23456789.a23456789.a23456789.a23456789.", "", "the name is too long" },
};

struct answer {
	char six[200], four[200];
	unsigned calls, lasts;
	struct err why;
	struct resolve *lookup;
};

static void found(void *user, const union address *at, size_t count, bool last, const struct err *why)
{
	struct answer *a = user;

	a->calls++;
	a->lasts += last;
	for (size_t i = 0; i < count; i++) {
		char *to = at[i].any.sa_family == AF_INET6 ? a->six : a->four, text[ADDRESS_TEXT];
		size_t used = strlen(to);

		(void)snprintf(to + used, sizeof a->six - used, "%s%s", used ? " " : "", address_text(&at[i], true, text));
	}
	if (why)
		a->why = *why;
	if (last)
		assert_null(a->lookup);
}

static struct loop *loop_with(const struct dns *d)
{
	struct err e;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	l->dns = d->servers;
	return l;
}

static void a_host_has_its_addresses(void **state)
{
	struct dns d;
	struct loop *l;

	(void)state;
	dns_start(&d, names, COUNT(names));
	l = loop_with(&d);
	for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
		struct answer a = { 0 };
		char all[402];

		resolve_start(l, r->host, 110, &(struct resolve_user){ found, &a }, &a.lookup);
		loop_run(l);
		(void)snprintf(all, sizeof all, "%s%s%s", a.six, *a.six && *a.four ? " " : "", a.four);
		if (strcmp(all, r->found) || a.lasts != 1 || (a.why.kind != ERR_NONE) != (r->why != NULL)
			|| (r->why && !strstr(a.why.text, r->why)))
			fail_msg("%s: \"%s\" \"%s\", %u calls, %u last", r->host, all, a.why.text, a.calls, a.lasts);
		assert_null(l->resolver);	/* nothing is kept that nobody asks */
	}
	loop_free(&l);
	dns_stop(&d);
}

static void many_lookups_share_a_channel(void **state)
{
	static struct answer a[50];
	struct dns d;
	struct loop *l;

	(void)state;
	dns_start(&d, names, COUNT(names));
	l = loop_with(&d);
	for (size_t i = 0; i < COUNT(a); i++)
		resolve_start(l, i % 2 ? "both.example." : "gone.example.", 110, &(struct resolve_user){ found, &a[i] }, &a[i].lookup);
	loop_run(l);
	for (size_t i = 0; i < COUNT(a); i++) {
		assert_int_equal(a[i].lasts, 1);
		assert_string_equal(a[i].six, i % 2 ? "[2001:db8::1]:110" : "");
	}
	loop_free(&l);
	dns_stop(&d);
}

static void nothing_comes_after_a_drop(void **state)
{
	struct answer dropped = { 0 }, kept = { 0 }, pending = { 0 };
	uint64_t start;
	struct dns d;
	struct loop *l;

	(void)state;
	dns_start(&d, names, COUNT(names));
	l = loop_with(&d);
	resolve_start(l, "both.example.", 110, &(struct resolve_user){ found, &dropped }, &dropped.lookup);
	resolve_start(l, "four.example.", 110, &(struct resolve_user){ found, &kept }, &kept.lookup);
	resolve_drop(&dropped.lookup);
	resolve_drop(&dropped.lookup);
	loop_run(l);
	assert_int_equal(dropped.calls, 0);
	assert_int_equal(kept.lasts, 1);
	/* A server that keeps silent holds up nobody who does not wait for it: neither the loop nor its end. */
	start = clock_mono_ms();
	resolve_start(l, "mute.example.", 110, &(struct resolve_user){ found, &pending }, &pending.lookup);
	resolve_drop(&pending.lookup);
	loop_run(l);
	assert_in_range(clock_mono_ms() - start, 0, 2500);	/* it would be asked again after 3 s */
	resolve_start(l, "mute.example.", 110, &(struct resolve_user){ found, &pending }, &pending.lookup);
	assert_non_null(l->resolver);
	resolve_drop(&pending.lookup);
	loop_free(&l);
	assert_int_equal(pending.calls, 0);
	dns_stop(&d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_has_its_addresses),
		cmocka_unit_test(many_lookups_share_a_channel),
		cmocka_unit_test(nothing_comes_after_a_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
