/* SPDX-License-Identifier: Apache-2.0 */
#include "store/exchange.h"

bool mailbox_export(struct mailbox *box, const char *target, uint64_t *count, struct err *e)
{
	(void)box;
	*count = 0;
	return err_set(e, ERR_CONFIG, "%s: export is not built yet", target);
}

bool mailbox_import(struct mailbox *box, const char *source, uint64_t *count, struct err *e)
{
	(void)box;
	*count = 0;
	return err_set(e, ERR_CONFIG, "%s: import is not built yet", source);
}
