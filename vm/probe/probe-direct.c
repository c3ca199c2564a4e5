// SPDX-License-Identifier: GPL-2.0-only
/* O_DIRECT writes through a descriptor that is held across the removal. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "probe.h"

/* Pages of the file in the page cache mean that the kernel did the write as a buffered one. */
static bool is_cached(int fd, uint64_t at)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char resident[BLOCK / 4096];
	void *map = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, (off_t)(at * BLOCK));
	bool any = false;

	if (map == MAP_FAILED)
		return false;
	if (page >= 4096 && !mincore(map, BLOCK, resident))
		for (long i = 0; i < (long)BLOCK / page; i++)
			any |= resident[i] & 1;
	munmap(map, BLOCK);
	return any;
}

static void read_back(struct probe *p, struct case_result *c, int fd)
{
	int err;

	shared_phase(p->shared, "read");
	switch (probe_read_block(p, &c->errs, fd, 0, 0, 0, &err)) {
	case FOUND_INTACT:
		case_observe(c, "read_after_ok", 1);
		break;
	case FOUND_UNREADABLE:
		case_observe(c, "read_after_refused", 1);
		break;
	default:
		case_observe(c, "read_after_wrong", 1);
		c->wrong++;
		shared_bump(p->shared->wrong);
	}
}

static int timed_write(struct probe *p, struct case_result *c, int fd, uint64_t at)
{
	int err;

	shared_phase(p->shared, "write");
	err = probe_write_block(p, &c->errs, fd, at, 0, at);
	probe_outcome(p, c, probe_write_outcome(err));
	if (!err)
		case_observe(c, "buffered_fallback", is_cached(fd, at));
	return err;
}

/* @e: two expectations, block 0 and block 1. Returns whether O_DIRECT was accepted. */
static bool cycle(struct probe *p, struct case_result *c, bool after, uint32_t i,
		  struct expectation *e)
{
	int fd, err;

	for (unsigned int b = 0; b < 2; b++) {
		e[b] = (struct expectation){ .at = b, .seq = b, .cycle = i,
					     .phase = b ? PHASE_ABSENT : PHASE_PRESENT };
		snprintf(e[b].name, sizeof(e[b].name), "%s.%u", after ? "after" : "before", i);
	}
	probe_make_file(p, e->name, 0, 0);
	fd = probe_open(p, c, e->name, O_RDWR | O_DIRECT);
	if (fd < 0) {
		/* Removed all the same, so that the cycles of all file systems are alike. */
		probe_remove_key(p, c);
		probe_add_key(p, c);
		return false;
	}
	if (after) {
		/* Shows that the descriptor takes direct writes; only the second one is counted. */
		shared_phase(p->shared, "write");
		err = probe_write_block(p, &c->errs, fd, 0, 0, 0);
	} else {
		err = timed_write(p, c, fd, 0);
	}
	e[0].acknowledged = !err;
	probe_remove_key(p, c);
	if (after)
		e[1].acknowledged = !timed_write(p, c, fd, 1);
	if (e[0].acknowledged)
		read_back(p, c, fd);
	probe_flush(p, c);
	if (close(fd))
		errmap_add(&c->errs, SC_CLOSE, errno);
	probe_add_key(p, c);
	return !err;
}

static void run_case(struct probe *p, const char *name, bool after, struct expectation *e)
{
	struct case_result *c = probe_case(p, name);
	uint64_t t = clock_ns();
	uint32_t accepted = 0;

	case_observe(c, "buffered_fallback", 0);
	case_observe(c, "read_after_ok", 0);
	case_observe(c, "read_after_refused", 0);
	case_observe(c, "read_after_wrong", 0);
	for (uint32_t i = 0; i < p->o->cycles; i++) {
		accepted += cycle(p, c, after, i, &e[2 * i]);
		c->cycles++;
	}
	c->run_ns = clock_ns() - t;

	t = clock_ns();
	probe_remount(p);
	/* Only what was counted as an attempt: block 0 of the case "after" is that of the other one. */
	for (uint32_t i = 0; i < 2 * p->o->cycles; i++)
		if (after ? e[i].at : e[i].acknowledged)
			probe_verify(p, c, &e[i]);
	p->verify_ns += clock_ns() - t;
	probe_common_controls(p, c);
	case_control(c, "direct-accepted", accepted == p->o->cycles,
		     "open(O_DIRECT) and a write before the removal worked in %u of %u cycles", accepted,
		     p->o->cycles);
	case_decide(c, true, VERDICT_KEPT);
}

void probe_direct(struct probe *p)
{
	struct expectation *e = calloc(2 * (size_t)p->o->cycles, sizeof(*e));

	if (!e)
		fail("memory", "calloc", ENOMEM, "room for the log of the cycles", "free some memory");
	run_case(p, "write-before", false, e);
	run_case(p, "write-after", true, e);
	free(e);
}
