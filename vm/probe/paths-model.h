/* SPDX-License-Identifier: GPL-2.0-only */
/* The operations of the probe `paths`, and what a file holds before and after each. Pure. */
#ifndef PATHS_MODEL_H
#define PATHS_MODEL_H

#include <stdint.h>

#include "options.h"

#define PATH_BLOCKS 4u				/* records of a file */
#define PATH_BYTES ((PATH_BLOCKS + 1) * BLOCK)	/* longest that a file gets */

enum path_kind { PATH_PREALLOC, PATH_ZERO, PATH_PUNCH, PATH_TRUNCATE, PATH_O_TRUNC, PATH_CLONE,
		 PATH_COPY, PATH_WRITE, PATH_MAP };

struct path_op {
	const char *name;	/* of the case */
	enum path_kind kind;
	uint64_t offset, length, source_offset;	/* bytes; PATH_TRUNCATE: offset is the new size */
};

/* Ends with an entry whose name is NULL. */
extern const struct path_op path_ops[];

uint64_t path_old_size(const struct path_op *op);
/* Fill @buf (PATH_BYTES, zeros behind the end) and return the size of the file. */
uint64_t path_old(const struct path_op *op, uint64_t seed, unsigned char *buf);
uint64_t path_new(const struct path_op *op, const unsigned char *source, const unsigned char *old,
		  uint64_t old_size, unsigned char *buf);

enum path_found {
	PATH_NEW,		/* what the operation promises */
	PATH_OLD_OR_NEW,	/* each byte, and the size, as before or as promised */
	PATH_DAMAGED,		/* a byte or the size is neither */
	PATH_UNREADABLE,	/* not of path_compare() */
};

enum path_found path_compare(const unsigned char *found, uint64_t size, const unsigned char *old,
			     uint64_t old_size, const unsigned char *new, uint64_t new_size);

#endif
