/* SPDX-License-Identifier: GPL-2.0-only */
/* The result of one case: counters in, one JSON object out. README.md, "CASE". */
#ifndef CASE_H
#define CASE_H

#include <linux/fscrypt.h>
#include <stdbool.h>
#include <stdint.h>

#include "errmap.h"
#include "histogram.h"
#include "json.h"

/* In the order of their gravity. */
enum verdict { VERDICT_UNSUPPORTED, VERDICT_KEPT, VERDICT_REFUSED, VERDICT_ALLOWED,
	       VERDICT_INCONCLUSIVE, VERDICT_LOST, VERDICT_ERROR };
extern const char *const verdict_names[];

enum race_phase { PHASE_PRESENT, PHASE_REMOVING, PHASE_ABSENT, PHASE_FLUSHING, PHASE_ADDING,
		  PHASE_COUNT };

#define EXAMPLES_MAX 16u
#define CONTROLS_MAX 6u
#define OBSERVATIONS_MAX 16u

struct lost_example {
	uint32_t writer, cycle;
	uint64_t seq;
	int64_t offset;			/* bytes, -1 unknown */
	enum race_phase phase;
	const char *found;
};

struct control {
	const char *name;
	bool happened;
	char detail[160];
};

struct observation {
	const char *name;
	uint64_t value;
};

struct case_result {
	char name[32];
	enum verdict verdict;
	char reason[256];		/* empty: null */
	uint64_t cycles;
	uint64_t attempts, acknowledged, refused, failed, lost, wrong, unacknowledged_present;
	struct errmap errs, verify_errs, sentinel_errs;
	struct {
		uint64_t count, failed, overlapped, refused_seen;
		uint64_t none, busy, other_users;
		struct histogram latency;
	} removal;
	uint64_t key_status[4];		/* by FSCRYPT_KEY_STATUS_*; 0 unused */
	struct control controls[CONTROLS_MAX];
	unsigned int control_count;
	uint64_t lost_by_phase[PHASE_COUNT];
	struct lost_example examples[EXAMPLES_MAX];
	unsigned int example_count;
	struct observation observations[OBSERVATIONS_MAX];
	unsigned int observation_count;
	uint64_t run_ns;
};

void case_control(struct case_result *c, const char *name, bool happened, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Adds to a counter of the observations, making it at its first use (also with @n 0). */
void case_observe(struct case_result *c, const char *name, uint64_t n);
void case_lost(struct case_result *c, const struct lost_example *example);
/*
 * Decides the verdict from the counters and the controls. @refusable: a case in which nothing was
 * acknowledged and something refused is "refused"; @success the verdict if all went through.
 */
void case_decide(struct case_result *c, bool refusable, enum verdict success);
/* The verdict of a case that cannot be asked: @sc failed with @err although the key was there. */
void case_unsupported(struct case_result *c, enum syscall_name sc, int err);
void case_json(const struct case_result *c, struct json *j);

#endif
