/* SPDX-License-Identifier: Apache-2.0
 *
 * What the section `envelope` says (PRODUCT 2.1), as wire/envelope.h goes by it: for those who keep it and need no more. */
#pragma once

#include "base/span.h"

enum { ENVELOPE_WHY = 400 };		/* room for why something is not delivered */

enum envelope_what { ENVELOPE_DELIVER, ENVELOPE_HOLD, ENVELOPE_DELETE, ENVELOPE_QUARANTINE, ENVELOPE_REFUSED };

struct envelope_list {
	const char *const *at;
	size_t count;
};

struct envelope_rules {			/* texts are NUL-terminated; NULL: not set */
	struct envelope_list headers;
	const char *source_domain, *target_domain;
	struct envelope_list recipients;
	enum envelope_what no_recipient;	/* DELIVER: to `otherwise` */
	struct envelope_list otherwise;
};
