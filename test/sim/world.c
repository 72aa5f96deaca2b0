/* SPDX-License-Identifier: Apache-2.0
 * The world's memory, its random numbers, what it tells, and where it crashes. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim.h"

static const size_t memory_size = 1u << 30;	/* reserved, not used */

struct world *world;

static size_t rounded(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

void world_make(void)
{
	void *at = mmap(NULL, memory_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED) {
		perror("sim: no memory for a world");
		exit(2);
	}
	world = at;
}

uint64_t mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

void world_begin(uint64_t seed)
{
	struct world kept = { .visits = world->visits, .crashes = world->crashes, .cuts = world->cuts, .collected = world->collected,
		.lives = world->lives, .faults = world->faults, .handed = world->handed,
		.doubled = world->doubled, .shows = world->shows };

	*world = kept;
	world->seed = seed;
	world->random[0] = mixed(seed);
	world->random[1] = mixed(world->random[0] ^ seed);
	world->taken = rounded(sizeof *world);
	world->uid_validity = 1 + (uint32_t)below(1000);
	world->uid_next = 1 + (uint32_t)below(100);
}

void *world_take(size_t size)
{
	char *at = (char *)world + world->taken;

	if (size > memory_size - world->taken - 16) {
		(void)fputs("sim: the world's memory is used up\n", stderr);
		abort();
	}
	world->taken += rounded(size);
	memset(at, 0, size);
	return at;
}

/* xoroshiro128+ */
uint64_t chance(void)
{
	uint64_t a = world->random[0], b = world->random[1], sum = a + b;

	b ^= a;
	world->random[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
	world->random[1] = b << 37 | b >> 27;
	return sum;
}

uint64_t below(uint64_t n)
{
	return (chance() >> 11) % n;
}

bool one_in(uint64_t n)
{
	return below(n) == 0;
}

bool percent(uint64_t n)
{
	return below(100) < n;
}

uint64_t log_below(uint64_t n)
{
	uint64_t some = below(n);	/* by itself: compilers differ in what they do first within one expression */
	unsigned bits = 0;

	while (n >> bits)
		bits++;
	return some & ((1ull << below(bits + 1)) - 1);
}

bool peaceful(void)
{
	return world->calm || world->peace;
}

bool fault(uint64_t n)
{
	if (peaceful() || !one_in(n))
		return false;
	world->faults++;
	return true;
}

void told(const char *format, ...)
{
	char *line = world->trace[world->traced++ % TRACE_LINES];
	int n = snprintf(line, TRACE_LINE, "%12.6f ", (double)world->now_us / 1e6);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line + n, TRACE_LINE - (size_t)n, format, args);
	va_end(args);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = '~';
	if (world->shows)
		(void)fprintf(stderr, "%s\n", line);
}

_Noreturn void violation(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(world->violation, sizeof world->violation, format, args);
	va_end(args);
	told("VIOLATION %s", world->violation);
	_exit(1);
}

/* Our process ends here; first the disk, then what is still on the wire. */
_Noreturn static void crash(void)
{
	told("CRASH: %s", world->plan.power ? "power cut" : "kill -9");
	world->crash_at_step = world->crash_at_deed = 0;
	world->crashed = world->forgets = true;
	world->crashes++;
	disk_crash();
	maildir_crash();
	net_crash();
	deliver_crash();
	_exit(0);
}

void step(void)
{
	if (++world->steps == world->crash_at_step)
		crash();
}

void deed(void)
{
	if (++world->deeds == world->crash_at_deed)
		crash();
	step();
}
