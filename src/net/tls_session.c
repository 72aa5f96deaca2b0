/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "net/tls_inside.h"

struct tls_saved {
	struct tls_saved *next;		/* older */
	SSL_SESSION *session;
	uint64_t generation;
	struct tls_basis basis;
	int64_t judged;
	uint16_t port;
	char host[];
};

void tls_sessions_start(struct tls_sessions *s)
{
	*s = (struct tls_sessions){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

static void give_back(struct tls_saved *saved)
{
	SSL_SESSION_free(saved->session);
	free(saved);
}

void tls_sessions_end(struct tls_sessions *s)
{
	for (size_t i = 0; i < TLS_HOSTS; i++) {
		while (s->saved[i]) {
			struct tls_saved *saved = s->saved[i];

			s->saved[i] = saved->next;
			give_back(saved);
		}
	}
	(void)pthread_mutex_destroy(&s->lock);
}

/* FNV-1a */
static struct tls_saved **bucket(struct tls_sessions *s, const char *host, uint16_t port)
{
	uint32_t hash = 2166136261u ^ port;

	for (; *host; host++)
		hash = (hash ^ (unsigned char)*host) * 16777619u;
	return &s->saved[hash % TLS_HOSTS];
}

/* Takes the saved session of that server out of its bucket. */
static struct tls_saved *take(struct tls_saved **at, const char *host, uint16_t port)
{
	for (; *at; at = &(*at)->next) {
		struct tls_saved *saved = *at;

		if (saved->port == port && !strcmp(saved->host, host)) {
			*at = saved->next;
			return saved;
		}
	}
	return NULL;
}

/* The newest in front; what is too much is the oldest of the bucket. */
static struct tls_saved *put(struct tls_saved **at, struct tls_saved *saved)
{
	struct tls_saved *surplus;

	saved->next = *at;
	*at = saved;
	for (size_t n = 0; *at && n < TLS_HOSTS_EACH; n++)
		at = &(*at)->next;
	surplus = *at;
	*at = NULL;
	assert(!surplus || !surplus->next);
	return surplus;
}

void tls_sessions_put(struct tls_sessions *s, const char *host, uint16_t port, SSL_SESSION *session,
	uint64_t generation, const struct tls_basis *basis, int64_t judged)
{
	size_t size = strlen(host) + 1;
	struct tls_saved *saved = calloc(1, sizeof *saved + size), *old, *surplus, **at = bucket(s, host, port);

	if (!saved) {			/* no harm: the next handshake is a full one */
		SSL_SESSION_free(session);
		return;
	}
	memcpy(saved->host, host, size);
	saved->port = port;
	saved->session = session;
	saved->generation = generation;
	saved->basis = *basis;
	saved->judged = judged;
	(void)pthread_mutex_lock(&s->lock);
	old = take(at, host, port);
	surplus = put(at, saved);
	(void)pthread_mutex_unlock(&s->lock);
	if (old)
		give_back(old);
	if (surplus)
		give_back(surplus);
}

/* Whoever resumes again and again would never see the certificate again: not that it expired, nor that it was revoked. */
static bool is_stale(const struct tls_saved *saved, uint64_t generation, int64_t now)
{
	return saved->generation != generation || now < saved->judged || now - saved->judged >= TLS_RESUMES_S;
}

SSL_SESSION *tls_sessions_get(struct tls_sessions *s, const char *host, uint16_t port, uint64_t generation, int64_t now,
	struct tls_basis *basis, int64_t *judged)
{
	struct tls_saved **at = bucket(s, host, port), *saved, *stale = NULL;
	SSL_SESSION *session = NULL;

	(void)pthread_mutex_lock(&s->lock);
	saved = take(at, host, port);
	if (saved && is_stale(saved, generation, now)) {
		stale = saved;		/* its server is judged anew */
	} else if (saved) {
		*basis = saved->basis;
		*judged = saved->judged;
		if (SSL_SESSION_up_ref(saved->session))
			session = saved->session;
		(void)put(at, saved);	/* in front again; there was room for it */
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (stale)
		give_back(stale);
	return session;
}

void tls_sessions_drop(struct tls_sessions *s, const char *host, uint16_t port)
{
	struct tls_saved *saved;

	(void)pthread_mutex_lock(&s->lock);
	saved = take(bucket(s, host, port), host, port);
	(void)pthread_mutex_unlock(&s->lock);
	if (saved)
		give_back(saved);
}
