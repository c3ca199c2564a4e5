/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the unit tests share. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdbool.h>

#define CHECK(cond) selftest_check((cond), #cond, __FILE__, __LINE__)

/* Counts, and says on stderr what is not so. */
void selftest_check(bool ok, const char *what, const char *file, int line);

/* Reading back appends from files in @dir that are spoilt in all the ways that occur. */
void selftest_scan(const char *dir);
/* What the files of the probe `paths` hold, and telling damage from a change that is not there. */
void selftest_paths(void);
/* What the program at path @probe says to a wrong command line, and to --help. */
void selftest_usage(const char *probe);

/* That the supervisor answers however the process that it watches ends. Takes 3 s. */
void selftest_supervise(void);

#endif
