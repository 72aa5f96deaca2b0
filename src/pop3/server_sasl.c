/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "pop3/server_internal.h"
#include "wire/base64.h"

bool server_auth(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	enum sasl_mech mech;

	if (!a->count) {
		server_say(s, "+OK");
		server_list_begin(s, LISTING_MECHS);
		return true;
	}
	if (!sasl_mech_parse(a->word[0], &mech) || mech == SASL_USER || mech == SASL_APOP || !server_offers(s, mech)) {
		server_say(s, "-ERR that mechanism is not offered here");
		return true;
	}
	if (a->count > 1 && !span_equal(a->word[1], SPAN("="))) {
		if (!base64_measure(a->word[1], &ev->size))
			return false;
		ev->text = a->word[1];
	}
	wipe(s->name, sizeof s->name);	/* of a USER before */
	s->name_len = 0;
	s->mech = mech;
	s->reading = READ_RESPONSE;
	ev->mech = mech;
	ev->first = true;
	ev->given = a->count > 1;
	server_wait(s, ev, WAIT_SASL, P3D_SASL);
	return true;
}

/* A response, "*", or what ends the exchange as that does (RFC 5034 section 4). */
void server_response(struct p3d *s, struct p3d_event *ev)
{
	struct span line;
	size_t size;

	if (!server_line(s, P3D_AUTH_MAX, &line, &size, ev))
		return;
	ev->mech = s->mech;
	if (base64_measure(line, &ev->size)) {
		ev->text = line;
		ev->given = true;
		server_wait(s, ev, WAIT_SASL, P3D_SASL);
		return;
	}
	s->reading = READ_COMMAND;
	ev->what = P3D_SASL_OVER;
	server_say(s, span_equal(line, SPAN("*")) ? "-ERR cancelled" : "-ERR the response is not base64");
}

void p3d_sasl_challenge(struct p3d *s, struct span challenge)
{
	assert(challenge.len <= P3D_CHALLENGE_MAX && s->reading == READ_RESPONSE);
	server_answer(s, WAIT_SASL, ANSWER_CHALLENGE);
	s->words = challenge;
}
