// SPDX-License-Identifier: GPL-2.0-only
#include "record.h"

#include <stdbool.h>
#include <string.h>

#include "crc32c.h"
#include "prng.h"

#define MAGIC 0x43524b45u /* "EKRC" */

struct header {
	uint32_t magic;
	uint32_t writer;
	uint64_t seq;
	uint64_t run;
	uint32_t size;
	uint32_t crc;
};

_Static_assert(sizeof(struct header) == RECORD_MIN, "the header is the smallest record");

static uint64_t run_of(uint64_t seed)
{
	struct prng p;

	prng_init(&p, seed, 0x7265636f7264ULL);
	return prng_next(&p);
}

static uint32_t checksum(const struct header *h, const unsigned char *body, uint32_t size)
{
	uint32_t crc = crc32c(0, h, offsetof(struct header, crc));

	return crc32c(crc, body, size - sizeof(*h));
}

void record_make(void *buf, uint32_t size, uint64_t seed, uint32_t writer, uint64_t seq)
{
	struct header h = { MAGIC, writer, seq, run_of(seed), size, 0 };
	unsigned char *body = (unsigned char *)buf + sizeof(h);
	struct prng p;

	if (size > sizeof(h)) {
		prng_init(&p, h.run ^ writer, seq);
		prng_fill(&p, body, size - sizeof(h));
	}
	h.crc = checksum(&h, body, size);
	memcpy(buf, &h, sizeof(h));
}

static bool all_zero(const unsigned char *b, uint32_t size)
{
	return b[0] == 0 && !memcmp(b, b + 1, size - 1);
}

enum record_state record_check(const void *buf, uint32_t size, uint64_t seed, uint32_t *writer,
			       uint64_t *seq)
{
	struct header h;

	memcpy(&h, buf, sizeof(h));
	if (h.magic != MAGIC || h.size != size || h.run != run_of(seed) ||
	    h.crc != checksum(&h, (const unsigned char *)buf + sizeof(h), size))
		return all_zero(buf, size) ? RECORD_ZERO : RECORD_WRONG;
	if (writer)
		*writer = h.writer;
	if (seq)
		*seq = h.seq;
	return RECORD_INTACT;
}
