/* SPDX-License-Identifier: Apache-2.0 */
#include "store/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
	EVP_MD_CTX *context;
};

struct digest *digest_new(struct err *e)
{
	struct digest *d = calloc(1, sizeof *d);

	if (d)
		d->context = EVP_MD_CTX_new();
	if (!d || !d->context || EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1) {
		digest_free(&d);
		(void)err_set(e, ERR_LOCAL, "SHA-256 cannot start");
	}
	return d;
}

void digest_add(struct digest *d, struct span octets)
{
	int good = EVP_DigestUpdate(d->context, octets.at, octets.len);

	assert(good == 1);
}

void digest_end(struct digest *d, uint8_t out[32])
{
	int good = EVP_DigestFinal_ex(d->context, out, NULL);

	assert(good == 1);
}

void digest_again(struct digest *d)
{
	int good = EVP_DigestInit_ex(d->context, NULL, NULL);

	assert(good == 1);
}

void digest_free(struct digest **d)
{
	if (!*d)
		return;
	EVP_MD_CTX_free((*d)->context);
	free(*d);
	*d = NULL;
}
