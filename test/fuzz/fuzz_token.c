/* SPDX-License-Identifier: Apache-2.0
 *
 * IMAP tokens: alike out of every cut, in order, brackets matched, and a
 * string's octets are as many as its literal said. */
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/token.h"

enum { MEMORY = 64, STORY_MAX = 1 << 20 };

struct run {
	struct tokens tokens;
	char *memory;
	struct buf story;
	uint64_t left;
	unsigned depth;
	bool in_string, literal, in_code, bad;
};

static void run_start(struct run *r)
{
	*r = (struct run){ .memory = malloc(MEMORY) };
	assert(r->memory);
	buf_start(&r->story, STORY_MAX);
	tokens_start(&r->tokens, r->memory, MEMORY);
}

static void check(struct run *r, const struct token *tok)
{
	bool within = tok->kind == TOKEN_PIECE || tok->kind == TOKEN_STRING_END;

	assert(within == r->in_string || tok->kind == TOKEN_BAD);
	switch (tok->kind) {
	case TOKEN_STRING:
		r->in_string = true;
		r->literal = tok->literal;
		r->left = tok->size;
		return;
	case TOKEN_PIECE:
		assert(tok->text.len && (!r->literal || tok->text.len <= r->left));
		r->left -= r->literal ? tok->text.len : 0;
		return;
	case TOKEN_STRING_END:
		assert(!r->literal || !r->left);
		r->in_string = false;
		return;
	case TOKEN_OPEN:
		assert(++r->depth <= TOKEN_DEPTH_MAX);
		return;
	case TOKEN_CLOSE:
		assert(r->depth-- > 0);
		return;
	case TOKEN_CODE:
	case TOKEN_CODE_END:
		assert(r->in_code == (tok->kind == TOKEN_CODE_END));
		r->in_code = !r->in_code;
		r->depth = 0;
		return;
	case TOKEN_ATOM:
	case TOKEN_TEXT:
		assert(tok->text.len <= MEMORY && (tok->kind == TOKEN_TEXT || tok->text.len));
		return;
	case TOKEN_LINE:
		assert(!r->depth && !r->in_code);
		return;
	case TOKEN_BAD:
		assert(tok->why);
		r->bad = true;
		return;
	case TOKEN_MORE:
		return;
	}
}

static void run_part(struct run *r, struct span in)
{
	struct token tok;

	while (!r->bad && tokens_next(&r->tokens, &in, &tok) != TOKEN_MORE) {
		bool good = tok.kind == TOKEN_PIECE || buf_printf(&r->story, "\n%d%d%d:", tok.kind, tok.more, tok.cut);

		good = good && buf_add(&r->story, tok.text);
		assert(good);
		check(r, &tok);
	}
	assert(r->bad || !in.len);
}

static void run_end(struct run *r)
{
	buf_end(&r->story);
	free(r->memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, cut;
	struct span part;
	struct feed f;

	if (size > 65536)
		return 0;
	run_start(&whole);
	run_start(&cut);
	feed_start(&f, data, size);
	run_part(&whole, f.all);
	while (feed_next(&f, &part))
		run_part(&cut, part);
	assert(whole.bad == cut.bad && span_equal(buf_span(&whole.story), buf_span(&cut.story)));
	run_end(&whole);
	run_end(&cut);
	return 0;
}
