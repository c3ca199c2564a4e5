/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the working child tells its supervisor through shared memory: enough to say, after a hang or
 * a crash, how far it had come.
 */
#ifndef SHARED_H
#define SHARED_H

#include <stdatomic.h>
#include <stdint.h>

#include "options.h"

struct shared_counts {
	_Atomic uint64_t attempts, acknowledged, refused, failed;
} __attribute__((aligned(64)));	/* a cache line a writer */

struct shared {
	_Atomic(const char *) phase;	/* static strings: valid on both sides of fork() */
	_Atomic uint64_t removals, lost, wrong;
	struct shared_counts writer[WRITERS_MAX];
};

#define shared_bump(counter) \
	atomic_store_explicit(&(counter), atomic_load_explicit(&(counter), memory_order_relaxed) + 1, \
			      memory_order_relaxed)

static inline void shared_phase(struct shared *s, const char *phase)
{
	atomic_store_explicit(&s->phase, phase, memory_order_relaxed);
}

/* Sum over the writers of one member of struct shared_counts. */
#define shared_sum(s, member) \
	({ \
		uint64_t sum_ = 0; \
		for (unsigned int w_ = 0; w_ < WRITERS_MAX; w_++) \
			sum_ += atomic_load_explicit(&(s)->writer[w_].member, memory_order_relaxed); \
		sum_; \
	})

#endif
