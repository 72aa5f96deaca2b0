/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "sasl/scram.h"

struct row {
	struct span in;
	const char *want;	/* NULL: refused */
};

static const struct row firsts[] = {
	{ SPAN("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), "n [] [n,,] [] [user] [fyko+d2lbbFgONRv9qkxdawL]" },	/* RFC 5802 section 5 */
	{ SPAN("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), "n [] [n,,] [] [user] [rOprNGfwEbeRWgbNEkqO]" },		/* RFC 7677 section 3 */
	{ SPAN("y,a=boss,n=a=2Cb=3Dc,r=x,x=1,y=2"), "y [] [y,a=boss,] [boss] [a,b=c] [x]" },
	{ SPAN("p=tls-unique,,n=u,r=x"), "p [tls-unique] [p=tls-unique,,] [] [u] [x]" },
	{ SPAN("p=X.9-a,a==2C,n==3D,r=!~"), "p [X.9-a] [p=X.9-a,a==2C,] [,] [=] [!~]" },
	{ SPAN("n,,n=\xc3\xa9,r=x"), "n [] [n,,] [] [\xc3\xa9] [x]" },
	{ SPAN("n,,n=a=3D2C,r=x"), "n [] [n,,] [] [a=2C] [x]" },
	{ SPAN("n,,n=u,r=x,a==,z=\x01"), "n [] [n,,] [] [u] [x]" },
	{ SPAN(""), NULL }, { SPAN(","), NULL }, { SPAN(",,"), NULL }, { SPAN("n"), NULL }, { SPAN("n,"), NULL }, { SPAN("n,,"), NULL },
	{ SPAN("N,,n=u,r=x"), NULL }, { SPAN("nn,,n=u,r=x"), NULL }, { SPAN("n=,,n=u,r=x"), NULL }, { SPAN("x,,n=u,r=x"), NULL },
	{ SPAN("F,n,,n=u,r=x"), NULL }, { SPAN(" n,,n=u,r=x"), NULL },
	{ SPAN("p,,n=u,r=x"), NULL }, { SPAN("p=,,n=u,r=x"), NULL }, { SPAN("p=a b,,n=u,r=x"), NULL }, { SPAN("p=a\0,,n=u,r=x"), NULL },
	{ SPAN("n,a=,n=u,r=x"), NULL }, { SPAN("n,a,n=u,r=x"), NULL }, { SPAN("n,b=u,n=u,r=x"), NULL }, { SPAN("n,a=x=,n=u,r=x"), NULL },
	{ SPAN("n,a=\0,n=u,r=x"), NULL }, { SPAN("n,n=u,r=x"), NULL }, { SPAN("n,,,n=u,r=x"), NULL },
	{ SPAN("n,,m=x,n=u,r=x"), NULL }, { SPAN("n,,n=u,m=x,r=x"), NULL }, { SPAN("n,,n=u,r=x,m=x"), NULL }, { SPAN("n,,n=u,r=x,a=1,m=x"), NULL },
	{ SPAN("n,,n=,r=x"), NULL }, { SPAN("n,,r=x,n=u"), NULL }, { SPAN("n,,n=u"), NULL }, { SPAN("n,,n=u,"), NULL }, { SPAN("n,,N=u,r=x"), NULL },
	{ SPAN("n,,n=u=,r=x"), NULL }, { SPAN("n,,n=u=2c,r=x"), NULL }, { SPAN("n,,n=u=2,r=x"), NULL }, { SPAN("n,,n=u=3E,r=x"), NULL },
	{ SPAN("n,,n=u\0v,r=x"), NULL },
	{ SPAN("n,,n=u,r="), NULL }, { SPAN("n,,n=u,r=,x=1"), NULL }, { SPAN("n,,n=u,r=a b"), NULL }, { SPAN("n,,n=u,r=a\x7f"), NULL },
	{ SPAN("n,,n=u,r=\xc3\xa9"), NULL }, { SPAN("n,,n=u,r=a\0b"), NULL }, { SPAN("n,,n=u,R=x"), NULL },
	{ SPAN("n,,n=u,r=x,"), NULL }, { SPAN("n,,n=u,r=x,,"), NULL }, { SPAN("n,,n=u,r=x,a"), NULL }, { SPAN("n,,n=u,r=x,a="), NULL },
	{ SPAN("n,,n=u,r=x,1=a"), NULL }, { SPAN("n,,n=u,r=x,a=b\0"), NULL }, { SPAN("n,,n=u,r=x,a=b,"), NULL }, { SPAN("n,,n=u,r=x,ab=c"), NULL },
};

static const struct row finals[] = {
	{ SPAN("c=biws,r=abc,p=cHJvb2Y="), "[biws] [abc] [cHJvb2Y=]" },
	{ SPAN("c=biws,r=abc,x=1,y==,p=cHJvb2Y="), "[biws] [abc] [cHJvb2Y=]" },
	{ SPAN("c=biws,r=abc,p="), "[biws] [abc] []" },
	{ SPAN(""), NULL }, { SPAN("c=biws"), NULL }, { SPAN("c=biws,"), NULL }, { SPAN("c=biws,r=abc"), NULL }, { SPAN("c=biws,r=abc,"), NULL },
	{ SPAN("c=,r=abc,p=cA=="), NULL }, { SPAN("r=abc,c=biws,p=cA=="), NULL }, { SPAN("c=biws,p=cA==,r=abc"), NULL }, { SPAN("C=biws,r=abc,p=cA=="), NULL },
	{ SPAN("c=biws,r=,p=cA=="), NULL }, { SPAN("c=biws,r=a b,p=cA=="), NULL }, { SPAN("c=biws,r=abc,m=1,p=cA=="), NULL },
	{ SPAN("c=biws,r=abc,p=cA==,"), NULL }, { SPAN("c=biws,r=abc,p=cA==,x=1"), NULL }, { SPAN("c=biws,r=abc,p=cA==,p=cA=="), NULL },
	{ SPAN("c=biws,r=abc,x,p=cA=="), NULL }, { SPAN("c=biws,r=abc,,p=cA=="), NULL }, { SPAN("c=biws,r=abc,x=\0,p=cA=="), NULL },
	{ SPAN("c=biws,r=abc,x=1"), NULL }, { SPAN("c=biws,r=abc,P=cA=="), NULL }, { SPAN("c=biws,r=abc,p"), NULL },
};

static void add(struct buf *b, struct span s)
{
	assert_true(buf_add(b, SPAN(" [")) && buf_add(b, s) && buf_add(b, SPAN("]")));
}

static bool tell_first(struct span in, struct buf *out, struct err *e)
{
	struct scram_first first;
	char memory[64];
	struct buf plain;

	if (!scram_first_read(in, &first, e))
		return false;
	assert_true(buf_add_byte(out, first.flag));
	add(out, first.type);
	add(out, first.header);
	buf_lend(&plain, memory, sizeof memory);
	assert_true(scram_name_add(first.authzid, &plain));
	add(out, buf_span(&plain));
	plain.len = 0;
	assert_true(scram_name_add(first.name, &plain));
	add(out, buf_span(&plain));
	add(out, first.nonce);
	return true;
}

static bool tell_final(struct span in, struct buf *out, struct err *e)
{
	struct scram_final final;

	if (!scram_final_read(in, &final, e))
		return false;
	add(out, final.binding);
	add(out, final.nonce);
	add(out, final.proof);
	return true;
}

/* Each message lies in heap memory that ends with it. */
static void hold(const struct row *r, bool (*tell)(struct span, struct buf *, struct err *))
{
	char *copy = malloc(r->in.len + !r->in.len), text[256];
	struct err e = { 0 };
	struct buf out;
	bool good;

	assert_non_null(copy);
	memcpy(copy, r->in.at, r->in.len);
	buf_lend(&out, text, sizeof text - 1);
	good = tell((struct span){ copy, r->in.len }, &out, &e);
	assert_true(buf_terminate(&out));
	if (good != (r->want != NULL) || (!good && e.kind != ERR_PEER))
		fail_msg("%.*s: %s %s", (int)r->in.len, r->in.at, good ? text : "refused", e.text);
	if (good)
		assert_string_equal(text + (text[0] == ' '), r->want);
	free(copy);
}

static void first_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(firsts); i++)
		hold(&firsts[i], tell_first);
}

static void last_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(finals); i++)
		hold(&finals[i], tell_final);
}

/* No beginning of a message is taken for one that ends in another way. */
static void cut_messages(void **state)
{
	static const struct span whole = SPAN("p=tls-exporter,a=b,n=user,r=abcdef"), last = SPAN("c=biws,r=abc,x=1,p=cHJvb2Y=");
	struct scram_first first;
	struct scram_final final;
	struct err e;

	(void)state;
	for (size_t n = 0; n < whole.len; n++)		/* the nonce may be shorter, nothing else */
		assert_int_equal(scram_first_read((struct span){ whole.at, n }, &first, &e), n > whole.len - 6);
	for (size_t n = 0; n < last.len; n++)
		assert_int_equal(scram_final_read((struct span){ last.at, n }, &final, &e), n >= last.len - 8);
	assert_true(scram_final_read(last, &final, &e));
	assert_true(span_equal(final.without_proof, SPAN("c=biws,r=abc,x=1")) && span_equal(final.proof, SPAN("cHJvb2Y=")));
}

static void a_name_that_does_not_fit(void **state)
{
	char memory[4];
	struct buf small;

	(void)state;
	buf_lend(&small, memory, sizeof memory);
	assert_false(scram_name_add(SPAN("abcde"), &small));
	assert_int_equal(small.len, 0);
	assert_true(scram_name_add((struct span){ 0 }, &small));
	assert_int_equal(small.len, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_messages),
		cmocka_unit_test(last_messages),
		cmocka_unit_test(cut_messages),
		cmocka_unit_test(a_name_that_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
