// SPDX-License-Identifier: GPL-2.0-only
/* The steps that every probe is made of. */
#include "probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "record.h"

struct case_result *probe_case(struct probe *p, const char *name)
{
	struct case_result *c = p->case_count < CASES_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		fail("memory", "out of memory", ENOMEM, "room for one more case", "free some memory");
	snprintf(c->name, sizeof(c->name), "%s", name);
	p->cases[p->case_count++] = c;
	return c;
}

void probe_outcome(struct probe *p, struct case_result *c, enum outcome outcome)
{
	struct shared_counts *s = &p->shared->writer[0];

	c->attempts++;
	shared_bump(s->attempts);
	switch (outcome) {
	case OUTCOME_ACKNOWLEDGED:
		c->acknowledged++;
		shared_bump(s->acknowledged);
		break;
	case OUTCOME_REFUSED:
		c->refused++;
		shared_bump(s->refused);
		break;
	case OUTCOME_FAILED:
		c->failed++;
		shared_bump(s->failed);
		break;
	}
}

void probe_path(const struct probe *p, const char *name, char out[64])
{
	snprintf(out, 64, "%s/%s", p->dir, name);
}

void probe_add_key(struct probe *p, struct case_result *c)
{
	int err = 0;

	shared_phase(p->shared, "add-key");
	/* A kernel may refuse an add that meets a removal; that is recorded, and not the end. */
	for (int i = 0; i < 100; i++) {
		err = fskey_add(&p->key, p->vol.root_fd);
		if (!err)
			return;
		if (c)
			errmap_add(&c->errs, SC_ADD_KEY, err);
		if (err == EOPNOTSUPP || err == ENOTTY || err == EINVAL || err == EACCES)
			break;
		clock_sleep_us(10000);
	}
	fail(p->o->mount, "FS_IOC_ADD_ENCRYPTION_KEY", err,
	     "a kernel with CONFIG_FS_ENCRYPTION and a file system with the encrypt feature",
	     "make the file system with -O encrypt; look at dmesg");
}

void probe_account_removal(struct probe *p, struct case_result *c, int err, uint32_t flags,
			   uint64_t ns)
{
	if (err) {
		c->removal.failed++;
		errmap_add(&c->errs, SC_REMOVE_KEY, err);
		return;
	}
	c->removal.count++;
	shared_bump(p->shared->removals);
	histogram_add(&c->removal.latency, ns);
	if (!flags)
		c->removal.none++;
	if (flags & FSCRYPT_KEY_REMOVAL_STATUS_FLAG_FILES_BUSY)
		c->removal.busy++;
	if (flags & FSCRYPT_KEY_REMOVAL_STATUS_FLAG_OTHER_USERS)
		c->removal.other_users++;
}

void probe_after_removal(struct probe *p, struct case_result *c)
{
	uint32_t status;
	int err = fskey_status(&p->key, p->vol.root_fd, &status);
	int fd;

	if (err)
		errmap_add(&c->errs, SC_KEY_STATUS, err);
	else if (status <= FSCRYPT_KEY_STATUS_INCOMPLETELY_REMOVED)
		c->key_status[status]++;

	fd = openat(p->vol.root_fd, p->sentinel, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
	} else {
		err = errno;
		errmap_add(&c->sentinel_errs, SC_OPEN, err);
		if (probe_refusal(err))
			c->removal.refused_seen++;
	}
}

bool probe_remove_key(struct probe *p, struct case_result *c)
{
	uint32_t flags = 0;
	uint64_t t;
	int err;

	shared_phase(p->shared, "remove-key");
	t = clock_ns();
	err = fskey_remove(&p->key, p->vol.root_fd, &flags);
	probe_account_removal(p, c, err, flags, clock_ns() - t);
	shared_phase(p->shared, "after-removal");
	probe_after_removal(p, c);
	return !err;
}

void probe_flush(struct probe *p, struct case_result *c)
{
	shared_phase(p->shared, "flush");
	if (syncfs(p->vol.root_fd))
		errmap_add(&c->errs, SC_SYNCFS, errno);
}

void probe_drop_caches(struct probe *p, struct case_result *c, const char *what)
{
	int err;

	shared_phase(p->shared, "drop-caches");
	err = volume_drop_caches(what);
	if (err)
		errmap_add(&c->errs, SC_DROP_CACHES, err);
}

void probe_remount(struct probe *p)
{
	int err;

	/* The key is there, so whatever can still reach the disk does now. */
	shared_phase(p->shared, "sync");
	sync();
	shared_phase(p->shared, "umount");
	err = volume_unmount(&p->vol);
	if (err)
		fail(p->o->mount, "umount", err, "a file system that nobody else uses",
		     "look with fuser -vm who does");
	shared_phase(p->shared, "mount");
	err = volume_mount(&p->vol);
	if (err)
		fail(p->o->device, "mount", err, "a file system that mounts again",
		     "look at dmesg; run fsck");
	probe_add_key(p, NULL);
}

int probe_open(struct probe *p, struct case_result *c, const char *name, int flags)
{
	char path[64];
	int fd;

	probe_path(p, name, path);
	fd = openat(p->vol.root_fd, path, flags | O_CLOEXEC, 0600);
	if (fd < 0 && c) {
		int err = errno;

		errmap_add(&c->errs, SC_OPEN, err);
		errno = err;
	}
	return fd;
}

void probe_make_file(struct probe *p, const char *name, uint32_t writer, unsigned int blocks)
{
	int fd = probe_open(p, NULL, name, O_CREAT | O_EXCL | O_WRONLY);
	int err = 0;

	if (fd < 0)
		fail(name, "open", errno, "a file that can be created while the key is there",
		     "look at dmesg");
	for (unsigned int i = 0; i < blocks && !err; i++)
		err = probe_write_block(p, NULL, fd, i, writer, i);
	if (!err && fsync(fd))
		err = errno;
	close(fd);
	if (err)
		fail(name, "write and fsync", err, "a file that can be written while the key is there",
		     "look at dmesg and at the free space");
}

void probe_common_controls(struct probe *p, struct case_result *c)
{
	uint64_t tried = c->removal.count + c->removal.failed;

	(void)p;
	case_control(c, "removal-done", tried && !c->removal.failed,
		     "%llu of %llu removals returned 0", (unsigned long long)c->removal.count,
		     (unsigned long long)tried);
	case_control(c, "refusal-seen", tried && c->removal.refused_seen == tried,
		     "opening a file that nobody holds was refused after %llu of %llu removals",
		     (unsigned long long)c->removal.refused_seen, (unsigned long long)tried);
}
