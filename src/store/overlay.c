/* SPDX-License-Identifier: Apache-2.0 */
#include "store/overlay.h"

static int compare(const uint8_t *one, const uint8_t *two)
{
	return memcmp(one, two, OVERLAY_ID);
}

/* xorshift64: what makes a treap shallow is only that keys do not choose it. */
static uint64_t random_order(struct overlay *o)
{
	uint64_t x = o->seed ? o->seed : 0x9e3779b97f4a7c15u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return o->seed = x;
}

/* Parts the tree below *at into ids smaller than `id` and greater ones. */
static void split(struct put *at, const uint8_t *id, struct put **smaller, struct put **greater)
{
	while (at) {
		if (compare(put_id(at), id) < 0) {
			*smaller = at;
			smaller = &at->right;
			at = at->right;
		} else {
			*greater = at;
			greater = &at->left;
			at = at->left;
		}
	}
	*smaller = *greater = NULL;
}

/* All ids of `one` are smaller than all of `two`. */
static struct put *join(struct put *one, struct put *two)
{
	struct put *root = NULL, **at = &root;

	while (one && two) {
		if (one->order > two->order) {
			*at = one;
			at = &one->right;
			one = one->right;
		} else {
			*at = two;
			at = &two->left;
			two = two->left;
		}
	}
	*at = one ? one : two;
	return root;
}

/* Where the tree refers to `id`, or would: NULL behind the pointer. */
static struct put **place_of(struct overlay *o, const uint8_t *id)
{
	struct put **at = &o->root;

	while (*at) {
		int order = compare(id, put_id(*at));

		if (!order)
			break;
		at = order < 0 ? &(*at)->left : &(*at)->right;
	}
	return at;
}

void overlay_add(struct overlay *o, struct put *p)
{
	struct put **at = place_of(o, put_id(p));

	if (*at) {		/* an older put of this id: take its place */
		struct put *old = *at;

		p->left = old->left;
		p->right = old->right;
		p->order = old->order;
		old->shown = false;
		*at = p;
	} else {
		p->order = random_order(o);
		at = &o->root;
		while (*at && (*at)->order > p->order)
			at = compare(put_id(p), put_id(*at)) < 0 ? &(*at)->left : &(*at)->right;
		split(*at, put_id(p), &p->left, &p->right);
		*at = p;
	}
	p->shown = true;
}

void overlay_remove(struct overlay *o, struct put *p)
{
	if (!p->shown)
		return;
	*place_of(o, put_id(p)) = join(p->left, p->right);
	p->shown = false;
}

struct put *overlay_find(const struct overlay *o, const uint8_t id[OVERLAY_ID])
{
	struct put *at = o->root;

	while (at) {
		int order = compare(id, put_id(at));

		if (!order)
			return at;
		at = order < 0 ? at->left : at->right;
	}
	return NULL;
}

struct put *overlay_next(const struct overlay *o, const uint8_t *after)
{
	struct put *at = o->root, *best = NULL;

	while (at) {
		if (!after || compare(put_id(at), after) > 0) {
			best = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	return best;
}
