/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/schedule_hint.h"

enum { NUMBER_MAX = 1000000000 };

/* Somebody else's session ends by itself: only what is sure counts. */
static const struct span in_use[] = { SPAN("[IN-USE"), SPAN("[INUSE"), SPAN("lock") };
/* Whatever was refused. */
static const struct span sure[] = {
	SPAN("throttl"), SPAN("rate limit"), SPAN("ratelimit"), SPAN("login limit"), SPAN("bandwidth limit"), SPAN("[LOGIN-DELAY"), SPAN("[LIMIT"),
	SPAN("[SYS/TEMP"), SPAN("[UNAVAILABLE"), SPAN("[SERVERBUG"), SPAN("[THROTTLED"), SPAN("too many"), SPAN("time between logins"), SPAN("login allowed only"),
	SPAN("authenticated but not connected"), SPAN("backoff"), SPAN("back-off"), SPAN("too often"), SPAN("too frequent"),
	SPAN("frequency of requests"), SPAN("lockdown in sector"), SPAN("server busy"), SPAN("server is busy"), SPAN("too busy"),
	SPAN("temporarily unavailable"), SPAN("server unavailable"), SPAN("maximum number of connections"), SPAN("connection limit"), SPAN("user_ip_connections"),
};
/* A wrong password is sent away with these words, too. */
static const struct span unsure[] = {
	SPAN("try again"), SPAN("try later"), SPAN("retry"), SPAN("later"), SPAN("temporar"), SPAN("busy"), SPAN("system error"), SPAN("overload"),
};
static const struct span of_host[] = {
	SPAN("your ip"), SPAN("this ip"), SPAN("same ip"), SPAN("your address"), SPAN("your host"), SPAN("from your network"), SPAN("ip address"),
	SPAN("user_ip_connections"),
};
static const struct span crowds[] = {
	SPAN("[LIMIT"), SPAN("number of connections"), SPAN("connection limit"), SPAN("too many connections"), SPAN("too many simultaneous"),
	SPAN("too many concurrent"), SPAN("too many sessions"), SPAN("too many open"), SPAN("user_ip_connections"),
};
static const struct unit {
	struct span name;	/* its beginning */
	uint32_t ms;
} units[] = {		/* in this order: "ms" and "milliseconds" are no minutes */
	{ SPAN("ms"), 1 }, { SPAN("milli"), 1 }, { SPAN("sec"), 1000 }, { SPAN("min"), 60 * 1000 }, { SPAN("hour"), 3600 * 1000 },
	{ SPAN("hr"), 3600 * 1000 }, { SPAN("hrs"), 3600 * 1000 }, { SPAN("day"), 24 * 3600 * 1000 }, { SPAN("s"), 1000 }, { SPAN("m"), 60 * 1000 }, { SPAN("h"), 3600 * 1000 },
};

/* "" when the error has no words of a server's. */
static struct span words_of(const struct err *why)
{
	static const char mark[] = ": server said \"";
	const char *at = strstr(why->text, mark);

	return span_of(at ? at + sizeof mark - 1 : "");
}

static bool has_one(struct span text, const struct span *words, size_t count)
{
	for (; text.len; text = span_from(text, 1))
		for (size_t n = 0; n < count; n++)
			if (span_starts_nocase(text, words[n]))
				return true;
	return false;
}

static bool letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Behind a number: " minutes", "-minute", "s"; NULL when it is something else's number. */
static const struct unit *unit_of(struct span text)
{
	while (text.len && (text.at[0] == ' ' || text.at[0] == '-'))
		text = span_from(text, 1);
	for (const struct unit *u = units; u < units + COUNT(units); u++)
		if (span_starts_nocase(text, u->name) && (u->name.len > 2 || text.len == u->name.len || !letter(text.at[u->name.len])))
			return u;
	return NULL;
}

/* The first stretch of time that is named; a number that stands in a word or an address is none. */
static int64_t delay_of(struct span text)
{
	char before = ' ';

	while (text.len) {
		size_t digits = 0;
		const struct unit *u;
		uint64_t number;

		while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
			digits++;
		if (digits && !letter(before) && before != '.' && before != ':') {
			u = unit_of(span_from(text, digits));
			if (u && span_number((struct span){ text.at, digits }, NUMBER_MAX, &number) && number) {
				uint64_t s = (number * u->ms + 999) / 1000;

				return s < HINT_MAX_S ? (int64_t)s : HINT_MAX_S;
			}
		}
		digits += !digits;
		before = text.at[digits - 1];
		text = span_from(text, digits);
	}
	return 0;
}

struct hint hint_read(const struct err *why)
{
	struct span words = words_of(why);
	struct hint h = { .said = words.len > 1, .throttled = has_one(words, sure, COUNT(sure)) };

	if (!h.throttled && why->kind != ERR_AUTH && !has_one(words, in_use, COUNT(in_use)))
		h.throttled = has_one(words, unsure, COUNT(unsure));
	if (!h.throttled)
		h.delay_s = has_one(words, unsure, COUNT(unsure)) ? delay_of(words) : 0;
	else
		h.delay_s = delay_of(words);
	h.throttled |= h.delay_s > 0;	/* "wrong password; try again in 15 minutes" says how long a lock holds */
	h.crowded = has_one(words, crowds, COUNT(crowds));
	h.host = h.throttled && has_one(words, of_host, COUNT(of_host));
	return h;
}
