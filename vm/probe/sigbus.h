/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory accesses that may raise SIGBUS or SIGSEGV: a page of a mapping that cannot be had. */
#ifndef SIGBUS_H
#define SIGBUS_H

#include <stddef.h>

/* Installs the handlers of the process, once. */
void sigbus_init(void);
/* memcpy() of the calling thread; 0, or ERR_SIGBUS when an access was refused (partly copied). */
int sigbus_copy(void *dst, const void *src, size_t len);

#endif
