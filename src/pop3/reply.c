/* SPDX-License-Identifier: Apache-2.0 */
#include "pop3/reply.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "+OK", "+OK …", "+OK, …", but not "+OKAY". */
static bool indicates(struct span line, struct span word)
{
	return span_starts_nocase(line, word) && (line.len == word.len || !is_letter(line.at[word.len]));
}

enum reply p3_reply_kind(struct span line)
{
	if (indicates(line, SPAN("+OK")))
		return REPLY_OK;
	if (indicates(line, SPAN("-ERR")))
		return REPLY_ERR;
	return span_equal(line, SPAN("+")) || span_starts(line, SPAN("+ ")) ? REPLY_MORE : REPLY_NONE;
}

struct span reply_text(struct span line)
{
	switch (p3_reply_kind(line)) {
	case REPLY_OK:
		return span_trim(span_from(line, 3));
	case REPLY_ERR:
		return span_trim(span_from(line, 4));
	case REPLY_MORE:
		return span_trim(span_from(line, 1));
	case REPLY_NONE:
		break;
	}
	return line;
}

static bool has_word(struct span text, struct span word)
{
	for (; text.len >= word.len; text = span_from(text, 1))
		if (span_starts_nocase(text, word))
			return true;
	return false;
}

/* Codes are hierarchical: SYS/TEMP may become SYS/TEMP/DISK. */
static bool code_is(struct span code, struct span name)
{
	return span_starts_nocase(code, name) && (code.len == name.len || code.at[name.len] == '/');
}

enum p3_reply_code p3_reply_code(struct span line)
{
	struct span text = reply_text(line);
	size_t close = span_find(text, ']');

	if (!span_starts(text, SPAN("[")) || close == text.len) {
		bool box = has_word(text, SPAN("maildrop")) || has_word(text, SPAN("mailbox"));

		return box && has_word(text, SPAN("lock")) ? REPLY_CODE_BUSY : REPLY_CODE_NONE;
	}
	text = (struct span){ text.at + 1, close - 1 };
	if (code_is(text, SPAN("AUTH")))
		return REPLY_CODE_AUTH;
	if (code_is(text, SPAN("IN-USE")) || code_is(text, SPAN("LOGIN-DELAY")) || code_is(text, SPAN("SYS/TEMP")))
		return REPLY_CODE_BUSY;
	return REPLY_CODE_OTHER;
}

bool p3_reply_unknown(struct span line)
{
	static const char *const no[] = { "unknown", "unrecogni", "invalid", "illegal", "bad", "not ", "disabled" };
	static const char *const alone[] = { "not supported", "unsupported", "not implemented", "unimplemented", "syntax" };
	struct span text = reply_text(line);
	bool command = has_word(text, SPAN("command")) || has_word(text, SPAN("verb"));

	for (size_t n = 0; n < COUNT(alone); n++)
		if (has_word(text, span_of(alone[n])))
			return true;
	for (size_t n = 0; command && n < COUNT(no); n++)
		if (has_word(text, span_of(no[n])))
			return true;
	return false;
}

/* From '<' on: the length of <local@domain> in printable ASCII, or 0. */
static size_t timestamp_length(struct span s)
{
	size_t at = 0;

	for (size_t n = 1; n < s.len; n++) {
		char c = s.at[n];

		if (c == '>')
			return at > 1 && n > at + 1 ? n + 1 : 0;
		if (c <= ' ' || c > '~' || c == '<' || (c == '@' && at))
			return 0;
		if (c == '@')
			at = n;
	}
	return 0;
}

struct span reply_timestamp(struct span greeting)
{
	for (struct span s = greeting; s.len; s = span_from(s, 1)) {
		size_t len = s.at[0] == '<' ? timestamp_length(s) : 0;

		if (len)
			return (struct span){ s.at, len };
	}
	return (struct span){ 0 };
}

static bool next_number(struct span *rest, uint64_t max, uint64_t *number)
{
	struct span word;

	return span_word(rest, &word) && span_number(word, max, number);
}

static bool message_number(struct span *rest, uint32_t *number)
{
	uint64_t n;

	if (!next_number(rest, UINT32_MAX, &n) || !n)
		return false;
	*number = (uint32_t)n;
	return true;
}

/* Sizes are hints: nobody frames or rejects by them. */
static uint64_t hint(struct span rest)
{
	uint64_t n;

	return next_number(&rest, UINT64_MAX, &n) ? n : 0;
}

bool reply_stat(struct span line, uint64_t count_max, uint32_t *count, uint64_t *octets)
{
	struct span rest = reply_text(line);
	uint64_t n;

	if (!next_number(&rest, count_max < UINT32_MAX ? count_max : UINT32_MAX, &n))
		return false;
	*count = (uint32_t)n;
	*octets = hint(rest);
	return true;
}

bool reply_uid(struct span line, uint32_t *number, struct span *uid)
{
	if (!message_number(&line, number))
		return false;
	*uid = span_trim(line);
	return true;
}

bool reply_size(struct span line, uint32_t *number, uint64_t *octets)
{
	if (!message_number(&line, number))
		return false;
	*octets = hint(line);
	return true;
}
