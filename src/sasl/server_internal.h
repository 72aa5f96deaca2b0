/* SPDX-License-Identifier: Apache-2.0
 *
 * The SASL server's insides, shared by its own files: server.c has the life of a
 * server and the mechanisms that only carry words, server_cram.c and
 * server_scram.c those that prove something, server_bearer.c those that carry a token.
 *
 * A mechanism's step is called with the response that is due (NULL only at
 * first), s->steps counts those before it;
 * server_refuse is how it says no. */
#pragma once

#include "sasl/server.h"

enum { SERVER_BINDING_MAX = 128, SERVER_STAMP_MAX = SASL_HOST_MAX + 64, SERVER_NONCE_MAX = 64 };

struct sasl_server {
	enum sasl_mech mech;
	unsigned steps;		/* that were made */
	bool over;
	void (*find)(void *user, struct span name, struct sasl_keys *keys);
	void *user;
	char host[SASL_HOST_MAX + 1];
	char exporter[SERVER_BINDING_MAX], unique[SERVER_BINDING_MAX];
	size_t exporter_len, unique_len;
	struct sasl_proof proof;	/* of what is known; spans into the bufs */
	struct buf first, second;	/* what the client said, as far as it must be kept */
	struct buf name, authzid;	/* unescaped */
	char stamp[SERVER_STAMP_MAX];	/* CRAM-MD5 */
	char given_nonce[SERVER_NONCE_MAX];	/* for tests */
	size_t given_nonce_len;
	struct sasl_scram_keys keys;	/* SCRAM: of who was named, until the proof was judged */
	struct span header;		/* SCRAM: gs2-header, in `first` */
	size_t nonce_len;		/* SCRAM: the client's and ours, behind "r=" in `second` */
	struct span binding;		/* SCRAM: of this exchange; empty without -PLUS */
	bool verified;			/* SCRAM: the proof was right, and ours is on its way */
	bool refused;			/* a token was, and the client was told */
};

enum sasl_said server_refuse(struct sasl_server *s, struct err *e, enum err_kind kind, const char *what);
/* Names go into look-ups and logs: no controls, no more than SASL_NAME_MAX octets.  A name must be there, an authzid need not. */
bool server_names_good(const struct sasl_server *s, bool named);

enum sasl_said server_cram(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e);
enum sasl_said server_bearer(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e);
enum sasl_said server_scram(struct sasl_server *s, const struct span *response, struct buf *challenge, struct err *e);
