/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of a probe whose environment does not let it run. README.md, "error". */
#ifndef FAIL_H
#define FAIL_H

/* For fail(): set once by the child before anything can fail. */
struct shared;
struct volume;
void fail_init(const char *probe, struct shared *shared, struct volume *vol);

/*
 * Prints the error line and its text on stderr, unmounts what is mounted, and exits 1. @err is an
 * errno or 0; @call is what failed, e.g. "mount". @expected and @next are sentences.
 */
_Noreturn void fail(const char *subject, const char *call, int err, const char *expected,
		    const char *next);

#endif
