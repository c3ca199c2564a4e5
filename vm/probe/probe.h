/* SPDX-License-Identifier: GPL-2.0-only */
/* What the probes share while they run, and the table of probes. */
#ifndef PROBE_H
#define PROBE_H

#include <errno.h>

#include "case.h"
#include "fskey.h"
#include "options.h"
#include "prng.h"
#include "shared.h"
#include "volume.h"

#define CASES_MAX 12u
#define CYCLES_MAX 1000u	/* files a case may leave for its verification */

struct probe {
	const struct options *o;
	struct shared *shared;
	struct volume vol;
	struct fskey key;
	struct prng prng;
	char dir[32];		/* encrypted directory, relative to vol.root_fd */
	char sentinel[64];	/* file in it that nobody ever holds open */
	struct case_result *cases[CASES_MAX];
	unsigned int case_count;
	uint64_t setup_ns, verify_ns;
	void *block;		/* BLOCK bytes of scratch, aligned for O_DIRECT; main thread only */
};

enum probe_group { GROUP_CYCLES = 1, GROUP_RACE = 2 };

struct probe_def {
	const char *name;
	const char *summary;	/* one line */
	const char *text;	/* for --help */
	enum probe_group group;
	void (*run)(struct probe *p);
};

/* Ends with an entry whose name is NULL. */
extern const struct probe_def probes[];

void probe_open_fd(struct probe *p);
void probe_race_append(struct probe *p);
void probe_race_held(struct probe *p);
void probe_parked(struct probe *p);
void probe_mmap(struct probe *p);
void probe_direct(struct probe *p);
void probe_paths(struct probe *p);
void probe_read_after(struct probe *p);
void probe_new_open(struct probe *p);

/* What the child process does: setup, the probe, teardown, result. Returns the exit status. */
int probe_main(const struct options *o, struct shared *shared);

/* Adds a case; never NULL. */
struct case_result *probe_case(struct probe *p, const char *name);

/* Counts one attempt, in the case and for the supervisor. */
enum outcome { OUTCOME_ACKNOWLEDGED, OUTCOME_REFUSED, OUTCOME_FAILED };
void probe_outcome(struct probe *p, struct case_result *c, enum outcome outcome);
/* The usual reading of a write's outcome: 0, ENOKEY (refused) or anything else. */
static inline enum outcome probe_write_outcome(int err)
{
	return !err ? OUTCOME_ACKNOWLEDGED : err == ENOKEY ? OUTCOME_REFUSED : OUTCOME_FAILED;
}

/*
 * The steps that every probe is made of. Each sets the phase; each ends the process with an "error"
 * line where the environment fails, and counts in @c what the kernel refuses to the probe.
 */
void probe_add_key(struct probe *p, struct case_result *c);
/* Removes the key, timed; asks for its status; tries the sentinel. True if the ioctl returned 0. */
bool probe_remove_key(struct probe *p, struct case_result *c);
/* Its parts, for a probe in which a thread removes: the ioctl's outcome, then status and sentinel. */
void probe_account_removal(struct probe *p, struct case_result *c, int err, uint32_t flags,
			   uint64_t ns);
void probe_after_removal(struct probe *p, struct case_result *c);
void probe_flush(struct probe *p, struct case_result *c);
void probe_drop_caches(struct probe *p, struct case_result *c, const char *what);
/* sync, unmount, mount, add key: from here on only the disk counts. */
void probe_remount(struct probe *p);
/* Opens a file of the encrypted directory; the errno is counted in @c. */
int probe_open(struct probe *p, struct case_result *c, const char *name, int flags);
/* Path of @name relative to vol.root_fd. */
void probe_path(const struct probe *p, const char *name, char out[64]);
/* Creates a file whose first @blocks BLOCKs are the records (@writer, 0..), and syncs it. */
void probe_make_file(struct probe *p, const char *name, uint32_t writer, unsigned int blocks);
/* ENOKEY, or ENOENT for the plaintext name of a file that exists. */
static inline bool probe_refusal(int err)
{
	return err == ENOKEY || err == ENOENT;
}

/*
 * One BLOCK at offset @at * BLOCK holds the record (@writer, @seq). Writing gives 0, an errno or
 * ERR_SHORT and counts failures in @errs. The buffer of both is aligned for O_DIRECT.
 */
int probe_write_block(struct probe *p, struct errmap *errs, int fd, uint64_t at, uint32_t writer,
		      uint64_t seq);

enum found { FOUND_INTACT, FOUND_MISSING, FOUND_ZERO, FOUND_WRONG, FOUND_STALE, FOUND_UNREADABLE };
extern const char *const found_names[];

/* FOUND_STALE: an intact record of the same writer, but another seq. */
enum found probe_block_state(struct probe *p, const void *buf, uint32_t writer, uint64_t seq);
/* @err (may be NULL): 0 or why it is FOUND_UNREADABLE; also counted in @errs. */
enum found probe_read_block(struct probe *p, struct errmap *errs, int fd, uint64_t at,
			    uint32_t writer, uint64_t seq, int *err);

/* What a case wrote and has to find again after probe_remount(). */
struct expectation {
	char name[32];
	uint64_t at, seq;
	uint32_t writer, cycle;
	enum race_phase phase;	/* when it was acknowledged */
	bool acknowledged;
};

/* Counts lost, wrong and unacknowledged_present. Returns what was found. */
enum found probe_verify(struct probe *p, struct case_result *c, const struct expectation *e);
/* removal-done and refusal-seen, which all probes but the races have. */
void probe_common_controls(struct probe *p, struct case_result *c);

#endif
