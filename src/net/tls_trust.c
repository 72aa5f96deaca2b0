/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

#include "net/tls_inside.h"

enum { FIRST_ROOM = 16 };

struct tls_trust_set {
	atomic_uint holders;
	uint64_t generation;
	struct tls_accepted *list;
	size_t count, room;
};

struct tls_trust {
	pthread_mutex_t lock;
	struct tls_trust_set *now;	/* NULL: nothing */
	uint64_t generation;
};

struct tls_trust *tls_trust_new(struct err *e)
{
	struct tls_trust *t = calloc(1, sizeof *t);

	if (!t)
		(void)err_set(e, ERR_LOCAL, "out of memory");
	else
		(void)pthread_mutex_init(&t->lock, NULL);
	return t;
}

struct tls_trust_set *tls_trust_set_new(void)
{
	struct tls_trust_set *set = calloc(1, sizeof *set);

	if (set)
		set->holders = 1;
	return set;
}

void tls_trust_set_free(struct tls_trust_set **out)
{
	struct tls_trust_set *set = *out;

	*out = NULL;
	if (!set || atomic_fetch_sub(&set->holders, 1) > 1)
		return;
	for (size_t n = 0; n < set->count; n++) {
		X509_free(set->list[n].cert);
		free(set->list[n].host);
	}
	free(set->list);
	free(set);
}

void tls_trust_free(struct tls_trust **out)
{
	struct tls_trust *t = *out;

	*out = NULL;
	if (!t)
		return;
	tls_trust_set_free(&t->now);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

static X509 *read_certificate(struct span pem)
{
	BIO *b = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
	X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;

	(void)BIO_free(b);
	ERR_clear_error();
	return x;
}

static bool make_room(struct tls_trust_set *set)
{
	size_t room = set->room ? set->room * 2 : FIRST_ROOM;
	struct tls_accepted *more;

	if (set->count < set->room)
		return true;
	more = reallocarray(set->list, room, sizeof *more);
	if (!more)
		return false;
	set->list = more;
	set->room = room;
	return true;
}

bool tls_trust_add(struct tls_trust_set *set, const struct tls_trusted *one)
{
	struct tls_accepted a = { .basis.kind = (uint8_t)one->kind, .port = one->port };
	unsigned len;

	if (!one->host && one->kind == TLS_TRUST_KEY)
		return false;
	a.cert = read_certificate(one->pem);
	a.host = one->host ? strdup(one->host) : NULL;
	if (a.cert && (a.host || !one->host) && make_room(set) && tls_key_digest(a.cert, a.key) &&
	    X509_digest(a.cert, EVP_sha256(), a.basis.sha256, &len) == 1) {
		set->list[set->count++] = a;
		return true;
	}
	X509_free(a.cert);
	free(a.host);
	ERR_clear_error();
	return false;
}

void tls_trust_put(struct tls_trust *t, struct tls_trust_set **set)
{
	struct tls_trust_set *old;

	(void)pthread_mutex_lock(&t->lock);
	old = t->now;
	t->now = *set;
	t->generation++;
	if (t->now)
		t->now->generation = t->generation;
	(void)pthread_mutex_unlock(&t->lock);
	*set = NULL;
	tls_trust_set_free(&old);
}

uint64_t tls_trust_generation(struct tls_trust *t)
{
	uint64_t generation;

	if (!t)
		return 0;
	(void)pthread_mutex_lock(&t->lock);
	generation = t->generation;
	(void)pthread_mutex_unlock(&t->lock);
	return generation;
}

struct tls_trust_set *tls_trust_take(struct tls_trust *t, uint64_t *generation)
{
	struct tls_trust_set *set;

	*generation = 0;
	if (!t)
		return NULL;
	(void)pthread_mutex_lock(&t->lock);
	set = t->now;
	*generation = t->generation;
	if (set)
		atomic_fetch_add(&set->holders, 1);
	(void)pthread_mutex_unlock(&t->lock);
	return set;
}

const struct tls_accepted *tls_trust_next(const struct tls_trust_set *set, const struct tls_peer *p, const struct tls_accepted *after)
{
	const struct tls_accepted *end = set ? set->list + set->count : NULL;

	for (const struct tls_accepted *a = after ? after + 1 : set ? set->list : NULL; a < end; a++)
		if (a->host ? a->port == p->port && !strcasecmp(a->host, p->host) : !p->client->settings.ca_certificates)
			return a;
	return NULL;
}
