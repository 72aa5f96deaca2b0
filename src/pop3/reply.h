/* SPDX-License-Identifier: Apache-2.0
 *
 * What a line of a POP3 server means (RFC 1939, 2449, 3206).
 *
 * Every function reads one line without its line end and borrows it.  They
 * are lenient where leniency decides nothing (letter case, spaces) and strict
 * where a guess would hit the wrong message. */
#pragma once

#include "base/span.h"

enum reply { REPLY_OK, REPLY_ERR, REPLY_MORE, REPLY_NONE };	/* MORE: "+ …", a challenge */

/* A response code, by what it means for us: [AUTH]; [IN-USE], [LOGIN-DELAY],
 * [SYS/TEMP]; any other. */
enum p3_reply_code { REPLY_CODE_NONE, REPLY_CODE_AUTH, REPLY_CODE_BUSY, REPLY_CODE_OTHER };

enum reply p3_reply_kind(struct span line);
/* What stands behind the indicator, without blanks around it. */
struct span reply_text(struct span line);
/* Of an -ERR line.  Words for a locked mailbox count as [IN-USE]: RFC 1939's
 * own example has them, and old servers have no codes. */
enum p3_reply_code p3_reply_code(struct span line);
/* Of an -ERR line: it speaks of the command, which the server does not have, and not of who says it. */
bool p3_reply_unknown(struct span line);
/* The timestamp for APOP, <…@…> as in RFC 822, out of a greeting; empty if
 * there is none (RFC 1939 section 7; other shapes help CVE-2007-1558). */
struct span reply_timestamp(struct span greeting);
/* "+OK count octets…"; the octets are 0 when they are no number. */
[[nodiscard]] bool reply_stat(struct span line, uint64_t count_max, uint32_t *count, uint64_t *octets);
/* "number id": blanks around the id are not of it, those inside are. */
[[nodiscard]] bool reply_uid(struct span line, uint32_t *number, struct span *uid);
/* "number octets…"; the octets are 0 when they are no number. */
[[nodiscard]] bool reply_size(struct span line, uint32_t *number, uint64_t *octets);
