// SPDX-License-Identifier: GPL-2.0-only
#include "histogram.h"

static unsigned int index_of(uint64_t v)
{
	unsigned int shift;

	if (v < HISTOGRAM_STEPS)
		return (unsigned int)v;
	/* 6 bits after the leading one choose the step within the octave. */
	shift = 63u - (unsigned int)__builtin_clzll(v) - 6u;
	return (shift + 1) * HISTOGRAM_STEPS + (unsigned int)((v >> shift) - HISTOGRAM_STEPS);
}

static uint64_t middle_of(unsigned int i)
{
	unsigned int shift;

	if (i < 2 * HISTOGRAM_STEPS)
		return i;
	shift = i / HISTOGRAM_STEPS - 1;
	return ((uint64_t)(HISTOGRAM_STEPS + i % HISTOGRAM_STEPS) << shift) + (1ULL << (shift - 1));
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	if (!h->count || ns < h->min)
		h->min = ns;
	if (ns > h->max)
		h->max = ns;
	h->count++;
	h->bucket[index_of(ns)]++;
}

uint64_t histogram_quantile(const struct histogram *h, unsigned int permille)
{
	uint64_t rank, seen = 0;

	if (!h->count)
		return 0;
	/* Split, so that large counts do not overflow: ceil(count * permille / 1000). */
	rank = h->count / 1000 * permille + (h->count % 1000 * permille + 999) / 1000;
	if (!rank)
		rank = 1;
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank) {
			uint64_t v = middle_of(i);

			return v < h->min ? h->min : v > h->max ? h->max : v;
		}
	}
	return h->max;
}
