/* SPDX-License-Identifier: GPL-2.0-only */
/* Writers against a thread that removes and adds the key: what race-append and race-held share. */
#ifndef RACE_H
#define RACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "acklog.h"
#include "probe.h"

struct race;

struct writer {
	struct race *race;
	struct shared_counts *counts;
	struct acklog log;		/* tag + 1 by number of the write */
	struct errmap errs;
	pthread_t thread;
	uint32_t index;
	char path[64];			/* relative to the root descriptor */
	char name[32];
	int fd;				/* race-held, else -1 */
	uint64_t issued;		/* writes issued: numbers 0 .. issued-1 are used up */
	uint64_t attempts, acknowledged, refused, failed, overlapped;
	unsigned char *buf;
	struct prng prng;		/* for its pauses */
} __attribute__((aligned(64)));

struct race {
	struct probe *p;
	struct case_result *c;
	const struct options *o;
	bool held;
	struct writer *writers;
	/* What the remover is at: cycle << 3 | enum race_phase. Only ever grows. */
	_Atomic uint32_t tag;
	atomic_bool stop;
	_Atomic uint32_t active;	/* writers that still run */
	/* Removals that met an acknowledged attempt; the newest of them + 1. */
	_Atomic uint32_t overlapped, overlapped_last;
};

#define TAG(cycle, phase) ((uint32_t)(cycle) << 3 | (uint32_t)(phase))
#define TAG_CYCLE(tag) ((tag) >> 3)
#define TAG_PHASE(tag) ((enum race_phase)((tag) & 7))
/* Cycles that fit in a tag. */
#define RACE_CYCLES_MAX ((1u << 29) - 2)

/*
 * Was a removal under way in an attempt that began at tag @begin and ended at tag @end? Gives the
 * newest such cycle + 1, or 0.
 */
uint32_t race_overlap(uint32_t begin, uint32_t end);

void *race_writer(void *writer);
/* After probe_remount(): fills the loss counters of the case. */
void race_verify(struct race *r);

/*
 * The reading back of one file of appended records. @present: a bit a write of writer 0 ..
 * @writers-1, set where an intact copy is found; @issued: how many bits there are of each.
 * @only: the writer whose file it is, or -1 when all share it.
 */
struct append_scan {
	uint64_t seed;
	uint32_t size;			/* of a record */
	uint32_t writers;
	int64_t only;
	const uint64_t *issued;
	unsigned char **present;
	struct errmap *errs;
	uint64_t bytes, zero_slots, wrong, duplicates;	/* results, added to */
};
void append_scan(struct append_scan *s, int fd);

/*
 * The same for bare bytes: byte n of the file is the acknowledged append n. Calls @lost for each
 * n below @acknowledged that is not there. Adds to @extra the bytes that were never acknowledged.
 */
void byte_scan(int fd, uint64_t acknowledged, struct errmap *errs,
	       void (*lost)(void *ctx, uint64_t n, const char *found), void *ctx,
	       struct append_scan *s, uint64_t *extra);

#endif
