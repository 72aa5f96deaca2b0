/* SPDX-License-Identifier: Apache-2.0
 * The sum of a connection's settings: every key that its table has a field for, so that no new one is forgotten. */
#include <assert.h>
#include <sodium.h>

#include "collect/schedule_inside.h"
#include "config/option.h"

static void add(crypto_generichash_state *h, const void *octets, size_t len)
{
	uint64_t n = len;

	(void)crypto_generichash_update(h, (const unsigned char *)&n, sizeof n);
	(void)crypto_generichash_update(h, octets, len);
}

static void add_text(crypto_generichash_state *h, const char *text)
{
	add(h, text ? text : "\0", text ? strlen(text) : 1);	/* no text is another than an empty one */
}

static void add_texts(crypto_generichash_state *h, const struct texts *t)
{
	add(h, &t->count, sizeof t->count);
	for (size_t n = 0; n < t->count; n++)
		add_text(h, t->at[n]);
}

static void add_secret(crypto_generichash_state *h, const struct secret *secret)
{
	add(h, &secret->kind, sizeof secret->kind);
	add_text(h, secret->text);
}

static void add_rows(crypto_generichash_state *h, const struct option *rows, const void *base);

static void add_field(crypto_generichash_state *h, const struct option *o, const void *field)
{
	switch (o->type) {
	case OPTION_SECTION:
		add_rows(h, o->inner, field);
		break;
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_FILE:
	case OPTION_WORD:
		add_text(h, *(const char *const *)field);
		break;
	case OPTION_TEXTS:
		add_texts(h, field);
		break;
	case OPTION_SECRET:
		add_secret(h, field);
		break;
	case OPTION_BOOL:
	case OPTION_UINT:
	case OPTION_CHOICE:
	case OPTION_VERSION:
	case OPTION_MS:
	case OPTION_SECONDS:
	case OPTION_SIZE:
	case OPTION_FLAGS:
		add(h, field, o->size);
		break;
	case OPTION_AUTH:	/* these two fill several fields of a connection */
	case OPTION_AFTER:
		break;
	}
}

static void add_rows(crypto_generichash_state *h, const struct option *rows, const void *base)
{
	for (const struct option *o = rows; o->name; o++)
		if (o->size)
			add_field(h, o, (const char *)base + o->at);
}

void schedule_sum(const struct connection *c, const uint8_t key[VISITED_KEY], uint8_t sum[VISITED_SUM])
{
	crypto_generichash_state h;

	static_assert(VISITED_SUM >= (int)crypto_generichash_BYTES_MIN, "a sum of libsodium's");
	(void)crypto_generichash_init(&h, key, VISITED_KEY, VISITED_SUM);
	add_rows(&h, connection_rows, c);
	add(&h, c->auth, c->auth_count);
	add(&h, &c->after, sizeof c->after);
	add_text(&h, c->move_folder);
	(void)crypto_generichash_final(&h, sum, VISITED_SUM);
	sodium_memzero(&h, sizeof h);
}
