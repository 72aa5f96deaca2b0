/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/netset.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"

enum { ROOM_FIRST = 16, SIX = 16, FOUR = 4 };

static_assert(NETSET_KEY == crypto_shorthash_KEYBYTES && crypto_shorthash_BYTES == sizeof(uint64_t), "SipHash");

struct name {		/* no padding: it is hashed and compared as octets */
	uint8_t octets[SIX];
	uint8_t six, bits;
};

struct netset_slot {
	struct name name;
	bool used;
	uint32_t number;
};

/* False for what is neither IPv4 nor IPv6. */
static bool name_of(const union address *given, struct name *name)
{
	union address a = *given;

	(void)address_unmap(&a);
	*name = (struct name){ .six = a.any.sa_family == AF_INET6 };
	if (name->six)
		memcpy(name->octets, &a.v6.sin6_addr, SIX);
	else if (a.any.sa_family == AF_INET)
		memcpy(name->octets, &a.v4.sin_addr, FOUR);
	return name->six || a.any.sa_family == AF_INET;
}

/* The same with only its first bits. */
static void shorten(struct name *name, unsigned bits)
{
	name->bits = (uint8_t)bits;
	if (bits % 8)
		name->octets[bits / 8] &= (uint8_t)(0xff << (8 - bits % 8));
	for (size_t i = (bits + 7) / 8; i < SIX; i++)
		name->octets[i] = 0;
}

static size_t home(const struct netset *s, const struct name *name)
{
	uint64_t hash;

	(void)crypto_shorthash((unsigned char *)&hash, (const unsigned char *)name, sizeof *name, s->key);
	return (size_t)hash & (s->room - 1);
}

/* Its slot, or the empty one where it would be. */
static struct netset_slot *find(const struct netset *s, const struct name *name)
{
	size_t i = home(s, name);

	while (s->slots[i].used && memcmp(&s->slots[i].name, name, sizeof *name) != 0)
		i = (i + 1) & (s->room - 1);
	return &s->slots[i];
}

void netset_start(struct netset *s)
{
	*s = (struct netset){ 0 };
	random_fill(s->key, sizeof s->key);
}

void netset_end(struct netset *s)
{
	free(s->slots);
	*s = (struct netset){ 0 };
}

/* Never more than half full. */
static bool grow(struct netset *s)
{
	struct netset_slot *old = s->slots;
	size_t room = s->room;

	s->room = room ? room * 2 : ROOM_FIRST;
	s->slots = calloc(s->room, sizeof *s->slots);
	if (!s->slots) {
		s->slots = old;
		s->room = room;
		return false;
	}
	for (size_t i = 0; i < room; i++)
		if (old[i].used)
			*find(s, &old[i].name) = old[i];
	free(old);
	return true;
}

static bool name_of_network(const struct network *n, struct name *name)
{
	bool good = name_of(&n->base, name);

	if (good)
		shorten(name, n->bits);
	return good;
}

bool netset_put(struct netset *s, const struct network *n, uint32_t number)
{
	struct netset_slot *slot;
	struct name name;

	if (!name_of_network(n, &name) || ((s->count + 1) * 2 > s->room && !grow(s)))
		return false;
	slot = find(s, &name);
	if (!slot->used) {
		s->count++;
		s->families[name.six]++;
		s->lengths[name.six][name.bits]++;
	}
	*slot = (struct netset_slot){ name, true, number };
	return true;
}

bool netset_remove(struct netset *s, const struct network *n)
{
	struct netset_slot *slot;
	struct name name;
	size_t hole, i;

	if (!s->count || !name_of_network(n, &name))
		return false;
	slot = find(s, &name);
	if (!slot->used)
		return false;
	s->count--;
	s->families[name.six]--;
	s->lengths[name.six][name.bits]--;
	hole = (size_t)(slot - s->slots);
	for (i = (hole + 1) & (s->room - 1); s->slots[i].used; i = (i + 1) & (s->room - 1)) {
		size_t from_home = (i - home(s, &s->slots[i].name)) & (s->room - 1);

		if (from_home < ((i - hole) & (s->room - 1)))
			continue;	/* its home is behind the hole: it stays */
		s->slots[hole] = s->slots[i];
		hole = i;
	}
	s->slots[hole] = (struct netset_slot){ 0 };
	return true;
}

bool netset_get(const struct netset *s, const struct network *n, uint32_t *number)
{
	struct netset_slot *slot;
	struct name name;

	if (!s->count || !name_of_network(n, &name))
		return false;
	slot = find(s, &name);
	if (slot->used)
		*number = slot->number;
	return slot->used;
}

bool netset_around(const struct netset *s, const union address *a, int *bits, uint32_t *number)
{
	struct name name;

	if (!s->count || !name_of(a, &name) || !s->families[name.six])
		return false;
	if (!name.six && *bits > NETSET_V4_BITS)
		*bits = NETSET_V4_BITS;
	while (*bits >= 0) {
		unsigned n = (unsigned)(*bits)--;
		struct netset_slot *slot;

		if (!s->lengths[name.six][n])
			continue;
		shorten(&name, n);
		slot = find(s, &name);
		if (slot->used) {
			*number = slot->number;
			return true;
		}
	}
	return false;
}

bool netset_has(const struct netset *s, const union address *a)
{
	int bits = NETSET_V6_BITS;
	uint32_t number;

	return netset_around(s, a, &bits, &number);
}
