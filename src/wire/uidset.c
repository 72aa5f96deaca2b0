/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/uidset.h"

#include <assert.h>
#include <stdio.h>

/* ---- writing */

enum { MEMBER_MAX = 24 };	/* ",4294967295:4294967295" and a NUL */

void uidset_start(struct uidset *u, char *memory, size_t size)
{
	assert(size >= MEMBER_MAX);
	*u = (struct uidset){ 0 };
	buf_lend(&u->text, memory, size);
}

bool uidset_add(struct uidset *u, uint32_t uid)
{
	bool goes_on = u->run.last && u->run.last != UINT32_MAX && uid == u->run.last + 1;
	struct uid_range run = { goes_on ? u->run.first : uid, uid };
	size_t at = goes_on ? u->run_at : u->text.len;
	const char *comma = at ? "," : "";
	char member[MEMBER_MAX];
	int n;

	assert(uid);
	if (run.first == run.last)
		n = snprintf(member, sizeof member, "%s%u", comma, run.first);
	else
		n = snprintf(member, sizeof member, "%s%u:%u", comma, run.first, run.last);
	assert(n > 0 && n < MEMBER_MAX);
	if ((size_t)n > u->text.max - at)
		return false;
	u->text.len = at;
	if (!buf_add(&u->text, (struct span){ member, (size_t)n }))
		return false;
	u->run_at = at;
	u->run = run;
	return true;
}

struct span uidset_text(const struct uidset *u)
{
	return buf_span(&u->text);
}

/* ---- reading */

static bool parse_uid(struct span text, uint32_t *uid)
{
	uint64_t n;

	if (!span_number(text, UINT32_MAX, &n) || !n)
		return false;
	*uid = (uint32_t)n;
	return true;
}

bool uidset_next(struct span *rest, struct uid_range *range)
{
	size_t comma = span_find(*rest, ','), colon;
	struct span member = { rest->at, comma };
	uint32_t a, b;

	if (!rest->len || comma + 1 == rest->len)	/* a comma behind the last member */
		return false;
	colon = span_find(member, ':');
	if (!parse_uid((struct span){ member.at, colon }, &a))
		return false;
	b = a;
	if (colon < member.len && !parse_uid(span_from(member, colon + 1), &b))
		return false;
	*range = a < b ? (struct uid_range){ a, b } : (struct uid_range){ b, a };
	*rest = span_from(*rest, comma + 1);
	return true;
}

static uint64_t range_count(struct uid_range r)
{
	return (uint64_t)r.last - r.first + 1;
}

bool uidset_count(struct span set, uint64_t max, uint64_t *count)
{
	struct uid_range r;
	uint64_t n = 0;

	while (uidset_next(&set, &r)) {
		if (range_count(r) > max - n)
			return false;
		n += range_count(r);
	}
	if (set.len)
		return false;
	*count = n;
	return true;
}

/* ---- pairs */

bool uid_pairs_start(struct uid_pairs *p, struct span from, struct span to, uint64_t max)
{
	uint64_t n, m;

	if (!uidset_count(from, max, &n) || !uidset_count(to, max, &m) || n != m || !n)
		return false;
	*p = (struct uid_pairs){ .from_rest = from, .to_rest = to, .left = n };
	return true;
}

/* The next id of a set; {0, 0} and a used-up range ask for the next member. */
static uint32_t step(struct uid_range *r, struct span *rest)
{
	if (r->first < r->last)
		return ++r->first;
	if (!uidset_next(rest, r))
		return 0;
	return r->first;
}

bool uid_pairs_next(struct uid_pairs *p, uint32_t *from, uint32_t *to)
{
	if (!p->left)
		return false;
	p->left--;
	*from = step(&p->from, &p->from_rest);
	*to = step(&p->to, &p->to_rest);
	assert(*from && *to);
	return true;
}
