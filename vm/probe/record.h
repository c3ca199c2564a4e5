/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the probes write: records that say who wrote them and when in that writer's order, with a
 * checksum, so that a lost record, a torn one and one of another run can be told apart.
 *
 * Layout, native byte order: magic u32, writer u32, seq u64, run u64 (follows from the seed),
 * size u32, CRC-32C u32 over everything but itself, then size - 32 bytes that follow from the rest.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_MIN 32u
#define RECORD_MAX 65536u

enum record_state {
	RECORD_INTACT,	/* a whole record of this run */
	RECORD_ZERO,	/* nothing but zeros */
	RECORD_WRONG,	/* anything else */
};

/* @size: RECORD_MIN .. RECORD_MAX bytes. */
void record_make(void *buf, uint32_t size, uint64_t seed, uint32_t writer, uint64_t seq);

/* Fills @writer and @seq (either may be NULL) if the answer is RECORD_INTACT. */
enum record_state record_check(const void *buf, uint32_t size, uint64_t seed, uint32_t *writer,
			       uint64_t *seq);

/* The byte that stands for acknowledged append number @n in the bare-byte mode; never 0. */
static inline unsigned char record_byte(uint64_t n)
{
	return (unsigned char)(n % 251 + 1);
}

#endif
