/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/scram.h"

#include <assert.h>

static bool bad(struct err *e, const char *what)
{
	return err_set(e, ERR_PEER, "SCRAM: %s", what);
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The octets before the next comma; *in is then what follows it.  False: no comma, and all was taken. */
static bool until_comma(struct span *in, struct span *piece)
{
	size_t at = span_find(*in, ',');
	bool found = at < in->len;

	*piece = (struct span){ in->at, at };
	*in = span_from(*in, at + found);
	return found;
}

/* As saslname: no empty one, "=" only as "=2C" or "=3D", no NUL. */
static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!s.at[i])
			return false;
		if (s.at[i] == '=' && !span_starts(span_from(s, i), SPAN("=2C")) && !span_starts(span_from(s, i), SPAN("=3D")))
			return false;
	}
	return s.len > 0;
}

static bool is_nonce(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < '!' || s.at[i] > '~')
			return false;
	return s.len > 0;
}

static bool is_binding_type(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.at[i]) && !(s.at[i] >= '0' && s.at[i] <= '9') && s.at[i] != '.' && s.at[i] != '-')
			return false;
	return s.len > 0;
}

/* attr-val: a letter, "=", a value; and none that has to be understood. */
static bool is_extension(struct span s)
{
	return s.len > 2 && is_alpha(s.at[0]) && s.at[0] != 'm' && s.at[1] == '=' && span_find(s, '\0') == s.len;
}

/* The next attribute is LETTER= and ends at a comma, or, where `last` allows, with the message. */
static bool attribute(struct span *in, const char *letter, bool last, struct span *value)
{
	bool comma = until_comma(in, value);

	if (!span_starts(*value, span_of(letter)) || !(comma || last))
		return false;
	*value = span_from(*value, 2);
	return !comma || in->len;	/* a comma announces something */
}

static bool read_flag(struct span flag, struct scram_first *first, struct err *e)
{
	if (span_equal(flag, SPAN("n")) || span_equal(flag, SPAN("y"))) {
		first->flag = flag.at[0];
		return true;
	}
	if (!span_starts(flag, SPAN("p=")) || !is_binding_type(span_from(flag, 2)))
		return bad(e, "the message begins with none of n, y and p=TYPE");
	first->flag = 'p';
	first->type = span_from(flag, 2);
	return true;
}

bool scram_first_read(struct span in, struct scram_first *first, struct err *e)
{
	struct span whole = in, piece;

	*first = (struct scram_first){ 0 };
	if (!until_comma(&in, &piece))
		return bad(e, "the first message has no comma");
	if (!read_flag(piece, first, e))
		return false;
	if (!until_comma(&in, &piece))
		return bad(e, "the first message has one comma only");
	if (piece.len) {
		if (!span_starts(piece, SPAN("a=")) || !is_name(span_from(piece, 2)))
			return bad(e, "what stands before the second comma is no a=NAME");
		first->authzid = span_from(piece, 2);
	}
	first->header = (struct span){ whole.at, whole.len - in.len };
	if (span_starts(in, SPAN("m=")))
		return bad(e, "an extension m= that must be understood");
	if (!attribute(&in, "n=", false, &first->name) || !is_name(first->name))
		return bad(e, "no name, or not a well-formed one");
	if (!attribute(&in, "r=", true, &first->nonce) || !is_nonce(first->nonce))
		return bad(e, "no nonce, or not a well-formed one");
	while (in.len) {
		bool comma = until_comma(&in, &piece);

		if (!is_extension(piece) || (comma && !in.len))
			return bad(e, "an extension that is malformed, or must be understood");
	}
	return true;
}

bool scram_final_read(struct span in, struct scram_final *final, struct err *e)
{
	struct span whole = in, piece;
	bool comma = true;

	*final = (struct scram_final){ 0 };
	if (!attribute(&in, "c=", false, &final->binding) || !final->binding.len)
		return bad(e, "the last message does not begin with c=");
	if (!attribute(&in, "r=", false, &final->nonce) || !is_nonce(final->nonce))
		return bad(e, "no nonce in the last message, or not a well-formed one");
	while (comma) {
		comma = until_comma(&in, &piece);
		if (span_starts(piece, SPAN("p=")))
			break;
		if (!is_extension(piece))
			return bad(e, "an extension that is malformed, or must be understood");
	}
	if (comma || !span_starts(piece, SPAN("p=")))
		return bad(e, "no proof at the end of the last message");
	final->proof = span_from(piece, 2);
	final->without_proof = (struct span){ whole.at, whole.len - piece.len - 1 };
	return true;
}

bool scram_name_add(struct span s, struct buf *out)
{
	char *to = buf_room(out, s.len + !s.len);
	size_t n = 0;

	if (!to)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		to[n] = s.at[i];
		if (s.at[i] == '=') {
			assert(i + 2 < s.len);
			to[n] = s.at[i + 1] == '2' ? ',' : '=';
			i += 2;
		}
		n++;
	}
	out->len += n;
	return true;
}
