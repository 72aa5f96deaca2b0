/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a client of the POP3 service, that blocks, and has a minute's patience.
 *
 *     guest_call(&g, "clear"); guest_hears(&g, "+OK"); guest_say(&g, "NOOP"); … guest_leave(&g)
 * What is heard is checked where it is heard: a test fails there.  A line that does not
 * end with CRLF fails everywhere. */
#pragma once

#include <openssl/ssl.h>

#include "sasl/client.h"
#include "store/fixture.h"

struct guest {
	int fd;
	SSL *ssl;
	SSL_CTX *ctx;
	const struct pki *pki;		/* its certificate; NULL: none */
	uint64_t options;		/* OpenSSL's */
	int room;			/* of the socket, for what it does not read; 0: the kernel's */
	char line[1024];
	char stamp[600];		/* of the greeting */
	size_t at, len;
	char got[16384];
};

/* By the listener's name; "tls" begins with a handshake.  What was in *g is forgotten, but for `room`, `pki` and `options`. */
void guest_call(struct guest *g, const char *listener);
void guest_leave(struct guest *g);	/* without a word */
void guest_secure(struct guest *g);	/* the handshake */
void guest_send(struct guest *g, struct span octets);
void guest_say(struct guest *g, const char *line);	/* CRLF is added */
/* Without its line end; NULL: the service has closed. */
const char *guest_line(struct guest *g);
void guest_hears(struct guest *g, const char *begins);
void guest_asks(struct guest *g, const char *say, const char *hears);	/* one after the other */
void guest_hears_end(struct guest *g);
/* Octets up to the final dot's CRLF; false: the service has closed before it. */
bool guest_body(struct guest *g, struct fixture_text *t);
/* All there is, until the end. */
void guest_rest(struct guest *g, struct fixture_text *t);
void guest_greets(struct guest *g, const char *listener);	/* guest_call and the greeting */
void guest_enters(struct guest *g, const char *listener);	/* and logs bob in */
/* By any mechanism; true: +OK, and the service has proved what it can.  The answer is in `line`. */
bool guest_proves(struct guest *g, enum sasl_mech mech, const char *password);
