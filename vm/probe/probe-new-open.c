// SPDX-License-Identifier: GPL-2.0-only
/*
 * open(2) after the removal. How the file is named matters: without the directory's key a plaintext
 * name is not found (ENOENT), while a held directory keeps its own key and leads to the file (ENOKEY
 * or success).
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "probe.h"

enum holder { HOLDER_NONE, HOLDER_FD, HOLDER_MAP, HOLDER_COUNT };
static const char *const holder_names[HOLDER_COUNT] = { "no-holder", "fd-holder", "map-holder" };

enum way { WAY_PATH, WAY_NOKEY, WAY_DIRFD, WAY_COUNT };
static const char *const ok_names[WAY_COUNT] = { "path_ok", "nokey_ok", "dirfd_ok" };
static const char *const refused_names[WAY_COUNT] = { "path_refused", "nokey_refused",
						      "dirfd_refused" };

struct held {
	int fd;
	void *map;
};

static void hold(struct probe *p, struct case_result *c, const char *name, enum holder h,
		 struct held *held)
{
	*held = (struct held){ -1, NULL };
	if (h == HOLDER_NONE)
		return;
	held->fd = probe_open(p, c, name, O_RDWR);
	if (held->fd < 0)
		fail(name, "open", errno, "a file that opens while the key is there", "look at dmesg");
	if (h != HOLDER_MAP)
		return;
	held->map = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, held->fd, 0);
	if (held->map == MAP_FAILED)
		fail(name, "mmap", errno, "a file that can be mapped", "look at dmesg");
	close(held->fd);
	held->fd = -1;
}

static void release(struct held *held)
{
	if (held->map)
		munmap(held->map, BLOCK);
	if (held->fd >= 0)
		close(held->fd);
}

/* The name under which readdir lists the inode now. False if it is not listed. */
static bool listed_name(struct probe *p, ino_t ino, char *out, size_t size)
{
	int fd = openat(p->vol.root_fd, p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	bool found = false;
	DIR *dir;

	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	while (!found && (d = readdir(dir))) {
		found = d->d_ino == ino;
		if (found)
			snprintf(out, size, "%s", d->d_name);
	}
	closedir(dir);
	return found;
}

/* One open, by @path below @at; a descriptor that it gives is written through and closed. */
static void try_open(struct probe *p, struct case_result *c, enum way way, int at, const char *path,
		     struct expectation *e)
{
	int fd, err;

	shared_phase(p->shared, "open");
	fd = openat(at, path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		err = errno;
		errmap_add(&c->errs, SC_OPEN, err);
		case_observe(c, refused_names[way], 1);
		probe_outcome(p, c, probe_refusal(err) ? OUTCOME_REFUSED : OUTCOME_FAILED);
		return;
	}
	case_observe(c, ok_names[way], 1);
	probe_outcome(p, c, OUTCOME_ACKNOWLEDGED);
	shared_phase(p->shared, "write");
	err = probe_write_block(p, &c->errs, fd, e->at, e->writer, e->seq);
	case_observe(c, err ? "write_refused" : "write_ok", 1);
	e->acknowledged = !err;
	if (close(fd))
		errmap_add(&c->errs, SC_CLOSE, errno);
}

static void after_removal(struct probe *p, struct case_result *c, const char *name, ino_t ino,
			  struct expectation *e)
{
	char path[64], listed[NAME_MAX + 1], full[NAME_MAX + 48];

	probe_path(p, name, path);
	try_open(p, c, WAY_PATH, p->vol.root_fd, path, &e[WAY_PATH]);
	if (!listed_name(p, ino, listed, sizeof(listed))) {
		case_observe(c, "nokey_unlisted", 1);
		return;
	}
	snprintf(full, sizeof(full), "%s/%s", p->dir, listed);
	try_open(p, c, WAY_NOKEY, p->vol.root_fd, full, &e[WAY_NOKEY]);
}

static void cycle(struct probe *p, struct case_result *c, enum holder h, uint32_t i,
		  struct expectation *e)
{
	struct held held;
	struct stat st;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%s.%u", holder_names[h], i);
	for (int way = 0; way < WAY_COUNT; way++) {
		e[way] = (struct expectation){ .at = 1 + (uint64_t)way, .seq = 1 + (uint64_t)way,
					       .cycle = i, .phase = PHASE_ABSENT };
		memcpy(e[way].name, name, sizeof(name));
	}
	probe_make_file(p, name, 0, 1);
	fd = probe_open(p, c, name, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		fail(name, "open and stat", errno, "a file that opens while the key is there",
		     "look at dmesg");
	close(fd);

	hold(p, c, name, h, &held);
	probe_remove_key(p, c);
	after_removal(p, c, name, st.st_ino, e);
	probe_flush(p, c);
	probe_add_key(p, c);

	/* Once more with the directory held, in a removal of its own: it changes what lookups see. */
	fd = openat(p->vol.root_fd, p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail(p->dir, "open", errno, "a directory that opens", "look at dmesg");
	/* A directory sets its key up when a name is first looked up, not when it is opened. */
	faccessat(fd, "no-such-name", F_OK, 0);
	probe_remove_key(p, c);
	try_open(p, c, WAY_DIRFD, fd, name, &e[WAY_DIRFD]);
	probe_flush(p, c);
	close(fd);
	release(&held);
	probe_add_key(p, c);
}

void probe_new_open(struct probe *p)
{
	static const char *const counters[] = { "path_ok", "path_refused", "dirfd_ok",
						"dirfd_refused", "nokey_ok", "nokey_refused",
						"nokey_unlisted", "write_ok", "write_refused" };
	struct expectation *e = calloc(WAY_COUNT * (size_t)p->o->cycles, sizeof(*e));

	if (!e)
		fail("memory", "calloc", ENOMEM, "room for the log of the cycles", "free some memory");
	for (enum holder h = 0; h < HOLDER_COUNT; h++) {
		struct case_result *c = probe_case(p, holder_names[h]);
		uint64_t t = clock_ns();

		for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
			case_observe(c, counters[i], 0);
		for (uint32_t i = 0; i < p->o->cycles; i++) {
			cycle(p, c, h, i, &e[WAY_COUNT * i]);
			c->cycles++;
		}
		c->run_ns = clock_ns() - t;

		t = clock_ns();
		probe_remount(p);
		for (uint32_t i = 0; i < WAY_COUNT * p->o->cycles; i++)
			if (e[i].acknowledged)
				probe_verify(p, c, &e[i]);
		p->verify_ns += clock_ns() - t;
		probe_common_controls(p, c);
		case_decide(c, true, VERDICT_ALLOWED);
	}
	free(e);
}
