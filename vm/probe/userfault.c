// SPDX-License-Identifier: GPL-2.0-only
#include "userfault.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int userfault_open(struct userfault *u, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int err;

	u->len = len;
	u->area = MAP_FAILED;
	/* Not UFFD_USER_MODE_ONLY: the fault to catch is one of the kernel. */
	u->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (u->fd < 0)
		return errno;
	if (ioctl(u->fd, UFFDIO_API, &api))
		goto fail;
	u->area = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (u->area == MAP_FAILED)
		goto fail;
	/* A huge page would be one fault for all and could not be supplied in pieces. */
	madvise(u->area, len, MADV_NOHUGEPAGE);
	reg.range.start = (uintptr_t)u->area;
	reg.range.len = len;
	if (ioctl(u->fd, UFFDIO_REGISTER, &reg))
		goto fail;
	return 0;
fail:
	err = errno;
	userfault_close(u);
	return err;
}

int userfault_wait(struct userfault *u, int timeout_ms)
{
	struct pollfd p = { u->fd, POLLIN, 0 };
	struct uffd_msg msg;
	int r;

	do {
		r = poll(&p, 1, timeout_ms);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno;
	if (!r)
		return ETIMEDOUT;
	if (read(u->fd, &msg, sizeof(msg)) != sizeof(msg))
		return errno;
	return msg.event == UFFD_EVENT_PAGEFAULT ? 0 : EPROTO;
}

int userfault_release(struct userfault *u, const void *content)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)u->area, .src = (uintptr_t)content,
				    .len = u->len };

	while (ioctl(u->fd, UFFDIO_COPY, &copy)) {
		if (errno != EAGAIN)
			return errno;
		/* Interrupted half-way: go on behind what was supplied. */
		if (copy.copy > 0) {
			copy.dst += (uint64_t)copy.copy;
			copy.src += (uint64_t)copy.copy;
			copy.len -= (uint64_t)copy.copy;
		}
		copy.copy = 0;
	}
	return 0;
}

void userfault_close(struct userfault *u)
{
	if (u->area != MAP_FAILED)
		munmap(u->area, u->len);
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	u->area = MAP_FAILED;
}
