// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every way to change a file's contents but a whole-block write: each is tried after the removal,
 * through what was opened before it. Changes are aligned to nothing where the call allows that, so
 * that the blocks at their edges have to be written, not only described.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "paths-model.h"
#include "probe.h"
#include "record.h"
#include "sigbus.h"

/* What an operation needs, all of it from before the removal. */
struct subject {
	const char *name;
	int fd, source_fd;
	void *map;	/* the hole, or NULL */
};

static int do_fallocate(const struct path_op *op, const struct subject *s)
{
	int mode = op->kind == PATH_ZERO  ? FALLOC_FL_ZERO_RANGE :
		   op->kind == PATH_PUNCH ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : 0;

	return fallocate(s->fd, mode, (off_t)op->offset, (off_t)op->length) ? errno : 0;
}

static int do_clone(const struct path_op *op, const struct subject *s)
{
	struct file_clone_range r = { .src_fd = s->source_fd, .src_offset = op->source_offset,
				      .src_length = op->length, .dest_offset = op->offset };

	return ioctl(s->fd, FICLONERANGE, &r) ? errno : 0;
}

static int do_copy(const struct path_op *op, const struct subject *s)
{
	off_t in = (off_t)op->source_offset, out = (off_t)op->offset;
	uint64_t left = op->length;

	while (left) {
		ssize_t n = copy_file_range(s->source_fd, &in, s->fd, &out, left, 0);

		if (n < 0)
			return errno;
		if (!n)
			return ERR_SHORT;
		left -= (uint64_t)n;
	}
	return 0;
}

/* The new bytes are those of the source, as for the copies. */
static int do_write(const struct path_op *op, const struct subject *s, const unsigned char *source)
{
	ssize_t n = pwrite(s->fd, source + op->source_offset, op->length, (off_t)op->offset);

	return n < 0 ? errno : n != (ssize_t)op->length ? ERR_SHORT : 0;
}

static int do_open(struct probe *p, const struct subject *s)
{
	int fd = probe_open(p, NULL, s->name, O_WRONLY | O_TRUNC);

	if (fd < 0)
		return errno;
	return close(fd) ? errno : 0;
}

static int perform(struct probe *p, const struct path_op *op, const struct subject *s,
		   const unsigned char *source)
{
	switch (op->kind) {
	case PATH_CLONE:
		return do_clone(op, s);
	case PATH_COPY:
		return do_copy(op, s);
	case PATH_TRUNCATE:
		return ftruncate(s->fd, (off_t)op->offset) ? errno : 0;
	case PATH_O_TRUNC:
		return do_open(p, s);
	case PATH_MAP:
		return sigbus_copy(s->map, source + op->source_offset, op->length);
	case PATH_WRITE:
		return do_write(op, s, source);
	default:
		return do_fallocate(op, s);
	}
}

static enum syscall_name call_of(const struct path_op *op)
{
	switch (op->kind) {
	case PATH_CLONE: return SC_FICLONERANGE;
	case PATH_COPY: return SC_COPY_FILE_RANGE;
	case PATH_TRUNCATE: return SC_FTRUNCATE;
	case PATH_O_TRUNC: return SC_OPEN;
	case PATH_MAP: return SC_STORE;
	case PATH_WRITE: return SC_WRITE;
	default: return SC_FALLOCATE;
	}
}

/* The file: PATH_BLOCKS records, with a hole behind them where the operation is about one. */
static void set_up(struct probe *p, const struct path_op *op, const char *name, struct subject *s)
{
	*s = (struct subject){ .name = name, .source_fd = -1 };
	probe_make_file(p, name, 0, PATH_BLOCKS);
	s->fd = probe_open(p, NULL, name, O_RDWR);
	s->source_fd = probe_open(p, NULL, "source", O_RDONLY);
	if (s->fd < 0 || s->source_fd < 0)
		fail(name, "open", errno, "files that open while the key is there", "look at dmesg");
	if (op->kind == PATH_MAP) {
		if (ftruncate(s->fd, (off_t)path_old_size(op)) || fsync(s->fd))
			fail(name, "ftruncate", errno, "a hole while the key is there",
			     "look at dmesg");
		s->map = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd,
			      (off_t)op->offset);
		if (s->map == MAP_FAILED)
			fail(name, "mmap", errno, "a file that can be mapped", "look at dmesg");
	}
	/* Part of a block that is not cached has to be read first. */
	if (op->kind == PATH_WRITE && posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED))
		fail(name, "posix_fadvise", EINVAL, "pages that can be dropped", "look at dmesg");
}

static void tear_down(struct case_result *c, const struct subject *s)
{
	if (s->map)
		munmap(s->map, BLOCK);
	close(s->source_fd);
	if (close(s->fd) && c) {
		errmap_add(&c->errs, SC_CLOSE, errno);
		case_observe(c, "close_errors", 1);
	}
}

struct scratch {
	unsigned char source[PATH_BYTES], old[PATH_BYTES], new[PATH_BYTES], found[PATH_BYTES];
	uint64_t old_size, new_size;
};

static enum path_found compare(struct probe *p, struct errmap *errs, struct scratch *x,
			       const char *name)
{
	int fd = probe_open(p, NULL, name, O_RDONLY);
	uint64_t at = 0;
	struct stat st;
	ssize_t n = 0;

	if (fd < 0) {
		errmap_add(errs, SC_OPEN, errno);
		return PATH_UNREADABLE;
	}
	if (fstat(fd, &st)) {
		errmap_add(errs, SC_STAT, errno);
		n = -1;
	}
	while (n >= 0 && at < PATH_BYTES) {
		n = pread(fd, x->found + at, PATH_BYTES - at, (off_t)at);
		if (n < 0)
			errmap_add(errs, SC_READ, errno);
		if (n <= 0)
			break;
		at += (uint64_t)n;
	}
	close(fd);
	if (n < 0 || at != (uint64_t)st.st_size)
		return PATH_UNREADABLE;
	return path_compare(x->found, at, x->old, x->old_size, x->new, x->new_size);
}

/* Shows with the key that the file system knows the operation, and what it does. 0 or an errno. */
static int rehearse(struct probe *p, struct case_result *c, const struct path_op *op,
		    struct scratch *x, bool *as_promised)
{
	struct subject s;
	char name[32];
	int err;

	shared_phase(p->shared, "rehearse");
	snprintf(name, sizeof(name), "%s.try", op->name);
	set_up(p, op, name, &s);
	err = perform(p, op, &s, x->source);
	tear_down(c, &s);
	*as_promised = !err && compare(p, &c->errs, x, name) == PATH_NEW;
	return err;
}

static void cycle(struct probe *p, struct case_result *c, const struct path_op *op,
		  const struct scratch *x, uint32_t i, bool *acknowledged)
{
	struct subject s;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "%s.%u", op->name, i);
	set_up(p, op, name, &s);
	probe_remove_key(p, c);
	shared_phase(p->shared, op->name);
	err = perform(p, op, &s, x->source);
	if (err)
		errmap_add(&c->errs, call_of(op), err);
	/* It worked with the key: whatever the errno is now, it is refused. */
	probe_outcome(p, c, err ? OUTCOME_REFUSED : OUTCOME_ACKNOWLEDGED);
	*acknowledged = !err;
	shared_phase(p->shared, "flush");
	if (syncfs(p->vol.root_fd)) {
		errmap_add(&c->errs, SC_SYNCFS, errno);
		case_observe(c, "syncfs_errors", 1);
	}
	tear_down(c, &s);
	probe_add_key(p, c);
}

static void verify(struct probe *p, struct case_result *c, const struct path_op *op,
		   struct scratch *x, uint32_t i, bool acknowledged)
{
	enum path_found found;
	char name[32];

	shared_phase(p->shared, "verify");
	snprintf(name, sizeof(name), "%s.%u", op->name, i);
	found = compare(p, &c->verify_errs, x, name);
	if (found == PATH_NEW) {
		c->unacknowledged_present += !acknowledged;
		return;
	}
	/* A refused operation may have done a part of its work, but no harm to what was synced. */
	if (!acknowledged && found == PATH_OLD_OR_NEW)
		return;
	if (found == PATH_DAMAGED || !acknowledged) {
		c->wrong++;
		shared_bump(p->shared->wrong);
	}
	if (!acknowledged)
		return;
	shared_bump(p->shared->lost);
	case_lost(c, &(struct lost_example){ 0, i, 0, (int64_t)op->offset, PHASE_ABSENT,
					     found == PATH_OLD_OR_NEW ? "stale" :
					     found == PATH_UNREADABLE ? "unreadable" : "wrong" });
}

static void run_case(struct probe *p, const struct path_op *op, struct scratch *x,
		     bool *acknowledged)
{
	struct case_result *c = probe_case(p, op->name);
	bool as_promised;
	uint64_t t = clock_ns();
	int err;

	case_observe(c, "close_errors", 0);
	case_observe(c, "syncfs_errors", 0);
	x->old_size = path_old(op, p->o->seed, x->old);
	x->new_size = path_new(op, x->source, x->old, x->old_size, x->new);
	err = rehearse(p, c, op, x, &as_promised);
	if (err == EOPNOTSUPP || err == ENOTTY || err == ENOSYS) {
		case_unsupported(c, call_of(op), err);
		return;
	}
	for (uint32_t i = 0; i < p->o->cycles; i++) {
		cycle(p, c, op, x, i, &acknowledged[i]);
		c->cycles++;
	}
	c->run_ns = clock_ns() - t;

	t = clock_ns();
	probe_remount(p);
	for (uint32_t i = 0; i < p->o->cycles; i++)
		verify(p, c, op, x, i, acknowledged[i]);
	p->verify_ns += clock_ns() - t;
	probe_common_controls(p, c);
	case_control(c, "works-with-key", as_promised,
		     "before the removal the operation %s", as_promised ?
		     "did what it promises" : "failed or left other contents");
	case_decide(c, true, VERDICT_KEPT);
}

void probe_paths(struct probe *p)
{
	bool *acknowledged = calloc(p->o->cycles, sizeof(*acknowledged));
	struct scratch *x = malloc(sizeof(*x));

	if (!acknowledged || !x)
		fail("memory", "calloc", ENOMEM, "room for the log of the cycles", "free some memory");
	sigbus_init();
	probe_make_file(p, "source", 1, PATH_BLOCKS);
	for (unsigned int b = 0; b < PATH_BLOCKS; b++)
		record_make(x->source + b * BLOCK, BLOCK, p->o->seed, 1, b);
	for (const struct path_op *op = path_ops; op->name; op++)
		run_case(p, op, x, acknowledged);
	free(x);
	free(acknowledged);
}
