/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/told.h"

#include <stdlib.h>

#include "base/log.h"

struct told {
	struct visit_step *steps;
	size_t count, room;
};

static void must(const void *there)
{
	if (there)
		return;
	log_error(NULL, "collect: out of memory");
	abort();
}

static char *copy_of(const char *text)
{
	char *copy = strdup(text);

	must(copy);
	return copy;
}

static void forget(struct visit_step *s)
{
	for (size_t n = 0; n < s->mech_count; n++)
		free((char *)s->mechs[n].text);
	free((struct visit_mech *)s->mechs);
	free((char *)s->text);
}

struct told *told_new(void)
{
	struct told *t = calloc(1, sizeof *t);

	must(t);
	return t;
}

static struct visit_step *place(struct told *t)
{
	if (t->count == TOLD_MAX) {
		forget(&t->steps[TOLD_MAX - 1]);
		return &t->steps[TOLD_MAX - 1];
	}
	if (t->count == t->room) {
		t->room = t->room ? t->room * 2 : 16;
		t->steps = reallocarray(t->steps, t->room, sizeof *t->steps);
		must(t->steps);
	}
	return &t->steps[t->count++];
}

void told_add(struct told *t, const struct visit_step *step)
{
	struct visit_mech *mechs = step->mech_count ? calloc(step->mech_count, sizeof *mechs) : NULL;
	struct visit_step *s = place(t);

	*s = *step;
	s->text = copy_of(step->text);
	s->mechs = mechs;
	if (!step->mech_count)
		return;
	must(mechs);
	for (size_t n = 0; n < step->mech_count; n++) {
		mechs[n] = step->mechs[n];
		mechs[n].text = copy_of(step->mechs[n].text);
	}
}

const struct visit_step *told_at(const struct told *t, size_t n)
{
	return n < t->count ? &t->steps[n] : NULL;
}

void told_free(struct told **out)
{
	struct told *t = *out;

	if (!t)
		return;
	while (t->count)
		forget(&t->steps[--t->count]);
	free(t->steps);
	free(t);
	*out = NULL;
}
