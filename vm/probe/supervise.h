/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs the probe in a child and keeps its own hands free, so that a deadline, a crash or a thread
 * stuck in the kernel still ends in a result line.
 */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include "options.h"
#include "shared.h"

/* @work runs in the child; its return value is the child's exit status. Gives the exit status. */
int supervise(const struct options *o, int (*work)(const struct options *, struct shared *));

#endif
