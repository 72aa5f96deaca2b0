/* SPDX-License-Identifier: Apache-2.0
 *
 * A SCRAM client's two messages, read strictly by RFC 5802 section 7's grammar.
 *
 * scram_first_read takes client-first-message, scram_final_read
 * client-final-message.  False, ERR_PEER: e says which rule was broken, in our
 * words only.  Spans borrow the message.  Extensions are checked for their form
 * and passed over, but m=, which demands to be understood, is refused wherever it stands.
 * Base64 is not looked into; names are still escaped: scram_name_add undoes "=2C" and
 * "=3D" (both are checked already). */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct scram_first {
	char flag;		/* 'n', 'y' or 'p': no binding, none seen to be offered, `type` */
	struct span type;	/* "tls-exporter" */
	struct span header;	/* gs2-header, to its second comma */
	struct span authzid, name;	/* escaped; authzid empty where there is none, name never */
	struct span nonce;
};

struct scram_final {
	struct span binding, nonce, proof;	/* of c=, r= and p= */
	struct span without_proof;	/* all before ",p=": the proof is over it */
};

[[nodiscard]] bool scram_first_read(struct span message, struct scram_first *first, struct err *e);
[[nodiscard]] bool scram_final_read(struct span message, struct scram_final *final, struct err *e);
/* False: it does not fit, and `out` is as before. */
[[nodiscard]] bool scram_name_add(struct span escaped, struct buf *out);
