/* SPDX-License-Identifier: Apache-2.0
 *
 * What sessions go by: the settings of the service, made ready for use and shared.
 *
 *     r = rules_new(settings, contexts, &e) … rules_keep, on any thread … rules_put(&r)
 * Nothing in it changes; a reload makes another one.  The last who puts it frees it.
 * Errors name the place in the configuration. */
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "config/settings_pop3.h"
#include "deliver/deliver.h"
#include "net/network.h"
#include "net/tls_server.h"

struct rules;

struct rules_door {
	struct rules *rules;
	const char *name, *address;
	uint16_t port;
	enum pop3_tls tls;
	unsigned proxy;			/* as conn_accept takes it */
	const struct network *trusted;
	size_t trusted_count;
	uint32_t mechs, mechs_tls;	/* bits 1 << enum sasl_mech: in clear, under TLS */
};

struct rules {
	atomic_uint holders;
	struct arena arena;
	const struct rules_door *doors;
	size_t door_count;
	struct tls_server *tls;		/* NULL = none */
	const char *host;		/* of this machine, in the greeting's stamp */
	const char *greeting;		/* behind "+OK " */
	const char *implementation;	/* NULL = hidden */
	const char *main_domain;	/* NULL = none */
	struct deliver_target *submission;	/* of XTND XMIT; NULL = refused */
	uint32_t submission_limit;
	uint64_t submission_size;
	uint32_t idle_timeout_ms, login_timeout_ms, login_delay_s;
	bool exclusive, after_retr_seen, uidl_dovecot;
	uint32_t max_sessions, failed_limit, failed_block_ms;	/* what admission goes by: here for the log, and 0 = off */
};

[[nodiscard]] struct rules *rules_new(const struct settings *settings, struct tls_contexts *contexts, struct err *e);
struct rules *rules_keep(struct rules *r);
void rules_put(struct rules **r);
