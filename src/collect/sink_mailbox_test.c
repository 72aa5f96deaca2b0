/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes behind an envelope: messages are fed into them out of spools. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "collect/test_world.h"
#include "store/account.h"
#include "store/digest.h"
#include "store/ledger.h"
#include "store/mailbox.h"
#include "store/maildrop.h"
#include "store/spool.h"

enum { PIECE = 32 * 1024, MIB = 1 << 20, LARGE = 3 * MIB / (sizeof DROP_LINE - 1) };

static const char *const recipients[] = { "anna@example.org" };
static struct err err;

struct visit;

#define must(call) do { if (!(call)) fail_msg("%s: %s", #call, err.text); } while (0)

/* ---- what the linker puts between */

static unsigned fail_box;		/* which one is not given a message next: 1 = the first */
static unsigned full, most_a_turn, this_turn;

struct incoming *__real_incoming_new(struct mailbox *box, struct err *e);
struct incoming *__wrap_incoming_new(struct mailbox *box, struct err *e);
bool __real_incoming_full(const struct incoming *in);
bool __wrap_incoming_full(const struct incoming *in);
void __real_delivery_turn(struct visit *v);
void __wrap_delivery_turn(struct visit *v);
bool __real_spool_at(const struct spool *s, uint64_t at, char *out, size_t room, size_t *n, struct err *e);
bool __wrap_spool_at(const struct spool *s, uint64_t at, char *out, size_t room, size_t *n, struct err *e);

struct incoming *__wrap_incoming_new(struct mailbox *box, struct err *e)
{
	if (fail_box && !--fail_box) {
		(void)err_set(e, ERR_LOCAL, "no room for a message");
		return NULL;
	}
	return __real_incoming_new(box, e);
}

bool __wrap_incoming_full(const struct incoming *in)
{
	bool is = __real_incoming_full(in);

	full += is;
	return is;
}

void __wrap_delivery_turn(struct visit *v)
{
	this_turn = 0;
	__real_delivery_turn(v);
}

bool __wrap_spool_at(const struct spool *s, uint64_t at, char *out, size_t room, size_t *n, struct err *e)
{
	if (++this_turn > most_a_turn)
		most_a_turn = this_turn;
	return __real_spool_at(s, at, out, room, n, e);
}

/* ---- */

static int start(void **state)
{
	struct world *w;
	int started = world_start(state);

	w = *state;
	w->with.has_envelope = true;
	w->with.envelope.rules = (struct envelope_rules){ .recipients = { recipients, 1 } };
	fail_box = full = most_a_turn = this_turn = 0;
	return started;
}

static size_t collect(void *user, struct span octets)
{
	struct buf *b = user;

	must(buf_add(b, octets));
	return octets.len;
}

/* Message `number` of the box: the lead, and the drop's message n, octet by octet. */
static void check_message(struct world *w, const struct maildrop *drop, uint32_t number, size_t n)
{
	struct maildrop_reading r;
	struct span text = span_of(w->drop.messages[n].text), line = SPAN(DROP_LINE), rest;
	struct buf got;

	buf_start(&got, 16 * MIB);
	maildrop_start(drop, number, &r);
	while (maildrop_piece(drop, &r, true, collect, &got) == MAILDROP_MORE)
		;
	rest = buf_span(&got);
	assert_true(span_starts(rest, SPAN("X-Real-To: anna@example.org\r\nDelivered-To: postrider.")));
	rest = span_from(rest, span_find(rest, '\n') + 1);
	rest = span_from(rest, span_find(rest, '\n') + 1);
	assert_true(span_starts(rest, text));
	rest = span_from(rest, text.len);
	assert_int_equal(rest.len, w->drop.lines * line.len);
	for (; rest.len; rest = span_from(rest, line.len))
		assert_true(span_starts(rest, line));
	buf_end(&got);
}

static void box_has(struct world *w, const size_t *numbers, size_t count)
{
	struct maildrop *drop;

	must(maildrop_open(w->store, "anna/INBOX", &drop, &err));
	assert_int_equal(maildrop_count(drop), count);
	for (size_t n = 0; n < count; n++)
		check_message(w, drop, (uint32_t)n + 1, numbers[n]);
	maildrop_close(&drop);
}

static void small_ones_come_in_order(void **state)
{
	static const size_t order[] = { 0, 1, 2, 3, 4 };
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 5);
	world_expect(w, 5, 0, 0, ERR_NONE);
	box_has(w, order, 5);
	world_expect(w, 0, 0, 0, ERR_NONE);
	box_has(w, order, 5);
}

/* They come slower than they are read from a spool: the box is full at times, and is waited for. */
static void large_ones_come_as_the_box_takes_them(void **state)
{
	static const size_t order[] = { 0, 1, 2 };
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 3);
	w->drop.lines = LARGE;
	world_expect(w, 3, 0, 0, ERR_NONE);
	assert_true(full > 0);
	box_has(w, order, 3);
}

/* What will not fit is only counted, as fast as it is read: others have their turns between, all the same. */
static void one_that_does_not_fit_lets_others_go_on(void **state)
{
	struct world *w = *state;

	must(account_set(w->store, "anna", &(struct account_limits){ 100 * 1024, ACCOUNT_SESSIONS_DEFAULT }, &err));
	drop_fill(&w->drop, 'a', 1);
	w->drop.lines = LARGE;
	world_visit(w, VISIT_COLLECT);
	assert_int_equal(w->result.collected, 0);
	assert_in_range(most_a_turn, 2, MIB / PIECE + 1);
	box_has(w, NULL, 0);
}

/* What a box does not take is for the next visit; the others are not kept up. */
static void a_box_that_fails(void **state)
{
	static const size_t first[] = { 0, 2, 3 }, then[] = { 0, 2, 3, 1 };
	struct world *w = *state;

	drop_fill(&w->drop, 'a', 4);
	fail_box = 2;
	world_expect(w, 3, 0, 1, ERR_NONE);
	box_has(w, first, 3);
	world_expect(w, 1, 0, 0, ERR_NONE);
	box_has(w, then, 4);
}

/* Size and digest are of the message, not of what went before it. */
static void the_ledger_knows_the_message_alone(void **state)
{
	struct world *w = *state;
	struct digest *d = digest_new(&err);
	struct ledger_entry entry;
	uint8_t want[32];

	drop_fill(&w->drop, 'a', 1);
	world_expect(w, 1, 0, 0, ERR_NONE);
	assert_true(ledger_next(world_ledger(w), NULL, &entry));
	assert_int_equal(entry.state, LEDGER_ACCEPTED);
	assert_int_equal(entry.size, strlen(w->drop.messages[0].text));
	must(d);
	digest_add(d, span_of(w->drop.messages[0].text));
	digest_end(d, want);
	digest_free(&d);
	assert_true(entry.has_digest);
	assert_memory_equal(entry.digest, want, sizeof want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(small_ones_come_in_order, start, world_stop),
		cmocka_unit_test_setup_teardown(large_ones_come_as_the_box_takes_them, start, world_stop),
		cmocka_unit_test_setup_teardown(one_that_does_not_fit_lets_others_go_on, start, world_stop),
		cmocka_unit_test_setup_teardown(a_box_that_fails, start, world_stop),
		cmocka_unit_test_setup_teardown(the_ledger_knows_the_message_alone, start, world_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
