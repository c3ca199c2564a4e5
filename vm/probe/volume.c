// SPDX-License-Identifier: GPL-2.0-only
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "clock.h"

static const struct {
	const char *name;
	unsigned long set, clear;
} generic[] = {
	{ "ro", MS_RDONLY, 0 }, { "rw", 0, MS_RDONLY },
	{ "noatime", MS_NOATIME, 0 }, { "atime", 0, MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME, 0 }, { "relatime", MS_RELATIME, 0 },
	{ "strictatime", MS_STRICTATIME, 0 }, { "lazytime", MS_LAZYTIME, 0 },
	{ "sync", MS_SYNCHRONOUS, 0 }, { "dirsync", MS_DIRSYNC, 0 },
	{ "nosuid", MS_NOSUID, 0 }, { "nodev", MS_NODEV, 0 }, { "noexec", MS_NOEXEC, 0 },
	{ "defaults", 0, 0 },
};

void volume_split_options(const char *options, unsigned long *flags, char *data)
{
	char *end = data;

	*flags = 0;
	*data = 0;
	while (*options) {
		size_t len = strcspn(options, ","), i;

		for (i = 0; i < sizeof(generic) / sizeof(*generic); i++)
			if (strlen(generic[i].name) == len && !strncmp(generic[i].name, options, len))
				break;
		if (i < sizeof(generic) / sizeof(*generic)) {
			*flags = (*flags & ~generic[i].clear) | generic[i].set;
		} else if (len) {
			if (end != data)
				*end++ = ',';
			memcpy(end, options, len);
			end += len;
			*end = 0;
		}
		options += len;
		if (*options)
			options++;
	}
}

int volume_mount(struct volume *v)
{
	unsigned long flags;
	char *data = malloc(strlen(v->options) + 1);
	int err = 0;

	if (!data)
		return ENOMEM;
	volume_split_options(v->options, &flags, data);
	/* Something like a udev rule may still look at a device that was just unmounted. */
	for (int i = 0; mount(v->device, v->mount, v->fstype, flags, data); i++) {
		err = errno;
		if (err != EBUSY || i == 100)
			break;
		err = 0;
		clock_sleep_us(20000);
	}
	free(data);
	if (err)
		return err;
	v->root_fd = open(v->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->root_fd < 0) {
		err = errno;
		umount2(v->mount, 0);
	}
	return err;
}

int volume_unmount(struct volume *v)
{
	if (v->root_fd < 0)
		return 0;
	close(v->root_fd);
	v->root_fd = -1;
	for (int i = 0;; i++) {
		if (!umount2(v->mount, UMOUNT_NOFOLLOW))
			return 0;
		if (errno != EBUSY || i == 1000)
			return errno;
		clock_sleep_us(10000);
	}
}

void volume_abandon(struct volume *v)
{
	if (v->root_fd < 0)
		return;
	close(v->root_fd);
	v->root_fd = -1;
	/* The probe's files may still be open: the mount goes away with the process. */
	if (umount2(v->mount, UMOUNT_NOFOLLOW))
		umount2(v->mount, MNT_DETACH | UMOUNT_NOFOLLOW);
}

int volume_drop_caches(const char *what)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, what, 1) != 1)
		err = errno;
	close(fd);
	return err;
}
