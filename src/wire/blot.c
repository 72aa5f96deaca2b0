/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/blot.h"

enum {
	SHORT = 6,		/* below it nothing may be in between, and letters of base64 are taken as they are */
	BETWEEN_MAX = 8,	/* octets that split it */
	LEAD_MAX = 3,		/* places of base64's groups */
	CUT_LEAST = 3, CUT_LEAST_CODED = 4,
	NONE = 64,
};

/* How it may look: as it is, or coded behind `lead` octets that nobody knows.  It has units: octets, or base64's letters. */
struct look {
	struct span secret;
	bool coded;
	size_t lead, first, units;	/* coded: the first letter that has a bit of it */
};

static struct look look_as(struct span secret, bool coded, size_t lead)
{
	struct look k = { .secret = secret, .coded = coded, .lead = lead, .units = secret.len };

	if (coded) {
		k.first = 8 * lead / 6;
		k.units = (8 * (lead + secret.len) + 5) / 6 - k.first;
	}
	return k;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static char other_case(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : lower(c);
}

static unsigned digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : NONE;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool safe(char c)
{
	return c >= ' ' && c <= '~';
}

static bool is_octet(const struct look *k, size_t unit, char c)
{
	char want = k->secret.at[unit];

	return lower(c) == lower(want) || (c == '?' && !safe(want)) || (c == '\'' && want == '"');
}

/* Of the letter's six bits those that are the secret's. */
static bool is_letter(const struct look *k, size_t unit, char c)
{
	unsigned value = digit(c);
	size_t bit = 6 * (k->first + unit);

	if (value == NONE)
		return false;
	for (unsigned n = 0; n < 6; n++, bit++) {
		size_t at = bit / 8;

		if (at < k->lead || at >= k->lead + k->secret.len)
			continue;
		if ((value >> (5 - n) & 1) != ((unsigned char)k->secret.at[at - k->lead] >> (7 - bit % 8) & 1u))
			return false;
	}
	return true;
}

static bool is_unit(const struct look *k, size_t unit, char c)
{
	if (!k->coded)
		return is_octet(k, unit, c);
	return is_letter(k, unit, c) || (k->secret.len >= SHORT && is_letter(k, unit, other_case(c)));
}

static bool splits(const struct look *k, char c)
{
	if (k->secret.len < SHORT)
		return false;
	return k->coded ? digit(c) == NONE : is_blank(c) || c == '\\' || c == '?';
}

static bool cut_here(struct span text, size_t at)
{
	return text.len >= BLOT_CUT && (at == text.len || text.at[at] == '"');
}

/* Unit `from` is at `at`, and at least `least` of them are there, or what is left of them where the text was cut: where they end, or 0. */
static size_t ends(const struct look *k, struct span text, size_t at, size_t from, size_t least)
{
	size_t unit = from, between = 0, end = at, cut_least = k->coded ? CUT_LEAST_CODED : CUT_LEAST;

	while (unit < k->units) {
		if (at < text.len && is_unit(k, unit, text.at[at])) {
			unit++;
			end = ++at;
			between = 0;
		} else if (unit > from && at < text.len && between < BETWEEN_MAX && splits(k, text.at[at])) {
			at++;
			between++;
		} else if (!k->coded && unit > from && k->secret.len >= SHORT && is_blank(k->secret.at[unit])) {
			unit++;
		} else {
			break;
		}
	}
	if (unit - from >= least)
		return end;
	return from == 0 && unit >= cut_least && cut_here(text, end) ? end : 0;
}

/* It, or a part of it, begins at `at`. */
static size_t begins(const struct look *k, struct span text, size_t at)
{
	size_t end = 0;

	if (k->secret.len < BLOT_LONG)
		return ends(k, text, at, 0, k->units);
	for (size_t from = 0; from + BLOT_PART <= k->units && !end; from += BLOT_PART)
		end = ends(k, text, at, from, BLOT_PART);
	return end ? end : ends(k, text, at, k->units - BLOT_PART, BLOT_PART);
}

static struct span token_around(struct span text, size_t from, size_t to)
{
	while (from && digit(text.at[from - 1]) != NONE)
		from--;
	while (to < text.len && (digit(text.at[to]) != NONE || text.at[to] == '='))
		to++;
	return (struct span){ text.at + from, to - from };
}

static bool find_as(const struct look *k, struct span text, size_t from, struct span *where)
{
	for (size_t at = from; at < text.len; at++) {
		size_t end = begins(k, text, at);

		if (!end)
			continue;
		*where = k->coded ? token_around(text, at, end) : (struct span){ text.at + at, end - at };
		return true;
	}
	return false;
}

static bool find(struct span text, size_t from, struct span secret, struct span *where)
{
	bool found = false;

	for (size_t way = 0; secret.len && way <= LEAD_MAX; way++) {
		struct look k = way ? look_as(secret, true, way - 1) : look_as(secret, false, 0);
		struct span here;

		if ((way && secret.len < 2) || !find_as(&k, text, from, &here))
			continue;
		if (!found || here.at < where->at)
			*where = here;
		found = true;
	}
	return found;
}

bool blot_find(struct span text, struct span secret, struct span *where)
{
	return find(text, 0, secret, where);
}

/* On from behind each, so that the asterisks of a secret of asterisks come to an end. */
void blot_out(char *text, struct span secret)
{
	struct span all = span_of(text), where;
	size_t from = 0;

	while (find(all, from, secret, &where)) {
		size_t at = (size_t)(where.at - text);

		memset(text + at, '*', where.len);
		from = from < at + where.len ? at + where.len : from + 1;
	}
}
