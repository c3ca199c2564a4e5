// SPDX-License-Identifier: GPL-2.0-only
/* Records of a BLOCK: writing, reading, and finding them again after the remount. */
#include <fcntl.h>
#include <unistd.h>

#include "probe.h"
#include "record.h"

const char *const found_names[] = {
	[FOUND_INTACT] = "intact", [FOUND_MISSING] = "missing", [FOUND_ZERO] = "zero",
	[FOUND_WRONG] = "wrong", [FOUND_STALE] = "stale", [FOUND_UNREADABLE] = "unreadable",
};

int probe_write_block(struct probe *p, struct errmap *errs, int fd, uint64_t at, uint32_t writer,
		      uint64_t seq)
{
	ssize_t n;
	int err = 0;

	record_make(p->block, BLOCK, p->o->seed, writer, seq);
	n = pwrite(fd, p->block, BLOCK, (off_t)(at * BLOCK));
	if (n < 0)
		err = errno;
	else if (n != BLOCK)
		err = ERR_SHORT;
	if (err && errs)
		errmap_add(errs, SC_WRITE, err);
	return err;
}

enum found probe_block_state(struct probe *p, const void *buf, uint32_t writer, uint64_t seq)
{
	uint32_t w;
	uint64_t s;

	switch (record_check(buf, BLOCK, p->o->seed, &w, &s)) {
	case RECORD_ZERO:
		return FOUND_ZERO;
	case RECORD_INTACT:
		if (w != writer)
			return FOUND_WRONG;
		return s == seq ? FOUND_INTACT : FOUND_STALE;
	default:
		return FOUND_WRONG;
	}
}

enum found probe_read_block(struct probe *p, struct errmap *errs, int fd, uint64_t at,
			    uint32_t writer, uint64_t seq, int *err)
{
	ssize_t n = pread(fd, p->block, BLOCK, (off_t)(at * BLOCK));

	if (err)
		*err = 0;
	if (n < 0) {
		int e = errno;

		errmap_add(errs, SC_READ, e);
		if (err)
			*err = e;
		return FOUND_UNREADABLE;
	}
	if (!n)
		return FOUND_MISSING;
	if (n != BLOCK) {
		errmap_add(errs, SC_READ, ERR_SHORT);
		return FOUND_MISSING;
	}
	return probe_block_state(p, p->block, writer, seq);
}

enum found probe_verify(struct probe *p, struct case_result *c, const struct expectation *e)
{
	enum found found;
	char path[64];
	int fd;

	shared_phase(p->shared, "verify");
	probe_path(p, e->name, path);
	fd = openat(p->vol.root_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		errmap_add(&c->verify_errs, SC_OPEN, errno);
		found = FOUND_MISSING;
	} else {
		found = probe_read_block(p, &c->verify_errs, fd, e->at, e->writer, e->seq, NULL);
		close(fd);
	}
	if (!e->acknowledged) {
		if (found == FOUND_INTACT)
			c->unacknowledged_present++;
		return found;
	}
	if (found == FOUND_INTACT)
		return found;
	if (found == FOUND_WRONG) {
		c->wrong++;
		shared_bump(p->shared->wrong);
	}
	shared_bump(p->shared->lost);
	case_lost(c, &(struct lost_example){ e->writer, e->cycle, e->seq, (int64_t)(e->at * BLOCK),
					     e->phase, found_names[found] });
	return found;
}
