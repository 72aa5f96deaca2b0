/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of a relay share: relay.c has the mails and the connections,
 * relay_link.c the talk over one of them, relay_login.c its login. */
#pragma once

#include "deliver/relay.h"
#include "net/tasks.h"
#include "smtp/body.h"

struct mail {
	struct mail *next;
	struct relay_ask ask;
	struct smc_mail smc;
	bool tried;		/* once already, over a connection that was gone */
	bool again;		/* to be tried once more */
	bool told;		/* it has a result that holds */
	bool looked;		/* `smc` is complete */
	bool shown;		/* the message began to go out */
	bool taken;		/* by somebody */
	struct relay_result results[];
};

struct link {
	struct relay *relay;
	struct link *next, **at;
	struct conn *conn;		/* NULL: closed */
	struct smc *s;
	struct smc_login login;
	struct timer *idle;
	struct mail *body;		/* whose message goes out */
	uint64_t body_at;
	struct smtp_body out;
	bool ending;			/* all of `body` is out but its end */
	const void *unreleased;		/* `holds` of the mail before; NULL: none */
	bool unanswered;		/* a message is out */
	uint64_t completed;
	uint64_t replies, since_ms;	/* how many there were, and when something last got on */
	bool ready, securing, over;
	bool greeted;			/* SMC_READY came; `ready` follows when no more was fed with it */
	struct sasl_client *sasl;
	struct buf challenge, response;
	bool judged;			/* unproved() knows of the server's proof */
	bool stepping, good;		/* a step is in a job; how it went */
	struct err e;
};

struct orphan {				/* of a connection that has ended */
	struct orphan *next;
	const void *unreleased;
};

struct relay {
	struct loop *loop;
	const struct relay_settings *with;
	struct tasks *tasks;
	struct wake *wake;
	struct mail *first, **last;	/* that wait for a connection */
	struct link *links;
	struct orphan *orphans;
	size_t mails;
	struct back_off more;		/* connections beside those that there are */
	bool lockstep;
};

/* ---- relay.c */

struct mail *relay_take(struct relay *r);	/* the next that waits and can be sent, or NULL */
void relay_again(struct relay *r, struct mail *m);
void relay_done(struct relay *r, struct mail *m);
/* No connection can be had. */
void relay_down(struct relay *r, const struct err *why);
void relay_drop_link(struct link *k);		/* from the list, and from memory */
bool relay_may_end(const struct link *k);	/* a message over it */

/* ---- relay_link.c */

[[nodiscard]] bool link_open(struct relay *r, struct err *e);
void link_move(struct link *k);
void link_forget(struct link *k);	/* with its connection and the mails that it has; no step of it is in a job any more */

/* ---- relay_login.c */

void link_sasl(struct link *k, const struct smc_event *ev);
