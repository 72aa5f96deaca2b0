/* SPDX-License-Identifier: Apache-2.0
 *
 * Deadlines of a connection, and what is said when one passed. */
#include <assert.h>

#include "net/conn_inside.h"

/* The timer is left running when a deadline moves away, and looks at
 * the time when it fires; a turn costs no more than a comparison. */

static void expire(struct conn *c)
{
	char tried[300] = "";
	double s = c->deadline_ms / 1000.0;

	c->timed_out = true;
	switch (c->state) {
	case CONN_DIALLING:
		if (c->dial)
			dial_tried(c->dial, tried, sizeof tried);
		if (tried[0])
			(void)conn_fail(c, ERR_NET, "no connection within %g s (%s)", s, tried);
		else
			(void)conn_fail(c, ERR_NET, "no answer about the name from DNS within %g s", s);
		break;
	case CONN_ARRIVING:
		(void)conn_fail(c, ERR_NET, "no %s within %g s", c->deadline_name, s);
		break;
	case CONN_HANDSHAKING:
		c->technical = true;
		(void)conn_fail(c, ERR_NET, "no %s within %g s%s", c->deadline_name, s,
			c->heard || c->serving ? "" : ": the server did not answer our first message; does this port speak TLS? (else tls.mode = explicit)");
		break;
	case CONN_OPEN:
		if (conn_blocked(c))
			(void)conn_fail(c, ERR_NET, "the client took nothing of what it is sent for %g s", s);
		else
			(void)conn_fail(c, ERR_NET, "no %s within %g s%s", c->deadline_name, s, c->told || c->serving ? "" :
				c->ssl ? "; TLS is up, but the server said nothing at all: does it speak something else, such as HTTP?" :
				"; the server said nothing at all: if this port begins with TLS, set tls.mode = implicit");
		break;
	case CONN_LEAVING:
		conn_end(c, NULL);
		break;
	case CONN_ENDED:
		break;
	}
}

static void on_timer(uv_timer_t *uv)
{
	struct conn *c = uv->data;
	uint64_t now = uv_now(uv->loop);

	if (!c->deadline_name || c->state == CONN_ENDED)
		return;
	if (c->paused && c->state == CONN_OPEN && !conn_blocked(c))
		return;			/* conn_pause starts it again, or conn_watch */
	if (now < c->deadline_at)
		loop_timer(c->loop, &c->timer, on_timer, c->deadline_at - now);
	else
		expire(c);
}

void conn_set_deadline(struct conn *c, uint32_t ms, const char *name, bool fixed)
{
	assert(!ms || name);
	if (c->state == CONN_ENDED)
		return;
	c->deadline_name = ms ? name : NULL;
	c->deadline_ms = ms;
	c->deadline_fixed = fixed;
	if (!ms)
		return;
	c->deadline_at = uv_now(&c->loop->uv) + ms;
	if (!uv_is_active((uv_handle_t *)&c->timer) || uv_timer_get_due_in(&c->timer) > ms)
		loop_timer(c->loop, &c->timer, on_timer, ms);
}

void conn_deadline(struct conn *c, uint32_t ms, const char *name)
{
	if (c->state == CONN_OPEN)
		conn_set_deadline(c, ms, name, false);
}

void conn_rearm(struct conn *c)
{
	if (!c->deadline_fixed)
		c->deadline_at = uv_now(&c->loop->uv) + c->deadline_ms;
}

bool conn_timed_out(const struct conn *c)
{
	return c->timed_out;
}
