/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/tokens_vault.h"

#include "store/vault.h"

static bool load(void *user, const char *name, struct buf *token, struct err *e)
{
	return vault_get(user, name, token, e);
}

static bool save(void *user, const char *name, struct span token, struct err *e)
{
	return vault_set(user, name, token, e);
}

struct tokens *tokens_vault(struct loop *l, struct store *s, struct err *e)
{
	return tokens_new(&(struct tokens_with){ .loop = l, .load = s ? load : NULL, .save = s ? save : NULL, .user = s, .vault = s }, e);
}
