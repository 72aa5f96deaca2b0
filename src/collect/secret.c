/* SPDX-License-Identifier: Apache-2.0
 *
 * A server may say the password back, in any reply: it is shown nowhere. */
#include "collect/visit.h"
#include "wire/blot.h"

void secret_hide(const struct visit *v, char *text)
{
	blot_out(text, buf_span(&v->password));
}

bool secret_peer(const struct visit *v, struct err *e, struct span words)
{
	(void)err_peer(e, words);
	secret_hide(v, e->text);
	return false;
}
