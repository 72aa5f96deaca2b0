/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission beside a simple model of what its header promises, by chance. */
#include "serve/fixture.h"

enum { PLACES = 6, USERS = 4, SEATS = 24, TRIES = 8, HAND = 3, STEPS = 400000, PROXY = PLACES - 1 };

/* Two hosts of each place: of one address, or of one /64. */
static const char *const hosts[PLACES][2] = {
	{ "192.0.2.1", "::ffff:192.0.2.1" }, { "192.0.2.2", "192.0.2.2" }, { "2001:db8::1", "2001:db8::ffff:2" },
	{ "2001:db8:0:1::1", "2001:db8:0:1::2" }, { "127.0.0.1", "127.0.0.1" }, { "10.0.0.1", "10.0.0.1" },
};
static const char *const users[USERS] = { "anna", "bert@client1.com", "carl", "" };
static const char *const networks[HAND] = { "192.0.2.0/24", "2001:db8::/64", "127.0.0.1/32" };
static const bool holds[HAND][PLACES] = { { true, true }, { false, false, true }, { [4] = true } };

struct bad { uint32_t failures, of_other; int other; uint64_t since, turn, ends; };
struct seat { bool in; int place, user; bool alone; };		/* user -1 = none; place -1 = not counted */

static struct model {
	struct admission_limits l;
	struct seat seats[SEATS];
	struct bad places[PLACES], users[USERS];
	uint64_t good[USERS][PLACES], login[USERS];	/* plus one */
	uint64_t hand_ends[HAND];
	bool overlong[PLACES];
} m;

static uint64_t seed = 31337, now = 1000;

static uint32_t any(uint32_t n)
{
	return fixture_random(&seed) % n;
}

static union address host(int place)
{
	return fixture_address(hosts[place][any(2)]);
}

static void fade(struct bad *b)
{
	while (b->failures && now >= b->since + ADMISSION_FORGET_MS) {
		b->failures--;
		b->since += ADMISSION_FORGET_MS;
	}
	if (b->of_other > b->failures)
		b->of_other = b->failures;
}

static uint64_t bound(void)
{
	return m.l.failed_delay_ms > ADMISSION_WAIT_MS ? m.l.failed_delay_ms : ADMISSION_WAIT_MS;
}

static uint64_t delay(const struct bad *b)
{
	uint64_t d = b->failures ? (uint64_t)m.l.failed_delay_ms << (b->failures - 1) : 0;

	return d < bound() ? d : bound();
}

static uint32_t inside(int place, int user)
{
	uint32_t n = 0;

	for (int i = 0; i < SEATS; i++)
		n += m.seats[i].in && (place < 0 || m.seats[i].place == place) && (user < 0 || m.seats[i].user == user);
	return n;
}

static enum admission_said expect(int place)
{
	bool hand = false;

	for (int h = 0; h < HAND; h++)
		hand = hand || (holds[h][place] && m.hand_ends[h] > now);
	if (place != PROXY) {
		if (hand)
			return ADMISSION_BLOCKED;
		if (m.overlong[place])
			return ADMISSION_DENIED;
		if (m.places[place].ends > now)
			return ADMISSION_BLOCKED;
	}
	if (inside(-1, -1) >= m.l.max_sessions)
		return ADMISSION_FULL;
	if (place != PROXY && m.l.max_per_address && inside(place, -1) >= m.l.max_per_address)
		return ADMISSION_ADDRESS_FULL;
	return ADMISSION_GOOD;
}

static void the_door(struct admission *a, struct admission_seat *seats)
{
	int i = (int)any(SEATS), place = (int)any(PLACES);
	struct seat *s = &m.seats[i];
	union address from = host(place);
	enum admission_said want;

	if (s->in) {
		admission_leave(a, &seats[i]);
		*s = (struct seat){ .user = -1, .place = -1 };
		return;
	}
	want = expect(place);
	assert_int_equal(admission_enter(a, &from, now, &seats[i]), want);
	*s = (struct seat){ .in = want == ADMISSION_GOOD, .place = place == PROXY ? -1 : place, .user = -1 };
}

static void a_user(struct admission *a, struct admission_seat *seats)
{
	int i = (int)any(SEATS), user = (int)any(USERS);
	uint32_t limit = any(2) ? ADMISSION_USER_DEFAULT : any(4), max = limit == ADMISSION_USER_DEFAULT ? m.l.max_per_user : limit, wait_s, want_s = 0;
	bool alone = !any(4), taken = false;
	enum admission_user_said want = ADMISSION_USER_GOOD;
	uint64_t next = m.login[user] ? m.login[user] - 1 + m.l.login_delay_ms : 0;

	if (!m.seats[i].in)
		return;
	if (m.seats[i].user >= 0) {
		admission_user_leave(a, &seats[i]);
		m.seats[i].user = -1;
		return;
	}
	for (int j = 0; j < SEATS; j++)
		taken = taken || (m.seats[j].in && m.seats[j].user == user && (alone || m.seats[j].alone));
	if (taken)
		want = ADMISSION_USER_IN_USE;
	else if (max && inside(-1, user) >= max)
		want = ADMISSION_USER_FULL;
	else if (next > now && m.l.login_delay_ms) {
		want = ADMISSION_USER_TOO_SOON;
		want_s = (uint32_t)((next - now + 999) / 1000);
	}
	assert_int_equal(admission_user_enter(a, &seats[i], span_of(users[user]), limit, alone, now, &wait_s), want);
	assert_int_equal(wait_s, want_s);
	if (want == ADMISSION_USER_GOOD) {
		m.seats[i].user = user;
		m.seats[i].alone = alone;
		m.login[user] = now + 1;
	}
}

struct try { struct admission_attempt t; int place, user; uint64_t began; bool on, looks; };

static void count(struct bad *b, int other, uint32_t most)
{
	fade(b);
	if (!b->failures)
		b->since = now;
	if (b->other != other)
		b->of_other = 0;
	b->other = other;
	if (b->failures < most) {
		b->failures++;
		b->of_other++;
	}
	b->turn = now + delay(b);
}

static void take_back(struct bad *b, int other)
{
	fade(b);
	if (b->other != other)
		return;
	b->failures -= b->of_other;
	b->of_other = 0;
}

static void a_result(struct admission *a, struct try *t)
{
	struct bad *place = &m.places[t->place], *user = &m.users[t->user];
	uint64_t want = 0;
	bool blocked = false;
	struct admission_delay d;

	t->on = false;
	if (any(3) == 0) {
		admission_login_good(a, &t->t, now);
		if (t->place != PROXY)
			take_back(place, t->user);
		take_back(user, t->place);
		m.good[t->user][t->place] = now + 1;
		return;
	}
	d = admission_login_failed(a, &t->t, now);
	m.good[t->user][t->place] = 0;
	count(user, t->place, 12);
	if (t->place != PROXY) {
		count(place, t->user, m.l.failed_limit > 12 ? m.l.failed_limit : 12);
		want = delay(place);
		blocked = place->ends > now;
		if (!blocked && m.l.failed_limit && m.l.failed_block_ms && place->failures >= m.l.failed_limit) {
			place->ends = now + m.l.failed_block_ms;
			place->failures = m.l.failed_limit / 2;
			blocked = true;
			fade(place);
		}
	}
	want = delay(user) > want ? delay(user) : want;
	assert_int_equal(d.delay_ms, want);
	assert_int_equal(d.blocked, blocked);
}

static void an_attempt(struct admission *a, struct try *t)
{
	struct bad *place, *user;
	struct admission_delay d;
	uint64_t want = 0, known;

	if (t->on && t->looks) {
		a_result(a, t);
		return;
	}
	if (!t->on) {
		*t = (struct try){ .on = true, .place = (int)any(PLACES), .user = (int)any(USERS), .began = now };
		admission_login_start(a, &(union address[]){ host(t->place) }[0], span_of(users[t->user]), now, &t->t);
	}
	place = &m.places[t->place];
	user = &m.users[t->user];
	fade(place);
	fade(user);
	if (t->place != PROXY && place->failures && place->turn > now)
		want = place->turn - now;
	if (user->failures && user->turn > now + want)
		want = user->turn - now;
	if (want && now + want > t->began + bound())
		want = t->began + bound() > now ? t->began + bound() - now : 0;
	known = m.good[t->user][t->place];
	if (known && now / 1000 < (known - 1) / 1000 + ADMISSION_KNOWN_MS / 1000)
		want = 0;
	else
		known = 0;
	d = admission_login_wait(a, &t->t, now);
	if (t->place != PROXY && place->ends > now) {
		assert_true(d.blocked && !d.delay_ms);
		t->on = false;
		return;
	}
	assert_false(d.blocked);
	assert_int_equal(d.delay_ms, want);
	t->looks = !want;
	if (!want && !known) {
		place->turn = now + delay(place);
		user->turn = now + delay(user);
	}
}

static void the_administrator(struct admission *a)
{
	static const uint32_t limits[] = { 0, 1, 3, 10, 20 };
	struct network never = fixture_network("10.0.0.0/24");
	int h = (int)any(HAND);
	struct admission_block b = { .network = fixture_network(networks[h]), .left_ms = any(3) ? 1 + any(HOUR) : 0 };
	size_t ended = 0;

	switch (any(4)) {
	case 0:
		m.l = (struct admission_limits){ .max_sessions = any(8) ? 1 + any(SEATS) : 0, .max_per_address = any(4), .max_per_user = any(4), .failed_delay_ms = any(3) ? 2000 : any(50000),
			.failed_limit = limits[any(5)], .failed_block_ms = any(30 * MINUTE), .login_delay_ms = any(2) ? any(MINUTE) : 0, .overlong_denies = any(2),
			.never = &never, .never_count = 1 };
		assert_true(admission_reload(a, &m.l, &fixture_err));
		break;
	case 1:
		assert_true(admission_block_add(a, &b, now, &fixture_err));
		m.hand_ends[h] = b.left_ms ? now + b.left_ms : UINT64_MAX;
		break;
	case 2:
		for (int p = 0; p < PLACES; p++)
			if (holds[h][p]) {
				ended += m.places[p].ends > now;
				m.places[p] = (struct bad){ .other = -1 };
			}
		ended += m.hand_ends[h] > now;
		m.hand_ends[h] = 0;
		assert_int_equal(admission_block_remove(a, &b.network, now), ended);
		break;
	default:
		if (any(20000) < PLACES) {
			int p = (int)any(PLACES);
			union address from = host(p);
			bool denies = m.l.overlong_denies && p != PROXY;

			assert_int_equal(admission_overlong(a, &from), denies);
			m.overlong[p] = m.overlong[p] || denies;
		}
	}
}

static void the_list(struct admission *a)
{
	struct admission_block b;
	uint64_t cursor = 0;
	size_t listed = 0, want = 0;
	struct admission_counts c;

	while (admission_block_each(a, &cursor, now, &b))
		listed++;
	for (int p = 0; p < PLACES; p++)
		want += m.places[p].ends > now;
	for (int h = 0; h < HAND; h++)
		want += m.hand_ends[h] > now;
	assert_int_equal(listed, want);
	admission_counts(a, &c);
	assert_int_equal(c.sessions, inside(-1, -1));
	want = 0;
	for (int u = 0; u < USERS; u++)
		want += inside(-1, u) > 0;
	assert_int_equal(c.users, want);
}

static void it_is_like_its_model(void **state)
{
	static struct admission_seat seats[SEATS];
	static struct try tries[TRIES];
	struct network never = fixture_network("10.0.0.0/24");
	struct admission *a;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	m.l = fixture_limits();
	m.l.never = &never;
	m.l.never_count = 1;
	a = fixture_new(&m.l);
	for (int i = 0; i < SEATS; i++)
		m.seats[i] = (struct seat){ .user = -1, .place = -1 };
	for (int i = 0; i < PLACES; i++)
		m.places[i].other = -1;
	for (int i = 0; i < USERS; i++)
		m.users[i].other = -1;
	for (int step = 0; step < STEPS; step++) {
		switch (any(8)) {
		case 0: case 1: the_door(a, seats); break;
		case 2: a_user(a, seats); break;
		case 3: case 4: case 5: an_attempt(a, &tries[any(TRIES)]); break;
		case 6: now += any(50) ? any(3 * SECOND) : any(500) ? any(30 * MINUTE) : any(2 * ADMISSION_KNOWN_MS); break;
		default: if (!any(8)) the_administrator(a); else the_list(a);
		}
	}
	admission_free(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_like_its_model),
	};

	return cmocka_run_group_tests_name("admission_model", tests, NULL, NULL);
}
