/* SPDX-License-Identifier: Apache-2.0
 * Virtual time and seeded randomness for the rooms: ld's --wrap puts these in
 * place of base/clock.h's, and of the one system call that would wait for the
 * committer's thread, which here is the queue of events. */
#include <pthread.h>

#include "base/clock.h"
#include "sim.h"

enum { EPOCH_S = 1767225600 };		/* 2026-01-01 */

int64_t __wrap_clock_now_s(void);
uint64_t __wrap_clock_mono_ms(void);
void __wrap_random_fill(void *at, size_t len);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);

int64_t __wrap_clock_now_s(void)
{
	return EPOCH_S + world->set_s + (int64_t)(world->now_us / 1000000);
}

uint64_t __wrap_clock_mono_ms(void)
{
	return world->now_us / 1000;
}

void __wrap_random_fill(void *at, size_t len)
{
	for (char *p = at; len--; p++)
		*p = (char)chance();
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	(void)cond;
	(void)pthread_mutex_unlock(mutex);
	disk_push();
	return pthread_mutex_lock(mutex);
}
