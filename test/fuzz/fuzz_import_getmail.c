/* SPDX-License-Identifier: Apache-2.0
 *
 * The importer of getmail: see fuzz_import.h. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return import_fuzz(IMPORT_GETMAIL, data, size);
}
