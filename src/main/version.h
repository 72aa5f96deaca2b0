/* SPDX-License-Identifier: Apache-2.0
 *
 * What this build is: version_print writes the version, the features that are
 * built and those that are not, and the libraries at work, a line each, to
 * standard output. */
#pragma once

void version_print(void);
