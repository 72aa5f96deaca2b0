/* SPDX-License-Identifier: Apache-2.0
 *
 * From sections to settings: connections, targets and services are made, and judged.
 *
 * The order is: settings_none, build_top, build_target for each target,
 * build_connection for each connection, build_pop3 if there is such a section, build_end.  Everything wrong is
 * reported and the building goes on, so that one run finds all of it; what was
 * built is of use only when nothing was wrong. */
#pragma once

#include "config/section.h"

void build_top(struct settings *s, const struct section *section, struct report *r);
void build_target(struct settings *s, const struct section *section, struct report *r);
struct connection *build_connection(struct settings *s, const struct section *section, struct report *r);
/* What its section `tls` says, as section_apply filled it. */
void build_tls(struct tls_keys *tls, const struct section *section, struct report *r);
/* What its section `oauth` says, as section_apply filled it; looks at auth, before auto is spelled out, and password. */
void build_oauth(struct settings *s, struct connection *c, const struct section *section, struct report *r);
/* What its section `envelope` says, as section_apply filled it. */
void build_envelope(struct settings *s, const struct section *section, struct envelope_keys *keys, struct report *r);
/* Addresses with their domains, commas between them, and nothing else. */
bool envelope_given(const struct section *section);
bool envelope_addresses(const char *text);
/* What may stand behind an @. */
bool envelope_domain(struct arena *a, const char *text);
/* `listeners`: the sections `listen` inside of it. */
void build_pop3(struct settings *s, const struct section *section, const struct section *listeners, size_t count, struct report *r);
/* What can be said only when all is there. */
void build_end(struct settings *s, struct report *r);

/* The target of a `deliver` text: a section's name, or a TARGET of PRODUCT 1
 * ("maildir:PATH"), which is made once.  `file`: where it stands, for relative paths. */
[[nodiscard]] bool target_of(struct settings *s, const char *file, const char *text, struct target **target, struct err *e);
/* A TARGET text into *t, without looking at names; *form false: it is none. */
[[nodiscard]] bool target_read(struct arena *a, const char *file, const char *text, struct target *t, bool *form, struct err *e);
/* A target of type smtp or lmtp: its host, port, TLS and login; and of smtp://HOST and the like, what follows the prefix. */
void build_smtp(struct settings *s, const struct section *section, struct target *t, struct report *r);
[[nodiscard]] bool target_smtp(struct arena *a, struct span prefix, const char *rest, struct target *t, struct err *e);
/* smtp and lmtp need to know the recipients. */
bool target_needs_envelope(const struct target *t);
/* 1..128 characters without blanks, quotes and |. */
[[nodiscard]] bool name_good(const char *name, struct err *e);
