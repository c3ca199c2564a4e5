/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts failed calls by system call and errno. Not locked: one a thread, merged afterwards. */
#ifndef ERRMAP_H
#define ERRMAP_H

#include <stdint.h>

#include "json.h"

enum syscall_name {
	SC_OPEN, SC_WRITE, SC_READ, SC_CLOSE, SC_FSYNC, SC_MSYNC, SC_SYNC, SC_SYNCFS, SC_MMAP,
	SC_STORE, SC_LOAD, SC_FTRUNCATE, SC_STAT, SC_ADD_KEY, SC_REMOVE_KEY, SC_KEY_STATUS,
	SC_FADVISE, SC_DROP_CACHES, SC_USERFAULTFD, SC_FALLOCATE, SC_FICLONERANGE,
	SC_COPY_FILE_RANGE, SC_COUNT,
};

/* What is no errno, but a way to fail that has to be counted beside them. */
#define ERR_SHORT 134	/* fewer bytes than asked for, without an error */
#define ERR_SIGBUS 135	/* the access raised SIGBUS */
#define ERR_LIMIT 136

struct errmap {
	uint64_t n[SC_COUNT][ERR_LIMIT];
};

void errmap_add(struct errmap *m, enum syscall_name sc, int err);
void errmap_merge(struct errmap *into, const struct errmap *from);
void errmap_json(const struct errmap *m, struct json *j, const char *key);
/* "ENOKEY", "SHORT", or "E123" for a number without a name. @buf is used for the last. */
const char *errmap_name(int err, char buf[16]);

#endif
