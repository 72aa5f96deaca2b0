/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "control/json.h"
#include "control/request.h"

static const struct row {
	const char *line, *want;	/* "" = good; else a part of the error */
	enum err_kind kind;
} requests[] = {
	{ "{\"v\":1,\"op\":\"a.b\"}", "", ERR_NONE },
	{ " {\"v\":1,\"op\":\"a.b\",\"args\":{},\"octets\":5} ", "", ERR_NONE },
	{ "{\"v\":1,\"op\":\"a.b\",\"args\":{\"x\":[1,{\"y\":null}]}}", "", ERR_NONE },
	{ "", "not JSON", ERR_PEER },
	{ "{", "not JSON", ERR_PEER },
	{ "[]", "not a JSON object", ERR_PEER },
	{ "\"op\"", "not JSON", ERR_PEER },
	{ "null", "not JSON", ERR_PEER },
	{ "{\"v\":1,\"op\":\"a\"} x", "not JSON", ERR_PEER },
	{ "{\"v\":1,\"op\":\"a\"}{\"v\":1,\"op\":\"a\"}", "not JSON", ERR_PEER },
	{ "{\"v\":1,\"op\":\"a\",}", "not JSON", ERR_PEER },
	{ "{'v':1,'op':'a'}", "not JSON", ERR_PEER },
	{ "{\"v\":1,\"op\":\"a\",\"op\":\"b\"}", "twice", ERR_PEER },
	{ "{\"v\":1,\"op\":\"a\",\"args\":{\"p\":1,\"p\":2}}", "twice", ERR_PEER },
	{ "{\"v\":1,\"op\":\"a\\u0000b\"}", "not JSON", ERR_PEER },
	{ "{\"v\":1,\"op\":\"a\xff\"}", "not JSON", ERR_PEER },
	{ "{\"v\":1,\"op\":\"\\ud800\"}", "not JSON", ERR_PEER },
	{ "{\"v\":1e999,\"op\":\"a\"}", "not JSON", ERR_PEER },
	{ "{\"op\":\"a\"}", "\"v\":1 is missing", ERR_CONFIG },
	{ "{\"v\":\"1\",\"op\":\"a\"}", "\"v\":1 is missing", ERR_CONFIG },
	{ "{\"v\":1.0,\"op\":\"a\"}", "\"v\":1 is missing", ERR_CONFIG },
	{ "{\"v\":2,\"op\":\"a\"}", "version 2", ERR_CONFIG },
	{ "{\"v\":1}", "op is missing", ERR_CONFIG },
	{ "{\"v\":1,\"op\":7}", "op is not a text", ERR_CONFIG },
	{ "{\"v\":1,\"op\":\"a\",\"args\":[]}", "args is not an object", ERR_CONFIG },
	{ "{\"v\":1,\"op\":\"a\",\"args\":null}", "args is not an object", ERR_CONFIG },
	{ "{\"v\":1,\"op\":\"a\",\"octets\":-1}", "octets is not a whole number", ERR_CONFIG },
	{ "{\"v\":1,\"op\":\"a\",\"octets\":1.5}", "octets is not a whole number", ERR_CONFIG },
	{ "{\"v\":1,\"op\":\"a\",\"octets\":true}", "octets is not a whole number", ERR_CONFIG },
	{ "{\"v\":1,\"op\":\"a\",\"octets\":1099511627777}", "octets is more than", ERR_CONFIG },
	{ "{\"v\":1,\"op\":\"a\",\"id\":1}", "unknown member", ERR_CONFIG },
	{ "{\"v\":1,\"op\":\"0123456789012345678901234567890123456789012345678901234567890123x\"}", "op has more than 64", ERR_CONFIG },
};

static void requests_that_are_none_say_why(void **state)
{
	(void)state;
	for (const struct row *r = requests; r < requests + COUNT(requests); r++) {
		struct request q;
		struct err e = { 0 };
		bool good = request_read(span_of(r->line), &q, &e);

		if (good != !*r->want || (!good && (!strstr(e.text, r->want) || e.kind != r->kind)))
			fail_msg("%s: %s", r->line, good ? "good" : e.text);
		if (good) {
			assert_string_equal(q.op, strstr(r->line, "a.b") ? "a.b" : "?");
			request_end(&q);
		}
		assert_null(q.root);
	}
}

/* What cannot be read may hold a password: no word of it is told. */
static void an_error_tells_nothing_of_the_request(void **state)
{
	static const char *const lines[] = {
		"{\"v\":1,\"op\":\"account.add\",\"args\":{\"password\":\"geheim\xff\"}}",
		"{\"v\":1,\"op\":\"account.add\",\"args\":{\"password\":\"geheim\" \"geheim\"}}",
		"{\"v\":1,\"op\":\"account.add\",\"args\":{\"geheim\":1,\"geheim\":2}}",
		"{\"v\":1,\"op\":\"account.add\",\"args\":{\"password\":geheim}}",
	};

	(void)state;
	for (size_t n = 0; n < COUNT(lines); n++) {
		struct request q;
		struct err e;

		assert_false(request_read(span_of(lines[n]), &q, &e));
		assert_null(strstr(e.text, "geheim"));
	}
}

static const struct arg table[] = {
	{ "name", ARG_TEXT, true, 5 }, { "count", ARG_NUMBER, false, 10 }, { "most", ARG_NUMBER_OR_NULL, false, 10 }, { "flag", ARG_FLAG, false, 0 },
	{ "list", ARG_TEXTS, false, 2 }, { "ids", ARG_NUMBERS, false, 2 }, { .name = NULL },
};

static const struct {
	const char *args, *want;
} arguments[] = {
	{ "{\"name\":\"\"}", "" },
	{ "{\"name\":\"anna5\",\"count\":10,\"most\":null,\"flag\":false,\"list\":[\"a\",\"b\"]}", "" },
	{ "{\"name\":\"a\",\"most\":0,\"flag\":true,\"list\":[]}", "" },
	{ "{}", "name is missing" },
	{ "{\"name\":null}", "name is not a text" },
	{ "{\"name\":1}", "name is not a text" },
	{ "{\"name\":[\"a\"]}", "name is not a text" },
	{ "{\"name\":\"123456\"}", "name has more than 5 octets" },
	{ "{\"name\":\"\xc3\xa4\xc3\xb6\xc3\xbc\"}", "name has more than 5 octets" },
	{ "{\"name\":\"a\",\"count\":11}", "count is more than 10" },
	{ "{\"name\":\"a\",\"count\":-1}", "count is not a whole number" },
	{ "{\"name\":\"a\",\"count\":1.0}", "count is not a whole number" },
	{ "{\"name\":\"a\",\"count\":\"1\"}", "count is not a whole number" },
	{ "{\"name\":\"a\",\"count\":null}", "count is not a whole number" },
	{ "{\"name\":\"a\",\"most\":11}", "most is more than 10" },
	{ "{\"name\":\"a\",\"most\":\"\"}", "most is not a whole number" },
	{ "{\"name\":\"a\",\"flag\":1}", "flag is neither" },
	{ "{\"name\":\"a\",\"flag\":null}", "flag is neither" },
	{ "{\"name\":\"a\",\"list\":\"a\"}", "list is not an array" },
	{ "{\"name\":\"a\",\"list\":[\"a\",\"b\",\"c\"]}", "list has more than 2 members" },
	{ "{\"name\":\"a\",\"list\":[\"a\",2]}", "member 1 of: list is not a text" },
	{ "{\"name\":\"a\",\"ids\":[0,9223372036854775807]}", "" },
	{ "{\"name\":\"a\",\"ids\":1}", "ids is not an array" },
	{ "{\"name\":\"a\",\"ids\":[1,2,3]}", "ids has more than 2 members" },
	{ "{\"name\":\"a\",\"ids\":[1,\"2\"]}", "member 1 of: ids is not a whole number" },
	{ "{\"name\":\"a\",\"ids\":[-1]}", "member 0 of: ids is not a whole number" },
	{ "{\"name\":\"a\",\"Name\":\"b\"}", "unknown member" },
	{ "{\"name\":\"a\",\"\":1}", "unknown member" },
	{ "{\"name\":\"a\",\"v\":1}", "unknown member" },
};

static void each_wrong_argument_is_named(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(arguments); n++) {
		json_t *args = json_loads(arguments[n].args, 0, NULL);
		struct err e = { 0 };
		bool good = args_check(table, args, &e);

		if (good != !*arguments[n].want || (!good && (!strstr(e.text, arguments[n].want) || e.kind != ERR_CONFIG)))
			fail_msg("%s: %s", arguments[n].args, good ? "good" : e.text);
		json_decref(args);
	}
}

/* A member's name that would forge a line, or fill the error. */
static void an_unknown_member_is_told_safely(void **state)
{
	char name[3000];
	json_t *args = json_object();
	struct err e;

	(void)state;
	memset(name, 'x', sizeof name);
	memcpy(name, "a\n\033[2J", 6);
	name[sizeof name - 1] = '\0';
	(void)json_object_set_new(args, "name", json_string("a"));
	(void)json_object_set_new(args, name, json_true());
	assert_false(args_check(table, args, &e));
	assert_null(strpbrk(e.text, "\n\033"));
	assert_true(strlen(e.text) < 200);
	json_decref(args);
}

static void what_is_written_can_be_read(void **state)
{
	json_t *args = json_pack("{s:s, s:i}", "name", "anna", "n", 7), *answer;
	const struct err why = { ERR_BUSY, "state /x is in use" };
	struct request q;
	uint64_t octets = 0;
	struct buf out;
	struct err e;

	(void)state;
	buf_start(&out, 4096);
	assert_true(request_write(&out, "some.op", args, 12, &e));
	assert_int_equal(out.at[out.len - 1], '\n');
	assert_true(request_read((struct span){ out.at, out.len - 1 }, &q, &e));
	assert_string_equal(q.op, "some.op");
	assert_int_equal(q.octets, 12);
	assert_true(json_equal(q.args, args));
	request_end(&q);
	out.len = 0;
	assert_true(reply_write(&out, args, 9, &e));
	assert_true(reply_read((struct span){ out.at, out.len - 1 }, &answer, &octets, &e));
	assert_true(json_equal(answer, args));
	assert_int_equal(octets, 9);
	json_decref(answer);
	out.len = 0;
	assert_true(reply_write_error(&out, &why));
	assert_false(reply_read((struct span){ out.at, out.len - 1 }, &answer, &octets, &e));
	assert_int_equal(e.kind, ERR_BUSY);
	assert_string_equal(e.text, why.text);
	json_decref(args);
	buf_end(&out);
}

static void a_line_has_its_limit(void **state)
{
	char *text = calloc(1, REQUEST_MAX + 1);
	json_t *args;
	struct request q;
	struct buf out;
	struct err e;

	(void)state;
	memset(text, 'a', REQUEST_MAX);
	args = json_pack("{s:s}", "a", text);
	buf_start(&out, 4 * REQUEST_MAX);
	assert_false(request_write(&out, "op", args, 0, &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_false(reply_write(&out, args, 0, &e));
	assert_int_equal(out.len, 0);
	memset(text, ' ', REQUEST_MAX);
	memcpy(text, "{\"v\":1,\"op\":\"a\"}", 16);
	assert_true(request_read((struct span){ text, REQUEST_MAX }, &q, &e));
	request_end(&q);
	text[REQUEST_MAX] = ' ';
	assert_false(request_read((struct span){ text, REQUEST_MAX + 1 }, &q, &e));
	assert_non_null(strstr(e.text, "more than"));
	json_decref(args);
	free(text);
	buf_end(&out);
}

static void replies_that_are_none(void **state)
{
	static const char *const lines[] = {
		"", "{}", "[]", "{\"v\":1}", "{\"v\":2,\"answer\":{}}", "{\"v\":1,\"answer\":[]}", "{\"v\":1,\"answer\":{},\"error\":{}}",
		"{\"v\":1,\"error\":{}}", "{\"v\":1,\"error\":{\"kind\":\"busy\"}}", "{\"v\":1,\"error\":{\"kind\":1,\"text\":\"a\"}}",
		"{\"v\":1,\"answer\":{},\"octets\":-1}", "{\"v\":1,\"answer\":{},\"octets\":\"1\"}",
	};
	json_t *answer;
	uint64_t octets;
	struct err e;

	(void)state;
	for (size_t n = 0; n < COUNT(lines); n++) {
		assert_false(reply_read(span_of(lines[n]), &answer, &octets, &e));
		assert_int_equal(e.kind, ERR_PEER);
	}
	assert_false(reply_read(SPAN("{\"v\":1,\"error\":{\"kind\":\"strange\",\"text\":\"a\"}}"), &answer, &octets, &e));
	assert_int_equal(e.kind, ERR_LOCAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_that_are_none_say_why), cmocka_unit_test(an_error_tells_nothing_of_the_request),
		cmocka_unit_test(each_wrong_argument_is_named), cmocka_unit_test(an_unknown_member_is_told_safely),
		cmocka_unit_test(what_is_written_can_be_read), cmocka_unit_test(a_line_has_its_limit), cmocka_unit_test(replies_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
