// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "paths-model.h"
#include "record.h"
#include "selftest.h"

struct files {
	unsigned char source[PATH_BYTES], old[PATH_BYTES], new[PATH_BYTES], found[PATH_BYTES];
};

static void check_op(const struct path_op *op, struct files *f)
{
	uint64_t old_size = path_old(op, 7, f->old);
	uint64_t new_size = path_new(op, f->source, f->old, old_size, f->new);
	uint64_t changed = 0;

	CHECK(new_size <= PATH_BYTES);
	for (uint64_t i = 0; i < PATH_BYTES; i++)
		changed += f->old[i] != f->new[i];
	/* An operation that changed nothing could not be seen to be lost. */
	CHECK(changed || old_size != new_size);
	CHECK(path_compare(f->new, new_size, f->old, old_size, f->new, new_size) == PATH_NEW);
	CHECK(path_compare(f->old, old_size, f->old, old_size, f->new, new_size) == PATH_OLD_OR_NEW);
	CHECK(path_compare(f->old, old_size - 1, f->old, old_size, f->new, new_size) ==
	      PATH_DAMAGED);

	/* Done in part: the byte that changed last is still the old one. */
	if (changed > 1 && old_size == new_size) {
		uint64_t last = new_size;

		while (f->old[last - 1] == f->new[last - 1])
			last--;
		memcpy(f->found, f->new, PATH_BYTES);
		f->found[last - 1] = f->old[last - 1];
		CHECK(path_compare(f->found, new_size, f->old, old_size, f->new, new_size) ==
		      PATH_OLD_OR_NEW);
	}
	/* A byte of what was synced before, which no operation touches. */
	if (new_size) {
		memcpy(f->found, f->new, PATH_BYTES);
		f->found[3] ^= 1;
		CHECK(path_compare(f->found, new_size, f->old, old_size, f->new, new_size) ==
		      PATH_DAMAGED);
	}
}

void selftest_paths(void)
{
	struct files *f = calloc(1, sizeof(*f));
	unsigned int n = 0;

	CHECK(f != NULL);
	if (!f)
		return;
	for (unsigned int b = 0; b < PATH_BLOCKS; b++)
		record_make(f->source + b * BLOCK, BLOCK, 7, 1, b);
	for (const struct path_op *op = path_ops; op->name; op++, n++) {
		CHECK(op->offset + op->length <= PATH_BYTES);
		CHECK(op->source_offset + op->length <= PATH_BYTES);
		check_op(op, f);
	}
	CHECK(n == 9);
	free(f);
}
