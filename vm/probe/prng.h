/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Seeded pseudo-random numbers: the same seed and stream give the same numbers on every machine.
 * Not for secrets. The algorithm is splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
 * number generators", 2014), whose output for a given state is fixed.
 */
#ifndef PRNG_H
#define PRNG_H

#include <stddef.h>
#include <stdint.h>

struct prng {
	uint64_t state;
};

/* @stream tells independent users of one seed apart. */
void prng_init(struct prng *p, uint64_t seed, uint64_t stream);
uint64_t prng_next(struct prng *p);
/* Uniform in 0 .. bound-1; 0 if bound is 0. */
uint64_t prng_below(struct prng *p, uint64_t bound);
void prng_fill(struct prng *p, void *buf, size_t len);

#endif
