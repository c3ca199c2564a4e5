// SPDX-License-Identifier: GPL-2.0-only
#include "errmap.h"

#include <stdio.h>
#include <string.h>

static const char *const names[SC_COUNT] = {
	[SC_OPEN] = "open", [SC_WRITE] = "write", [SC_READ] = "read", [SC_CLOSE] = "close",
	[SC_FSYNC] = "fsync", [SC_MSYNC] = "msync", [SC_SYNC] = "sync", [SC_SYNCFS] = "syncfs",
	[SC_MMAP] = "mmap", [SC_STORE] = "store", [SC_LOAD] = "load",
	[SC_FTRUNCATE] = "ftruncate", [SC_STAT] = "stat", [SC_ADD_KEY] = "add_key",
	[SC_REMOVE_KEY] = "remove_key", [SC_KEY_STATUS] = "key_status",
	[SC_FADVISE] = "fadvise", [SC_DROP_CACHES] = "drop_caches",
	[SC_USERFAULTFD] = "userfaultfd", [SC_FALLOCATE] = "fallocate",
	[SC_FICLONERANGE] = "ficlonerange", [SC_COPY_FILE_RANGE] = "copy_file_range",
};

void errmap_add(struct errmap *m, enum syscall_name sc, int err)
{
	if (err < 0 || err >= ERR_LIMIT)
		err = 0;
	m->n[sc][err]++;
}

void errmap_merge(struct errmap *into, const struct errmap *from)
{
	for (int s = 0; s < SC_COUNT; s++)
		for (int e = 0; e < ERR_LIMIT; e++)
			into->n[s][e] += from->n[s][e];
}

const char *errmap_name(int err, char buf[16])
{
	const char *name;

	if (err == ERR_SHORT)
		return "SHORT";
	if (err == ERR_SIGBUS)
		return "SIGBUS";
	name = strerrorname_np(err);
	if (name)
		return name;
	snprintf(buf, 16, "E%d", err);
	return buf;
}

void errmap_json(const struct errmap *m, struct json *j, const char *key)
{
	char buf[16];

	json_open(j, key, '{');
	for (int s = 0; s < SC_COUNT; s++) {
		bool any = false;

		for (int e = 0; e < ERR_LIMIT; e++) {
			if (!m->n[s][e])
				continue;
			if (!any)
				json_open(j, names[s], '{');
			any = true;
			json_uint(j, errmap_name(e, buf), m->n[s][e]);
		}
		if (any)
			json_close(j, '}');
	}
	json_close(j, '}');
}
