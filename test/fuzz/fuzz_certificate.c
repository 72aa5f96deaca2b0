/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates: texts that are safe to show and within their limits, and a
 * certificate written again reads the same.  An input that does not begin with
 * "-" is DER, and is armoured here: so mutations reach the certificate itself. */
#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "fuzz.h"
#include "net/certificate.h"
#include "wire/base64.h"

enum { INPUT_MAX = 1 << 16, LINE = 48 };

static void armour(struct buf *pem, struct span der)
{
	bool room = buf_add(pem, SPAN("-----BEGIN CERTIFICATE-----\n"));

	while (room && der.len) {
		size_t n = der.len < LINE ? der.len : LINE;

		room = base64_encode((struct span){ der.at, n }, pem) && buf_add_byte(pem, '\n');
		der = span_from(der, n);
	}
	room = room && buf_add(pem, SPAN("-----END CERTIFICATE-----\n"));
	assert(room);
}

static void check_text(const char *text)
{
	size_t len = strlen(text);

	assert(len <= CERTIFICATE_TEXT_MAX && !span_has_control((struct span){ text, len }));
}

static void check_digest(const char *text)
{
	assert(strlen(text) == CERTIFICATE_DIGEST_TEXT - 1 && strspn(text, "0123456789abcdef") == CERTIFICATE_DIGEST_TEXT - 1);
}

static void check_one(const struct certificate *c)
{
	const char *const texts[] = { c->subject, c->issuer, c->serial, c->key_type, c->key_group, c->signature };

	for (size_t i = 0; i < COUNT(texts); i++)
		check_text(texts[i]);
	assert(c->name_count <= CERTIFICATE_NAMES_MAX && (!c->names_broken || !c->name_count));
	assert(!c->names_left || c->name_count == CERTIFICATE_NAMES_MAX);
	for (size_t i = 0; i < c->name_count; i++) {
		check_text(c->names[i]);
		assert(strchr(c->names[i], ':') && !strpbrk(c->names[i], ",\""));
	}
	check_digest(c->sha256);
	check_digest(c->key_sha256);
	assert(!certificate_expired(c, c->not_after) && !certificate_early(c, c->not_before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certificates all, again;
	struct span in = { (const char *)data, size };
	struct arena a = { 0 };
	struct buf pem;
	struct err e;
	bool good;

	if (size > INPUT_MAX)
		return 0;
	buf_start(&pem, 2 * INPUT_MAX);
	if (size && data[0] != '-')
		armour(&pem, in);
	else
		assert(buf_add(&pem, in));
	good = certificates_read(&a, buf_span(&pem), &all, &e);
	assert(good ? all.count && all.count <= CERTIFICATES_MAX : e.kind == ERR_PEER);
	for (size_t i = 0; good && i < all.count; i++) {
		check_one(&all.list[i]);
		good = certificates_read(&a, span_of(all.list[i].pem), &again, &e);
		assert(good && again.count == 1 && !strcmp(again.list[0].sha256, all.list[i].sha256));
		assert(!strcmp(again.list[0].key_sha256, all.list[i].key_sha256) && !strcmp(again.list[0].subject, all.list[i].subject));
	}
	arena_end(&a);
	buf_end(&pem);
	return 0;
}
