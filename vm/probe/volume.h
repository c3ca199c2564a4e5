/* SPDX-License-Identifier: GPL-2.0-only */
/* The file system under test: mounting, unmounting, and what acts on the whole of it. */
#ifndef VOLUME_H
#define VOLUME_H

#include <stdbool.h>

struct volume {
	const char *device, *mount, *fstype, *options;
	int root_fd;	/* root directory, O_RDONLY; -1 while unmounted */
};

/* Each 0 or an errno. Mounting tries EBUSY again for 2 s. */
int volume_mount(struct volume *v);
/* Closes root_fd. EBUSY is tried again for up to 10 s: closed files may be put late. */
int volume_unmount(struct volume *v);
/* Best effort on the way out of an error. */
void volume_abandon(struct volume *v);
/* @what: "1", "2" or "3", see proc_sys_vm(5). */
int volume_drop_caches(const char *what);

/*
 * Splits mount options as mount(8) would: generic ones become @flags (MS_*), the others stay in
 * @data, which has room for strlen(@options) + 1 bytes.
 */
void volume_split_options(const char *options, unsigned long *flags, char *data);

#endif
