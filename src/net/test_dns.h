/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a name server on loopback, in a thread, that knows a few names.
 *
 *     dns_start(&d, rows, count); loop->dns = d.servers; … dns_stop(&d)
 * A name that no row has does not exist.  Names are compared without case, and
 * answers are for the address family of their text. */
#pragma once

#include <pthread.h>

#include "base/span.h"

enum { DNS_EACH = 4 };

struct dns_row {
	const char *name;
	const char *addresses[DNS_EACH];	/* none: the name exists, without addresses */
	int code;				/* of the answer, 0 = fine; 2 = SERVFAIL, 3 = no such name */
	bool silent_a, silent_aaaa;		/* no answer to that question at all */
	bool aaaa_second;			/* its answer comes right behind the other's */
};

struct dns {
	const struct dns_row *rows;
	size_t count;
	int fd;
	pthread_t thread;
	char servers[80];	/* as c-ares wants them */
};

void dns_start(struct dns *d, const struct dns_row *rows, size_t count);
void dns_stop(struct dns *d);
