/* SPDX-License-Identifier: Apache-2.0
 *
 * What an issuer is asked, by the settings of a connection: a copy that outlives them, and the forms to be posted.
 * A client's secret goes into the form (RFC 6749 section 2.3.1 allows it, and every issuer that we know takes it there; of the
 * header they disagree on the encoding).  Forms have secrets in them: with room from the beginning, wiped by the caller. */
#pragma once

#include "base/buf.h"
#include "config/settings.h"

enum { ISSUER_FORM_MAX = 4 * 32 * 1024, ISSUER_SECRET_MAX = 4096 };

struct issuer {
	enum oauth_flow flow;
	char *token_url, *device_url, *client_id, *scope, *ca_certificates;	/* NULL where there is none */
	struct secret client_secret;	/* its text is ours */
};

/* False: out of memory; then there is nothing to end. */
[[nodiscard]] bool issuer_copy(struct issuer *i, const struct oauth_keys *o);
void issuer_end(struct issuer *i);	/* also one that is all zero */
bool issuer_same(const struct issuer *i, const struct oauth_keys *o);

/* The forms; `secret` empty: the client has none.  False: out of memory. */
[[nodiscard]] bool issuer_refresh(const struct issuer *i, struct span secret, struct span refresh, struct buf *form);	/* or client_credentials, by the flow */
[[nodiscard]] bool issuer_device(const struct issuer *i, struct span secret, struct buf *form);
[[nodiscard]] bool issuer_poll(const struct issuer *i, struct span secret, struct span device_code, struct buf *form);
/* An issuer may say in its answer what it was asked by this form: what is secret of it becomes asterisks. */
void issuer_hide(struct span form, char *text);
