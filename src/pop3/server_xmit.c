/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "pop3/server_internal.h"

bool server_xtnd(struct p3d *s, const struct args *a, struct p3d_event *ev)
{
	if (!span_equal_nocase(a->word[0], SPAN("XMIT")))
		return false;
	if (!s->settings->submission) {
		server_say(s, "-ERR submission is not offered");
		return true;
	}
	server_wait(s, ev, WAIT_XMIT, P3D_XMIT);
	return true;
}

void server_xmit_body(struct p3d *s, struct p3d_event *ev)
{
	switch (dot_next(&s->dot, &s->in, &ev->text)) {
	case DOT_MORE:
		break;
	case DOT_BODY:
		ev->what = P3D_XMIT_BODY;
		break;
	case DOT_END:
		s->reading = READ_COMMAND;
		server_wait(s, ev, WAIT_XMIT_END, P3D_XMIT_END);
		break;
	}
}

void p3d_xmit_go(struct p3d *s)
{
	server_answer(s, WAIT_XMIT, ANSWER_XMIT_GO);
	s->reading = READ_XMIT;
	s->dot = (struct dot_in){ 0 };
}

void p3d_xmit_accepted(struct p3d *s)
{
	server_answer(s, WAIT_XMIT_END, ANSWER_XMIT_OK);
}

void p3d_xmit_refused(struct p3d *s, enum p3d_code code, const char *words)
{
	server_turn_down(s, s->wait == WAIT_XMIT ? WAIT_XMIT : WAIT_XMIT_END, code, words, "the message is not submitted");
}
