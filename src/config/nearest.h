/* SPDX-License-Identifier: Apache-2.0
 *
 * The word that was probably meant.
 *
 * Distance: letters put in, left out or exchanged, and neighbours swapped
 * (Damerau, restricted); capitals do not count.  Words above NEAREST_MAX
 * octets are near nothing.  Words that other programs use for a key are no
 * matter of letters: they are in a table. */
#pragma once

#include "base/span.h"

enum { NEAREST_MAX = 64 };

unsigned nearest_distance(struct span a, struct span b);
/* Is `candidate` near enough to be asked for, and nearer than *best?  Then *best becomes its distance. */
bool nearest_better(struct span word, struct span candidate, unsigned *best);
/* The key that is called `word` elsewhere: host for server; NULL = none known. */
const char *nearest_synonym(struct span word);
