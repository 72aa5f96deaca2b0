/* SPDX-License-Identifier: Apache-2.0
 *
 * What in a draft cannot stand beside another key, as check.c will judge it.
 *
 * draft_write calls draft_rules for each section: a key that the whole would be
 * refused for goes, with a note; what a section must have and has not leaves it
 * out, or disables it, with a note. */
#pragma once

#include "config/draft.h"

void draft_rules(struct draft *d, struct draft_section *s);
/* The port of a connection that says nothing of one, as a text; NULL when there is none. */
const char *draft_default_port(const struct draft_section *s);
