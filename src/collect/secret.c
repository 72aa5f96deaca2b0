/* SPDX-License-Identifier: Apache-2.0
 *
 * A server may say the password back, in any reply: it is shown nowhere. */
#include "collect/visit.h"

#include <string.h>

#include "wire/blot.h"

void secret_hide(const struct visit *v, char *text)
{
	blot_out(text, buf_span(&v->password));
}

/* In an error all that somebody else said stands behind this; what is before it is ours, and a password may be a word of it. */
void secret_hide_said(const struct visit *v, char *text)
{
	char *said = strstr(text, " said \"");

	if (said)
		secret_hide(v, strchr(said, '"'));
}

bool secret_peer(const struct visit *v, struct err *e, struct span words)
{
	(void)err_peer(e, words);
	secret_hide_said(v, e->text);
	return false;
}
