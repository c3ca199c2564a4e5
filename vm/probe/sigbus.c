// SPDX-License-Identifier: GPL-2.0-only
#include "sigbus.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "errmap.h"

static _Thread_local sigjmp_buf escape;
static _Thread_local volatile sig_atomic_t armed;

static void handler(int sig)
{
	if (armed)
		siglongjmp(escape, 1);
	/* Not one of ours: die of it. */
	signal(sig, SIG_DFL);
	raise(sig);
}

void sigbus_init(void)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &sa, NULL);
}

int sigbus_copy(void *dst, const void *src, size_t len)
{
	if (sigsetjmp(escape, 1)) {
		armed = 0;
		return ERR_SIGBUS;
	}
	armed = 1;
	memcpy(dst, src, len);
	/* The stores must not be moved behind the disarming. */
	__asm__ volatile("" ::: "memory");
	armed = 0;
	return 0;
}
