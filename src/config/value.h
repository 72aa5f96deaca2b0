/* SPDX-License-Identifier: Apache-2.0
 *
 * What a value may look like: numbers, durations, sizes, words, addresses.
 *
 * Each says in `e` what is wrong with the text ("70000 is not in 1..65535");
 * where it stands and what to write instead is the caller's to add.  A text is
 * shown to at most VALUE_SHOWN octets.  The outputs are untouched on false. */
#pragma once

#include "base/err.h"

enum { VALUE_SHOWN = 80 };

[[nodiscard]] bool value_bool(const char *text, bool *value, struct err *e);		/* true false yes no on off */
[[nodiscard]] bool value_uint(const char *text, uint64_t min, uint64_t max, uint64_t *value, struct err *e);
/* 30s 15min 2h 7d, or 0; in milliseconds. */
[[nodiscard]] bool value_duration(const char *text, uint64_t *ms, struct err *e);
/* 25MB: B, KB, MB, GB, TB are powers of 1024; a bare number is octets. */
[[nodiscard]] bool value_size(const char *text, uint64_t *octets, struct err *e);
/* One of `names` (ended by NULL): its position. */
[[nodiscard]] bool value_choice(const char *text, const char *const *names, uint32_t *which, struct err *e);
[[nodiscard]] bool value_mechanism(const char *text, uint8_t *mechanism, struct err *e);
bool value_mechanism_built(uint8_t mechanism);
bool value_mechanism_keyless(uint8_t mechanism);	/* it wants no password */
bool value_mechanism_token(uint8_t mechanism);	/* it carries an access token: section oauth */
/* The name of an enum mechanism, as in the key `auth`. */
const char *value_mechanism_name(uint8_t mechanism);
/* At most `max` characters of UTF-8, no controls; 0 = any number. */
[[nodiscard]] bool value_text(const char *text, uint64_t max, struct err *e);

/* Forms that some texts must have. */
typedef bool value_form(const char *text, struct err *e);

value_form value_address;	/* 192.0.2.1, 2001:db8::1 */
value_form value_network;	/* the same, or with /24; then the bits behind the prefix are 0 */
value_form value_socket;	/* 127.0.0.1:8110, [::1]:8110 */
value_form value_pin;		/* 64 hexadecimal digits, colons between them allowed */
value_form value_hours;		/* always, or: Mon-Fri 08:00-18:00 */
value_form value_field;	/* X-Real-To: a header field's name (RFC 5322) */
value_form value_user;		/* postrider: a name of the system's that may stand in a command; not a number */
value_form value_users;		/* internal, passwd-file:PATH, pam:SERVICE */
value_form value_maildirs;	/* /var/mail/%d/%n: a path with the user's name in it (wire/template.h); "" is none */
value_form value_prefix;	/* mail: how files' names begin; no folder, not hidden, at most 64 octets */
value_form value_suffix;	/* /etc/postrider/order.xml: a file whose name has an ending, and not .eml or .json */
value_form value_endpoint;	/* https://HOST/PATH; http:// only to this machine (127.0.0.0/8, [::1], localhost) */
value_form value_tenant;	/* contoso.onmicrosoft.com, an ID, common: what may stand in a URL's path */
value_form value_proxy;		/* socks5://HOST:PORT */
value_form value_no_recipient;	/* hold, delete, quarantine, or addresses */
