/* SPDX-License-Identifier: Apache-2.0
 *
 * A server may say the password back, in any reply: it is shown nowhere. */
#include "collect/visit.h"

void secret_hide(const struct visit *v, char *text)
{
	struct span secret = buf_span(&v->password);
	char *at = text;

	if (!secret.len)
		return;
	while ((at = memmem(at, strlen(at), secret.at, secret.len))) {
		memset(at, '*', secret.len);
		at += secret.len;
	}
}

bool secret_peer(const struct visit *v, struct err *e, struct span words)
{
	(void)err_peer(e, words);
	secret_hide(v, e->text);
	return false;
}
