// SPDX-License-Identifier: GPL-2.0-only
/* Reads after the removal: right bytes or an error are legal, other bytes never. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "probe.h"
#include "sigbus.h"

enum how { HOW_CACHED, HOW_DROPPED, HOW_MAPPED, HOW_COUNT };
static const char *const how_names[HOW_COUNT] = { "cached", "dropped", "mapped" };

struct reader {
	int fd;
	void *map;	/* HOW_MAPPED, else NULL */
};

static enum found access_block(struct probe *p, struct case_result *c, const struct reader *r)
{
	if (!r->map)
		return probe_read_block(p, &c->errs, r->fd, 0, 0, 0, NULL);
	if (sigbus_copy(p->block, r->map, BLOCK)) {
		errmap_add(&c->errs, SC_LOAD, ERR_SIGBUS);
		return FOUND_UNREADABLE;
	}
	return probe_block_state(p, p->block, 0, 0);
}

static void drop(struct probe *p, struct case_result *c, const struct reader *r)
{
	/* Mapped pages are not dropped: unmap them from the page table first. */
	if (r->map)
		madvise(r->map, BLOCK, MADV_DONTNEED);
	if (posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED))
		errmap_add(&c->errs, SC_FADVISE, errno);
	probe_drop_caches(p, c, "1");
}

static bool cycle(struct probe *p, struct case_result *c, enum how how, struct expectation *e)
{
	struct reader r = { -1, NULL };
	enum found found;
	bool baseline;

	snprintf(e->name, sizeof(e->name), "%s.%u", how_names[how], e->cycle);
	e->acknowledged = true;
	probe_make_file(p, e->name, 0, 1);
	r.fd = probe_open(p, c, e->name, O_RDONLY);
	if (r.fd < 0)
		fail(e->name, "open", errno, "a file that opens while the key is there",
		     "look at dmesg");
	if (how == HOW_MAPPED) {
		r.map = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, r.fd, 0);
		if (r.map == MAP_FAILED)
			fail(e->name, "mmap", errno, "a file that can be mapped", "look at dmesg");
	}
	baseline = access_block(p, c, &r) == FOUND_INTACT;
	probe_remove_key(p, c);
	if (how != HOW_CACHED)
		drop(p, c, &r);

	shared_phase(p->shared, "read");
	found = access_block(p, c, &r);
	/* The page cache turns every failed read into EIO, so any error counts as a refusal. */
	probe_outcome(p, c, found == FOUND_INTACT     ? OUTCOME_ACKNOWLEDGED :
			    found == FOUND_UNREADABLE ? OUTCOME_REFUSED :
							OUTCOME_FAILED);
	if (found != FOUND_INTACT && found != FOUND_UNREADABLE) {
		c->wrong++;
		shared_bump(p->shared->wrong);
	}
	if (r.map)
		munmap(r.map, BLOCK);
	close(r.fd);
	probe_add_key(p, c);
	return baseline;
}

void probe_read_after(struct probe *p)
{
	struct expectation *e = calloc(p->o->cycles, sizeof(*e));

	if (!e)
		fail("memory", "calloc", ENOMEM, "room for the log of the cycles", "free some memory");
	sigbus_init();
	for (enum how how = 0; how < HOW_COUNT; how++) {
		struct case_result *c = probe_case(p, how_names[how]);
		uint64_t t = clock_ns();
		uint32_t baselines = 0;

		case_observe(c, "intact_after_remount", 0);
		for (uint32_t i = 0; i < p->o->cycles; i++) {
			e[i] = (struct expectation){ .cycle = i };
			baselines += cycle(p, c, how, &e[i]);
			c->cycles++;
		}
		c->run_ns = clock_ns() - t;

		t = clock_ns();
		probe_remount(p);
		for (uint32_t i = 0; i < p->o->cycles; i++)
			case_observe(c, "intact_after_remount",
				     probe_verify(p, c, &e[i]) == FOUND_INTACT);
		p->verify_ns += clock_ns() - t;
		probe_common_controls(p, c);
		case_control(c, "baseline-readable", baselines == p->o->cycles,
			     "the same access gave the right bytes before the removal in %u of %u cycles",
			     baselines, p->o->cycles);
		case_decide(c, true, VERDICT_KEPT);
	}
	free(e);
}
