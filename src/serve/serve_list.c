/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve_list.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "serve/session.h"

struct listing {
	struct worker **workers;
	uint64_t after;
	struct serve_session *rows;
	size_t count, max;		/* max: of one loop's */
};

static void list_worker(struct loop *l, unsigned index, void *user)
{
	struct listing *g = user;
	uint64_t now = clock_mono_ms();
	size_t n = 0;

	(void)l;
	for (const struct session *s = g->workers[index]->all; s && n < g->max; s = s->after) {
		struct serve_session *row = &g->rows[g->count];

		if (s->id <= g->after || !s->conn)
			continue;
		*row = (struct serve_session){ .id = s->id, .tls = conn_is_tls(s->conn), .age_ms = now - s->began_ms,
			.messages = s->messages, .octets = s->octets };
		(void)snprintf(row->account, sizeof row->account, "%s", s->account ? s->account : "");
		(void)snprintf(row->peer, sizeof row->peer, "%s", conn_peer(s->conn));
		(void)snprintf(row->listener, sizeof row->listener, "%s", s->door->name);
		g->count++;
		n++;
	}
}

static int by_id(const void *a, const void *b)
{
	const struct serve_session *one = a, *other = b;

	return (one->id > other->id) - (one->id < other->id);
}

size_t serve_list(struct loops *loops, struct worker **workers, uint64_t after, struct serve_session *out, size_t max)
{
	unsigned count = loops_count(loops);
	struct listing g = { .workers = workers, .after = after, .max = max, .rows = calloc(max * count, sizeof *out) };

	if (!g.rows)
		return 0;
	for (unsigned n = 0; n < count; n++)
		loops_call(loops, n, list_worker, &g);
	qsort(g.rows, g.count, sizeof *g.rows, by_id);
	if (g.count > max)
		g.count = max;
	memcpy(out, g.rows, g.count * sizeof *out);
	free(g.rows);
	return g.count;
}
