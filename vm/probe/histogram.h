/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Latencies in nanoseconds, log-linear: exact below 64 ns, above that 64 steps an octave, so that a
 * quantile is off by less than 1/64 of itself. Fixed size, however many are recorded.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64u
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 59u)

struct histogram {
	uint64_t count, min, max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);
/*
 * Nearest-rank quantile, @permille 1 .. 1000 (500 is the median): the middle of the bucket of the
 * smallest recorded value that at least that share does not exceed, within min .. max. 0 if empty.
 */
uint64_t histogram_quantile(const struct histogram *h, unsigned int permille);

#endif
