/* SPDX-License-Identifier: Apache-2.0
 *
 * Files on their way into a Maildir or a folder: whose they are, and what a crash left of them, which
 * the first job of a place takes away. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/inside.h"
#include "store/ledger.h"

struct swept {
	struct swept *next;
	char place[];
};

static pthread_mutex_t sweeping = PTHREAD_MUTEX_INITIALIZER;	/* the list, and that nobody writes before the sweep */

/* Only what deliveries of this state on this host wrote may be swept; and a name given out for
 * this place can be told from one of another. */
void deliver_tag(const struct deliveries *all, const char *place, uint8_t out[8])
{
	char text[2 * PATH_MAX + MAILDIR_HOST_MAX + 16], state[PATH_MAX], host[MAILDIR_HOST_MAX + 1], given[HOST_NAME_MAX + 1] = "";
	const char *path = store_state(all->with.store);
	uint64_t tag;

	(void)gethostname(given, sizeof given - 1);
	maildir_host(given, host);
	(void)snprintf(text, sizeof text, "%s|%s||deliver|%s", realpath(path, state) ? state : path, host, place);
	tag = ledger_target_tag(text);
	memcpy(out, &tag, sizeof tag);
}

bool deliver_tell(const struct delivery *d, const char *name, struct err *e)
{
	return !d->ask.placing || d->ask.placing(d->ask.user, name, e);
}

static struct swept *swept_new(const char *place)
{
	size_t len = strlen(place) + 1;
	struct swept *s = malloc(sizeof *s + len);

	if (!s)
		abort();	/* a second sweep would take what is being written */
	memcpy(s->place, place, len);
	return s;
}

static bool keep_none([[maybe_unused]] void *user, [[maybe_unused]] const char *name)
{
	return false;
}

void deliver_sweep(struct deliveries *all, const char *place, const uint8_t tag[8], deliver_sweeper *sweep, void *directory)
{
	struct swept *s;

	(void)pthread_mutex_lock(&sweeping);
	for (s = all->swept; s && strcmp(s->place, place) != 0; s = s->next)
		continue;
	if (!s) {
		sweep(directory, tag, all->with.keep ? all->with.keep : keep_none, all->with.user);
		s = swept_new(place);
		s->next = all->swept;
		all->swept = s;
	}
	(void)pthread_mutex_unlock(&sweeping);
}

void deliver_sweep_free(struct deliveries *all)
{
	while (all->swept) {
		struct swept *s = all->swept;

		all->swept = s->next;
		free(s);
	}
}
