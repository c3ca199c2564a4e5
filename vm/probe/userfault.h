/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page that stops whoever touches it, also the kernel on behalf of a system call, until it is
 * supplied: userfaultfd(2) in "missing" mode.
 */
#ifndef USERFAULT_H
#define USERFAULT_H

#include <stddef.h>
#include <stdint.h>

struct userfault {
	int fd;
	void *area;
	size_t len;
};

/* Maps @len bytes (a multiple of the page size) that stop their first user. 0 or an errno. */
int userfault_open(struct userfault *u, size_t len);
/* 0 when somebody is stopped in the area; ETIMEDOUT after @timeout_ms; else an errno. */
int userfault_wait(struct userfault *u, int timeout_ms);
/* Supplies the whole area with @content and lets go whoever is stopped. 0 or an errno. */
int userfault_release(struct userfault *u, const void *content);
void userfault_close(struct userfault *u);

#endif
