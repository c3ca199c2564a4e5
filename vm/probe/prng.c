// SPDX-License-Identifier: GPL-2.0-only
#include "prng.h"

#include <string.h>

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void prng_init(struct prng *p, uint64_t seed, uint64_t stream)
{
	p->state = mix(seed) ^ mix(stream + 0x632be59bd9b4e019ULL);
}

uint64_t prng_next(struct prng *p)
{
	p->state += 0x9e3779b97f4a7c15ULL;
	return mix(p->state);
}

uint64_t prng_below(struct prng *p, uint64_t bound)
{
	uint64_t limit, x;

	if (!bound)
		return 0;
	/* Reject the incomplete last interval, otherwise small values would come up more often. */
	limit = UINT64_MAX - UINT64_MAX % bound;
	do {
		x = prng_next(p);
	} while (x >= limit);
	return x % bound;
}

void prng_fill(struct prng *p, void *buf, size_t len)
{
	unsigned char *b = buf;

	while (len) {
		uint64_t x = prng_next(p);
		size_t n = len < sizeof(x) ? len : sizeof(x);

		memcpy(b, &x, n);
		b += n;
		len -= n;
	}
}
