// SPDX-License-Identifier: GPL-2.0-only
/* Stores through a shared mapping that is held across the removal. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "probe.h"
#include "record.h"
#include "sigbus.h"

static int store(struct probe *p, struct case_result *c, void *map, uint64_t seq)
{
	int err;

	shared_phase(p->shared, "store");
	record_make(p->block, BLOCK, p->o->seed, 0, seq);
	err = sigbus_copy(map, p->block, BLOCK);
	if (err)
		errmap_add(&c->errs, SC_STORE, err);
	case_observe(c, "stores_sigbus", err != 0);
	probe_outcome(p, c, err ? OUTCOME_REFUSED : OUTCOME_ACKNOWLEDGED);
	return err;
}

/* Maps the file, with the old record in it read through the mapping: the pages are there. */
static void *map_file(struct probe *p, struct case_result *c, const char *name, bool *baseline)
{
	int fd = probe_open(p, c, name, O_RDWR);
	void *map;

	if (fd < 0)
		fail(name, "open", errno, "a file that opens while the key is there", "look at dmesg");
	map = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		fail(name, "mmap", errno, "a file that can be mapped while the key is there",
		     "look at dmesg");
	close(fd);
	*baseline = !sigbus_copy(p->block, map, BLOCK) &&
		    probe_block_state(p, p->block, 0, 0) == FOUND_INTACT;
	return map;
}

static bool cycle(struct probe *p, struct case_result *c, bool before, struct expectation *e)
{
	bool baseline;
	void *map;
	int err;

	snprintf(e->name, sizeof(e->name), "%s.%u", before ? "before" : "after", e->cycle);
	e->seq = 1;
	e->phase = before ? PHASE_PRESENT : PHASE_ABSENT;
	probe_make_file(p, e->name, 0, 1);
	map = map_file(p, c, e->name, &baseline);
	if (before) {
		err = store(p, c, map, e->seq);
		probe_remove_key(p, c);
	} else {
		probe_remove_key(p, c);
		err = store(p, c, map, e->seq);
		shared_phase(p->shared, "msync");
		if (msync(map, BLOCK, MS_SYNC)) {
			errmap_add(&c->errs, SC_MSYNC, errno);
			case_observe(c, "msync_errors", 1);
		}
	}
	e->acknowledged = !err;
	probe_flush(p, c);
	munmap(map, BLOCK);
	probe_add_key(p, c);
	return baseline;
}

static void run_case(struct probe *p, const char *name, bool before, struct expectation *e)
{
	struct case_result *c = probe_case(p, name);
	uint64_t t = clock_ns();
	uint32_t baselines = 0;

	case_observe(c, "stores_sigbus", 0);
	case_observe(c, "msync_errors", 0);
	for (uint32_t i = 0; i < p->o->cycles; i++) {
		e[i] = (struct expectation){ .cycle = i };
		baselines += cycle(p, c, before, &e[i]);
		c->cycles++;
	}
	c->run_ns = clock_ns() - t;

	t = clock_ns();
	probe_remount(p);
	for (uint32_t i = 0; i < p->o->cycles; i++)
		probe_verify(p, c, &e[i]);
	p->verify_ns += clock_ns() - t;
	probe_common_controls(p, c);
	case_control(c, "baseline-readable", baselines == p->o->cycles,
		     "the mapping gave the right bytes before the removal in %u of %u cycles", baselines,
		     p->o->cycles);
	case_decide(c, true, VERDICT_KEPT);
}

void probe_mmap(struct probe *p)
{
	struct expectation *e = calloc(p->o->cycles, sizeof(*e));

	if (!e)
		fail("memory", "calloc", ENOMEM, "room for the log of the cycles", "free some memory");
	sigbus_init();
	run_case(p, "dirty-before", true, e);
	run_case(p, "store-after", false, e);
	free(e);
}
