/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside a running instance: what instance.c makes, runs and ends, and what instance_hooks.c tells of it to the
 * control socket.  All of it belongs to the main thread; what others do comes back over the home loop. */
#pragma once

#include "collect/schedule.h"
#include "collect/tokens_vault.h"
#include "collect/trusting.h"
#include "collect/visits.h"
#include "deliver/deliver.h"
#include "control/server.h"
#include "main/instance.h"
#include "net/inherited.h"
#include "net/notify.h"
#include "net/pulse.h"
#include "base/log.h"

struct instance {
	struct cli *cli;
	struct loop *home;
	struct loops *loops;
	struct wake *answers;
	struct timer *reclaim, *drain, *ping, *visiting;
	struct notify notify;
	struct pulse *pulse;
	struct tls_contexts *contexts;
	struct tls_trust *trust;
	struct inherited inherited;
	struct pam_client *pam;
	struct serve *serve;		/* NULL: there was no section pop3 yet */
	bool pop3_due;			/* not stopped by hand: its section was gone, or its start failed */
	struct deliveries *deliveries;	/* of the visits, to servers and programs */
	struct tokens *tokens;		/* of the visits that log in by OAuth */
	struct device_logins *device_logins;
	int64_t held_look;		/* when held messages are looked for again */
	bool held_asked;		/* a connection that was busy may have passed by what is due: look again at the end of a visit */
	struct visits *visits;		/* NULL: none was begun yet */
	struct schedule *schedule;
	struct instance_prune *prune;
	int64_t collect_since;
	bool collect_stopped;		/* by hand */
	struct api *api;
	struct control_server *control;
	int64_t started, pop3_since;
	struct err pop3_why;		/* why it does not run, though it was asked to */
	int64_t certificate_until;	/* 0: there is none */
	uint64_t drain_until_ms;	/* 0: not asked to end */
	uint64_t busy_ms;		/* when there was something to wait for, the last time */
	bool hurried;			/* asked twice, or patience has ended */
};

/* Starts the service that the settings want, with the blocks that were made by hand. */
[[nodiscard]] bool instance_start_pop3(struct instance *i, struct err *e);
/* The instance's visits, made when first needed. */
[[nodiscard]] bool instance_visits(struct instance *i, struct visits **v, struct err *e);
/* The schedule: made before anything may be visited; the configuration was read again; the service was started (again):
 * all are due that no back-off holds; freed when no visit is left. */
[[nodiscard]] bool instance_schedule_make(struct instance *i, struct err *e);
void instance_schedule_reload(struct instance *i);
void instance_schedule_again(struct instance *i);
void instance_schedule_free(struct instance *i);
/* People trust other certificates: those that failed because of one are due. */
void instance_schedule_trusted(struct instance *i);
/* What is old in ledgers is forgotten, from the start on; the configuration was read again; freed with the loop's timers. */
[[nodiscard]] bool instance_prune_make(struct instance *i, struct err *e);
void instance_prune_reload(struct instance *i);
void instance_prune_free(struct instance *i);
/* Held messages are due, of this connection or (NULL) of any: they are looked for now. */
void instance_schedule_held(struct instance *i, const char *connection);
[[nodiscard]] bool instance_reload(struct instance *i, struct err *e);
struct api_hooks instance_hooks(struct instance *i);
