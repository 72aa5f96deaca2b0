/* SPDX-License-Identifier: Apache-2.0 */
#include "sasl/apop.h"

#include <openssl/evp.h>

enum { MD5_SIZE = 16 };

static bool md5(EVP_MD_CTX *context, struct span a, struct span b, unsigned char out[MD5_SIZE])
{
	return EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 && EVP_DigestUpdate(context, a.at, a.len) == 1 &&
	       EVP_DigestUpdate(context, b.at, b.len) == 1 && EVP_DigestFinal_ex(context, out, NULL) == 1;
}

bool apop_digest(struct span timestamp, struct span password, char out[APOP_DIGEST])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[MD5_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done = context && md5(context, timestamp, password, digest);

	for (size_t i = 0; done && i < MD5_SIZE; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[APOP_DIGEST - 1] = '\0';
	EVP_MD_CTX_free(context);
	return done;
}
