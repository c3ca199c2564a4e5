// SPDX-License-Identifier: GPL-2.0-only
/*
 * The single-threaded half of generic/595, with something in the gap: without it, a page dirtied
 * after the removal waits in the cache for the key to come back, and the loss does not show.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "probe.h"

static void do_gap(struct probe *p, struct case_result *c, enum gap gap, int fd)
{
	enum syscall_name sc = SC_SYNC;
	int r = 0;

	shared_phase(p->shared, "gap");
	switch (gap) {
	case GAP_FSYNC:
		sc = SC_FSYNC;
		r = fsync(fd);
		break;
	case GAP_SYNC:
		sync();
		break;
	case GAP_SYNCFS:
	case GAP_BEFORE:
		sc = SC_SYNCFS;
		r = syncfs(p->vol.root_fd);
		break;
	default:
		break;
	}
	if (r)
		errmap_add(&c->errs, sc, errno);
	case_observe(c, "gap_errors", r != 0);
}

/* Who hears of it when sync(2), which cannot say it, met the lost write first. */
static void ask_after_sync(struct probe *p, struct case_result *c, int fd)
{
	shared_phase(p->shared, "ask");
	if (fsync(fd)) {
		errmap_add(&c->errs, SC_FSYNC, errno);
		case_observe(c, "fsync_errors", 1);
	}
	if (syncfs(p->vol.root_fd)) {
		errmap_add(&c->errs, SC_SYNCFS, errno);
		case_observe(c, "syncfs_errors", 1);
	}
}

static int write_record(struct probe *p, struct case_result *c, int fd, uint64_t seq)
{
	shared_phase(p->shared, "write");
	return probe_write_block(p, &c->errs, fd, 0, 0, seq);
}

static void cycle(struct probe *p, struct case_result *c, enum gap gap, struct expectation *e)
{
	bool before = gap == GAP_BEFORE;
	int fd, err = 0;

	snprintf(e->name, sizeof(e->name), "%s.%u", gap_names[gap], e->cycle);
	e->phase = before ? PHASE_PRESENT : PHASE_ABSENT;
	fd = probe_open(p, c, e->name, O_CREAT | O_EXCL | O_WRONLY);
	if (fd < 0)
		fail(e->name, "open", errno, "a file that can be created while the key is there",
		     "look at dmesg");
	if (before)
		err = write_record(p, c, fd, e->seq);
	probe_remove_key(p, c);
	if (!before)
		err = write_record(p, c, fd, e->seq);
	do_gap(p, c, gap, fd);
	if (gap == GAP_SYNC)
		ask_after_sync(p, c, fd);
	shared_phase(p->shared, "close");
	if (close(fd)) {
		errmap_add(&c->errs, SC_CLOSE, errno);
		case_observe(c, "close_errors", 1);
		if (!err)
			err = errno;
	}
	e->acknowledged = !err;
	probe_outcome(p, c, probe_write_outcome(err));
	/* Dentries pin the inode of the file: generic/595 drops them to let it be evicted. */
	probe_drop_caches(p, c, "2");
	probe_add_key(p, c);

	shared_phase(p->shared, "read");
	fd = probe_open(p, c, e->name, O_RDONLY);
	if (fd >= 0) {
		enum found f = probe_read_block(p, &c->errs, fd, 0, 0, e->seq, NULL);

		case_observe(c, "visible_after_add", f == FOUND_INTACT);
		close(fd);
	}
	/* What waits for its key must reach the disk now: the next cycle's removal is not its own. */
	shared_phase(p->shared, "sync");
	sync();
}

void probe_open_fd(struct probe *p)
{
	struct expectation *e = calloc(p->o->cycles, sizeof(*e));
	char name[32];

	if (!e)
		fail("memory", "calloc", ENOMEM, "room for the log of the cycles", "free some memory");
	for (unsigned int g = 0; g < p->o->gap_count; g++) {
		enum gap gap = p->o->gaps[g];
		struct case_result *c;
		uint64_t t = clock_ns();

		snprintf(name, sizeof(name), "gap=%s", gap_names[gap]);
		c = probe_case(p, name);
		case_observe(c, "visible_after_add", 0);
		case_observe(c, "close_errors", 0);
		if (gap == GAP_SYNC) {
			case_observe(c, "fsync_errors", 0);
			case_observe(c, "syncfs_errors", 0);
		}
		for (uint32_t i = 0; i < p->o->cycles; i++) {
			e[i] = (struct expectation){ .cycle = i, .seq = (uint64_t)g << 32 | i };
			cycle(p, c, gap, &e[i]);
			c->cycles++;
		}
		c->run_ns = clock_ns() - t;

		t = clock_ns();
		probe_remount(p);
		for (uint32_t i = 0; i < p->o->cycles; i++)
			probe_verify(p, c, &e[i]);
		p->verify_ns += clock_ns() - t;
		probe_common_controls(p, c);
		case_decide(c, true, VERDICT_KEPT);
	}
	free(e);
}
