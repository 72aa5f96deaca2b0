/* SPDX-License-Identifier: Apache-2.0
 *
 * The partition "visited", for the files of this room that keep something of each connection in it: a letter and its name. */
#pragma once

#include "store/engine.h"
#include "store/visited.h"

enum { VISITED_KEY_MAX = 1 + VISITED_NAME_MAX };

engine_part visited_part(void);
/* False: such a name is not kept. */
[[nodiscard]] bool visited_at(char kind, const char *name, char key[VISITED_KEY_MAX], struct span *out);
