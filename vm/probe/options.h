/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line, checked. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"

#define PROBE_VERSION "1.0.0"
#define SCHEMA 1
#define SEED_MAX ((1ULL << 53) - 1)	/* exact in every JSON reader */
#define WRITERS_MAX 64u
#define BLOCK 65536u			/* "aligned64k", and what the other probes write */

/* GAP_BEFORE: the write comes before the removal, and syncfs into the gap. */
enum gap { GAP_NONE, GAP_FSYNC, GAP_SYNC, GAP_SYNCFS, GAP_BEFORE, GAP_COUNT };
enum bound { BOUND_ATTEMPTS, BOUND_ACKS, BOUND_CYCLES, BOUND_SECONDS };

extern const char *const gap_names[GAP_COUNT];
extern const char *const bound_names[];

struct options {
	const struct probe_def *probe;
	const char *mount, *device, *fstype, *mount_options, *ack_dir;
	uint64_t seed;
	uint32_t deadline_s;
	bool progress, keep_logs;
	uint32_t cycles;
	enum gap gaps[GAP_COUNT];
	unsigned int gap_count;
	uint32_t park_ms;
	/* Races. */
	enum bound bound;
	uint64_t bound_value;
	uint32_t writers;
	bool shared_file, flush, aligned;
	uint32_t record_size;	/* bytes; 1 is the bare byte; BLOCK with aligned */
	uint32_t present_us, absent_us;
	uint32_t pause_every;	/* attempts between two pauses of a writer, on average; 0: none */
	uint32_t pause_us;
};

/*
 * Returns -1 to go on, or the exit status: 0 after --help, 2 after a usage error (one line on
 * stderr). Nothing but the strings is looked at; the file system is not touched.
 */
int options_parse(struct options *o, int argc, char **argv);
void options_json(const struct options *o, struct json *j, const char *key);

#endif
