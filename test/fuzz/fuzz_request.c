/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to the control socket: what is taken can be written, and reads the same;
 * what is refused says why, safely, and tells nothing of a password. */
#include <assert.h>

#include "control/json.h"
#include "control/operation.h"
#include "fuzz.h"

static void check_error(const struct err *e)
{
	assert(e->kind == ERR_PEER || e->kind == ERR_CONFIG);
	assert(e->text[0] && !span_has_control(span_of(e->text)));
}

static void check_again(const struct request *r)
{
	struct request again;
	struct buf out;
	struct err e;

	buf_start(&out, 8 * REQUEST_MAX);
	if (request_write(&out, r->op, r->args, r->octets, &e)) {	/* a number may take more than it did */
		assert(out.at[out.len - 1] == '\n' && !memchr(out.at, '\n', out.len - 1));
		assert(request_read((struct span){ out.at, out.len - 1 }, &again, &e));
		assert(strcmp(again.op, r->op) == 0 && again.octets == r->octets && !again.args == !r->args);
		assert(!r->args || json_object_size(again.args) == json_object_size(r->args));
		request_end(&again);
	}
	buf_end(&out);
}

/* Whatever the operation is called: the arguments against every table. */
static void check_args(const struct request *r)
{
	static const struct operation *const tables[] = {
		api_accounts, api_blocks, api_certificates, api_domains, api_histories, api_mailboxes, api_messages, api_services,
	};
	json_t *none = json_object(), *args = r->args ? r->args : none;
	char token[256];
	struct err e;

	for (size_t n = 0; n < COUNT(tables); n++)
		for (const struct operation *op = tables[n]; op->name; op++)
			if (!args_check(op->args, args, &e))
				check_error(&e);
			else if (token_read(json_member_text(args, "after"), token, sizeof token))
				assert(strlen(token) <= strlen(json_member_text(args, "after")));
	json_decref(none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = { (const char *)data, size };
	struct request r;
	json_t *answer;
	uint64_t octets;
	struct err e = { 0 };

	if (request_read(line, &r, &e)) {
		assert(r.op && strlen(r.op) <= REQUEST_OP_MAX && r.octets <= REQUEST_OCTETS_MAX);
		check_args(&r);
		check_again(&r);
		request_end(&r);
	} else {
		check_error(&e);
	}
	if (reply_read(line, &answer, &octets, &e)) {
		assert(json_is_object(answer) && octets <= REQUEST_OCTETS_MAX);
		json_decref(answer);
	} else {
		assert(e.kind > ERR_NONE && e.kind < ERR_KINDS);
	}
	return 0;
}
