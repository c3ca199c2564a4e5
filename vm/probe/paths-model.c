// SPDX-License-Identifier: GPL-2.0-only
#include "paths-model.h"

#include <string.h>

#include "record.h"

/* Bytes by which a change misses the ends of a block: less than any page. */
#define OFF 100u

const struct path_op path_ops[] = {
	{ "prealloc", PATH_PREALLOC, PATH_BLOCKS * BLOCK, BLOCK, 0 },
	{ "zero-range", PATH_ZERO, BLOCK + OFF, BLOCK - 2 * OFF, 0 },
	{ "punch-hole", PATH_PUNCH, BLOCK + OFF, BLOCK - 2 * OFF, 0 },
	{ "truncate", PATH_TRUNCATE, 2 * BLOCK + OFF, 0, 0 },
	{ "o-trunc", PATH_O_TRUNC, 0, 0, 0 },
	{ "clone", PATH_CLONE, BLOCK, BLOCK, 0 },
	{ "copy-range", PATH_COPY, BLOCK + OFF, BLOCK - 2 * OFF, 3 * OFF },
	{ "write-part", PATH_WRITE, BLOCK + OFF, OFF, OFF },
	{ "map-hole", PATH_MAP, PATH_BLOCKS * BLOCK, BLOCK, 0 },
	{ 0 },
};

uint64_t path_old_size(const struct path_op *op)
{
	return op->kind == PATH_MAP ? PATH_BYTES : PATH_BLOCKS * BLOCK;
}

uint64_t path_old(const struct path_op *op, uint64_t seed, unsigned char *buf)
{
	memset(buf, 0, PATH_BYTES);
	for (unsigned int b = 0; b < PATH_BLOCKS; b++)
		record_make(buf + b * BLOCK, BLOCK, seed, 0, b);
	return path_old_size(op);
}

uint64_t path_new(const struct path_op *op, const unsigned char *source, const unsigned char *old,
		  uint64_t old_size, unsigned char *buf)
{
	uint64_t size = old_size;

	memcpy(buf, old, PATH_BYTES);
	switch (op->kind) {
	case PATH_PREALLOC:
		size = op->offset + op->length;
		break;
	case PATH_ZERO:
	case PATH_PUNCH:
		memset(buf + op->offset, 0, op->length);
		break;
	case PATH_TRUNCATE:
	case PATH_O_TRUNC:
		size = op->offset;
		memset(buf + size, 0, PATH_BYTES - size);
		break;
	default:
		memcpy(buf + op->offset, source + op->source_offset, op->length);
	}
	return size;
}

enum path_found path_compare(const unsigned char *found, uint64_t size, const unsigned char *old,
			     uint64_t old_size, const unsigned char *new, uint64_t new_size)
{
	if (size == new_size && !memcmp(found, new, size))
		return PATH_NEW;
	if (size != new_size && size != old_size)
		return PATH_DAMAGED;
	for (uint64_t i = 0; i < size; i++)
		if (found[i] != old[i] && found[i] != new[i])
			return PATH_DAMAGED;
	return PATH_OLD_OR_NEW;
}
