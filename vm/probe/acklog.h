/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which writes were acknowledged, and when: one 32-bit tag a write, by its number, in a mapped file
 * outside the file system under test. One writer each. 4 bytes a write, so a million take 4 MB.
 */
#ifndef ACKLOG_H
#define ACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#define ACKLOG_CHUNK (1u << 18)		/* tags a chunk: 1 MiB */
#define ACKLOG_CHUNKS 4096u		/* a thousand million writes */

struct acklog {
	int fd;
	char path[4096];
	uint32_t *chunk[ACKLOG_CHUNKS];
};

/*
 * Makes @dir/enokey-ack.PID.@writer. Without @keep the name is gone at once, so that no way to end
 * leaves the file behind. 0 or an errno.
 */
int acklog_open(struct acklog *l, const char *dir, uint32_t writer, bool keep);
/* @tag is not 0. ENOSPC when the log's file system is full: nothing is acknowledged unlogged. */
int acklog_set(struct acklog *l, uint64_t n, uint32_t tag);
/* 0 if write @n was not acknowledged. */
uint32_t acklog_get(const struct acklog *l, uint64_t n);
void acklog_close(struct acklog *l);

#endif
