/* SPDX-License-Identifier: Apache-2.0
 *
 * PROXY headers: the same out of every cut, never a longer one than may be, and
 * the addresses of version 1 as the C library reads them. */
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

#include "fuzz.h"
#include "wire/proxy.h"

static void as_the_library_does(const struct proxy *p, struct span line)
{
	char text[PROXY_V1_MAX + 1];
	uint8_t octets[16];
	struct span word;

	(void)span_word(&line, &word);
	(void)span_word(&line, &word);
	assert(span_word(&line, &word) && word.len < sizeof text);
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	assert(inet_pton(p->family == PROXY_IPV4 ? AF_INET : AF_INET6, text, octets) == 1);
	assert(!memcmp(octets, p->client.octets, p->family == PROXY_IPV4 ? 4 : 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned versions = size && data[0] % 3 ? data[0] % 3 : PROXY_V1 | PROXY_V2;
	enum proxy_got got = PROXY_MORE, whole;
	struct span part, rest;
	struct proxy p, q;
	struct feed f;
	size_t used = 0;

	proxy_start(&p, versions);
	proxy_start(&q, versions);
	feed_start(&f, data, size);
	rest = f.all;
	whole = proxy_feed(&q, &rest);
	while (got == PROXY_MORE && feed_next(&f, &part)) {
		size_t len = part.len;

		got = proxy_feed(&p, &part);
		used += len - part.len;
	}
	assert(got == whole && used == f.all.len - rest.len);
	assert(p.family == q.family && !memcmp(&p.client, &q.client, sizeof p.client) && !memcmp(&p.server, &q.server, sizeof p.server));
	assert((got == PROXY_BAD) == (p.why != NULL));
	assert(used <= PROXY_V2_MAX && (p.version == PROXY_V2 || used <= PROXY_V1_MAX));
	if (got == PROXY_DONE && p.version == PROXY_V1 && p.family != PROXY_SAME)
		as_the_library_does(&p, (struct span){ f.all.at, used });
	feed_end(&f);
	return 0;
}
