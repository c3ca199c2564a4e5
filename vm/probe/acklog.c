// SPDX-License-Identifier: GPL-2.0-only
#include "acklog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)ACKLOG_CHUNK * sizeof(uint32_t))

int acklog_open(struct acklog *l, const char *dir, uint32_t writer, bool keep)
{
	int n;

	memset(l, 0, sizeof(*l));
	n = snprintf(l->path, sizeof(l->path), "%s/enokey-ack.%d.%u", dir, (int)getpid(), writer);
	if (n < 0 || (size_t)n >= sizeof(l->path))
		return ENAMETOOLONG;
	l->fd = open(l->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (l->fd < 0)
		return errno;
	return keep || !unlink(l->path) ? 0 : errno;
}

static int grow(struct acklog *l, uint64_t i)
{
	off_t at = (off_t)(i * CHUNK_BYTES);
	void *map;
	int err;

	if (i >= ACKLOG_CHUNKS)
		return EFBIG;
	/* Really allocated: a store into a hole of a full tmpfs would be a SIGBUS. */
	err = posix_fallocate(l->fd, at, (off_t)CHUNK_BYTES);
	if (err)
		return err;
	map = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, at);
	if (map == MAP_FAILED)
		return errno;
	l->chunk[i] = map;
	return 0;
}

int acklog_set(struct acklog *l, uint64_t n, uint32_t tag)
{
	uint64_t i = n / ACKLOG_CHUNK;

	if (i >= ACKLOG_CHUNKS || !l->chunk[i]) {
		int err = grow(l, i);

		if (err)
			return err;
	}
	l->chunk[i][n % ACKLOG_CHUNK] = tag;
	return 0;
}

uint32_t acklog_get(const struct acklog *l, uint64_t n)
{
	uint64_t i = n / ACKLOG_CHUNK;

	return i < ACKLOG_CHUNKS && l->chunk[i] ? l->chunk[i][n % ACKLOG_CHUNK] : 0;
}

void acklog_close(struct acklog *l)
{
	for (unsigned int i = 0; i < ACKLOG_CHUNKS; i++)
		if (l->chunk[i])
			munmap(l->chunk[i], CHUNK_BYTES);
	if (l->fd >= 0)
		close(l->fd);
	memset(l->chunk, 0, sizeof(l->chunk));
	l->fd = -1;
}
