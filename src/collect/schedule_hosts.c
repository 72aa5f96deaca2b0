/* SPDX-License-Identifier: Apache-2.0
 * Servers: what is there, and how many visits one may have at once. */
#include <stdlib.h>

#include "collect/schedule_inside.h"

struct host *host_of(struct schedule *s, const char *name, uint16_t port)
{
	struct host *h;

	if (!name)
		return NULL;
	for (size_t n = 0; n < s->host_count; n++)
		if (s->hosts[n]->port == port && strcasecmp(s->hosts[n]->name, name) == 0)
			return s->hosts[n];
	h = calloc(1, sizeof *h);
	schedule_must(h);
	h->name = strdup(name);
	schedule_must(h->name);
	h->port = port;
	h->all = port ? host_of(s, name, 0) : h;
	s->hosts = reallocarray(s->hosts, s->host_count + 1, sizeof(struct host *));
	schedule_must(s->hosts);
	s->hosts[s->host_count++] = h;
	return h;
}

void hosts_drop(struct schedule *s)
{
	size_t kept = 0;

	for (size_t n = 0; n < s->host_count; n++) {
		struct host *h = s->hosts[n];
		bool used = false;

		for (size_t i = 0; i < s->count && !used; i++)
			used = s->all[i]->host && (s->all[i]->host == h || s->all[i]->host->all == h);
		if (used) {
			s->hosts[kept++] = h;
			continue;
		}
		free(h->name);
		free(h);
	}
	s->host_count = kept;
}

void host_running(struct planned *p, bool running)
{
	size_t more = running ? 1 : (size_t)-1;

	if (p->host && p->running != running) {
		p->host->running += more;
		if (p->host->all != p->host)
			p->host->all->running += more;
		if (p->slow)
			p->host->all->slow--;
	}
	p->slow = p->slow && p->running == running;
	p->running = running;
}

/* While a server does not answer, one goes first. */
bool hosts_room(const struct schedule *s, const struct host *h)
{
	if (h && h->failures)
		return !h->running;
	return !h || !s->max_per_host || (h->all->running - h->all->slow < s->max_per_host && h->all->running < schedule_places(s->max_per_host));
}

void host_slow(struct planned *p)
{
	if (!p->running || p->slow || !p->host)
		return;
	p->slow = true;
	p->host->all->slow++;
}

void schedule_slow(struct schedule *s, const char *name)
{
	struct planned *p = schedule_one(s, name);

	if (p)
		host_slow(p);
}

void schedule_answered(struct schedule *s, const char *name)
{
	struct planned *p = schedule_one(s, name);

	if (p)
		p->answered = true;
}
