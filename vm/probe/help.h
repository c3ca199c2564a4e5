/* SPDX-License-Identifier: GPL-2.0-only */
/* --help: what a man page would say. On stdout. */
#ifndef HELP_H
#define HELP_H

struct probe_def;

void help_overall(void);
void help_probe(const struct probe_def *def);

#endif
