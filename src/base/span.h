/* SPDX-License-Identifier: Apache-2.0
 *
 * A span: bytes that somebody else owns.
 *
 * It is passed by value and never freed; whoever hands one out says how long
 * it lives.  Bytes are octets: a NUL is a byte like any other, and no span is
 * NUL-terminated unless its maker says so.  Comparisons named "nocase" fold
 * ASCII letters only (RFC 5234), never by locale. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct span {
	const char *at;
	size_t len;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })

static inline struct span span_of(const char *text)
{
	return (struct span){ text, text ? strlen(text) : 0 };
}

/* The bytes from `n` on; all of it consumed gives an empty span. */
static inline struct span span_from(struct span s, size_t n)
{
	if (n > s.len)
		n = s.len;
	return n ? (struct span){ s.at + n, s.len - n } : s;	/* no arithmetic on an empty span's NULL */
}

bool span_equal(struct span a, struct span b);
bool span_equal_nocase(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);
bool span_starts_nocase(struct span s, struct span prefix);
/* Position of the first `byte`, or s.len if there is none. */
size_t span_find(struct span s, char byte);
/* Without spaces and tabs at both ends. */
struct span span_trim(struct span s);
/* The next word of *s (words are separated by any number of spaces and tabs);
 * *s becomes what follows it.  False when only blanks are left. */
bool span_word(struct span *s, struct span *word);
/* Strict unsigned decimal: digits only, at least one, at most `max`.  No sign,
 * no blanks, no wrap-around.  On false *value is untouched. */
[[nodiscard]] bool span_number(struct span s, uint64_t max, uint64_t *value);
/* True for octets below 0x20 and 0x7f. */
bool span_has_control(struct span s);
