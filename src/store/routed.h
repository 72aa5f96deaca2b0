/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside: whom a message is for, as its route header says (PRODUCT 3, routed names).
 *
 * While a message comes in, the fields of that name in its header are looked for, and the
 * addresses in them go into the index in the batch that makes it exist:
 *     "x" UID    in the box's partition → its addresses, each with a NUL behind, in lower
 *                case; or one NUL alone: they are many, and its header is to be looked at
 * Its entry says which name was looked for, as a number (BOX_FIELD), and whether there is such
 * a key (BOX_LISTS). 0: none was. The numbers are the directory's: "n" NAME → number, NAME in
 * lower case; 1 is X-Real-To and not written down. Numbers stay; with the 256th name nothing is
 * looked for any more, and views read headers. Who takes an entry with BOX_LISTS away takes the key, too.
 *
 * A message that came here through an envelope begins with X-Real-To fields of ours and the mark below them
 * (wire/envelope.h): of X-Real-To those count alone. What the message brought along was written by anybody, and is not to
 * choose whose mail it is; no octet of it needs to be changed for that, and who reads the header later comes to the same.
 *
 * Of a message its first ROUTED_HEADER_MAX octets are looked at: a field that is not whole in
 * them is not seen, at append no more than later. */
#pragma once

#include "base/buf.h"
#include "store/box.h"

enum { ROUTED_HEADER_MAX = 256 * 1024, ROUTED_TEXT_MAX = 2048, ROUTED_KEY = 9, ROUTED_NAME_MAX = 127 };

struct route_field {			/* a name; lives until store_close */
	struct route_field *next;
	uint32_t number;
	char name[ROUTED_NAME_MAX + 1];	/* in lower case */
};

struct routed {				/* of a message that comes in; zeros to begin with */
	const struct route_field *field;
	bool done;
	bool failed;			/* no memory: as if nothing had been looked for */
	bool many;
	struct buf head;		/* of a header that is longer than a piece */
	struct buf text;		/* the key's value, unless they are many */
};

/* For any thread: what is looked for now. */
const struct route_field *route_field_now(struct store *s);
void route_fields_free(struct store *s);

/* Of a message, or of its beginning: is this all that there is? */
enum routed_whole { ROUTED_WHOLE, ROUTED_GOES_ON, ROUTED_CUT };

/* Each address of the fields called `name`, in lower case. False: the header goes on, look again when more has come. */
bool routed_find(struct span head, enum routed_whole whole, const char *name, void (*use)(void *user, struct span address), void *user);

/* The next piece of it, as large as pieces are, or the last one, which may be empty. Nothing is copied of a header
 * that ends in the first. */
void routed_look(struct routed *r, struct store *s, struct span piece, bool last);
struct span routed_value(const struct routed *r);	/* of the key; empty: there is none */
uint32_t routed_flags(const struct routed *r);	/* of the entry */
void routed_end(struct routed *r);

struct span routed_key(char key[ROUTED_KEY], uint64_t uid);

/* Is `address` (any case) meant by this one of a list: by all of it, or by its local part alone? */
bool routed_means(struct span listed, struct span address);
