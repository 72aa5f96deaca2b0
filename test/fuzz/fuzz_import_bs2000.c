/* SPDX-License-Identifier: Apache-2.0
 *
 * The importer of bs2000: see fuzz_import.h. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return import_fuzz(IMPORT_BS2000, data, size);
}
