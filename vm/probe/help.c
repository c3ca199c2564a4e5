// SPDX-License-Identifier: GPL-2.0-only
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "probe.h"

static const char common_options[] =
	"OPTIONS OF ALL PROBES\n"
	"  --mount DIR           existing directory to mount DEV on; nothing may be mounted there\n"
	"  --device DEV          block device with a fresh file system, encryption feature on,\n"
	"                        not mounted\n"
	"  --fstype TYPE         ext4, f2fs, btrfs, ...: as for mount(2)\n"
	"  --mount-options OPTS  comma list for mount (default: none)\n"
	"  --ack-dir DIR         where acknowledgements are logged: not on DEV, best a tmpfs\n"
	"  --seed N              0 .. 2^53-1; key, records and pauses follow from it\n"
	"  --deadline SECONDS    end with verdict \"error\" after that (default 300)\n"
	"  --progress            a \"progress\" line a second\n"
	"  --help                this text\n";

static const char cycles_options[] =
	"  --cycles N            repetitions of each case, 1 .. 1000 (default 5)\n";

static const char race_options[] =
	"  At most one of these four ends the race (default --attempts 100000, with\n"
	"  --record aligned64k 2000):\n"
	"  --attempts N          attempts of all writers together, refused ones included\n"
	"  --acks N              acknowledged writes of all writers together\n"
	"  --cycles N            removals\n"
	"  --seconds S\n"
	"  --writers W           1 .. 64 (default 2)\n"
	"  --shared-file         all writers append to one file (default: a file each)\n"
	"  --record SIZE         1 (bare byte, as generic/595), 32 .. 65536 bytes (default 32), or\n"
	"                        aligned64k: one record a 64 KiB block, written at its own offset,\n"
	"                        so that no later write to the block can save a lost one\n"
	"  --no-flush            no syncfs between removal and re-add, as generic/595\n"
	"  --present-us N        the key stays for a seeded time up to N us (default 5000)\n"
	"  --absent-us N         the key stays away for a seeded time up to N us, besides the flush\n"
	"                        (default 1000)\n"
	"  --pause-every N       a writer pauses after N attempts on average, in race-append with its\n"
	"                        file closed, so that it can be evicted; 0: never (default 64; 1 with\n"
	"                        aligned64k)\n"
	"  --pause-us N          for a seeded time up to N us (default 2000; 10000 with aligned64k)\n"
	"  --keep-logs           leave the acknowledgement logs in --ack-dir\n";

void help_overall(void)
{
	printf("NAME\n"
	       "  enokey-probe - what happens to writes when their fscrypt master key is removed\n\n"
	       "SYNOPSIS\n"
	       "  enokey-probe NAME --mount DIR --device DEV --fstype TYPE --ack-dir DIR --seed N\n"
	       "               [OPTION]...\n"
	       "  enokey-probe NAME --help\n"
	       "  enokey-probe --version\n\n"
	       "DESCRIPTION\n"
	       "  Mounts DEV, makes a directory with a v2 encryption policy (AES-256-XTS, AES-256-CTS)\n"
	       "  whose master key follows from the seed, and asks the question of the probe NAME.\n"
	       "  Whether a write was lost is decided only by what reads back after unmount, mount and\n"
	       "  adding the key again. DEV is left unmounted. Needs root.\n\n"
	       "PROBES\n");
	for (const struct probe_def *d = probes; d->name; d++)
		printf("  %-12s %s\n", d->name, d->summary);
	printf("\n%s\n"
	       "OUTPUT\n"
	       "  JSON lines on stdout: a \"start\" line first, a \"result\" or \"error\" line last. Text\n"
	       "  for people goes to stderr. README.md beside the sources defines every key.\n"
	       "  Verdicts: kept, lost, refused, allowed (new-open), inconclusive (a positive control did\n"
	       "  not happen), error (deadline or crash).\n\n"
	       "EXIT STATUS\n"
	       "  0  the probe ran to its end; the last line is its result, whatever the verdict\n"
	       "  1  it could not run or did not end; the last line says why\n"
	       "  2  usage\n\n"
	       "EXAMPLE\n"
	       "  mkfs.ext4 -O encrypt /dev/vdb\n"
	       "  mkdir -p /mnt/scratch /run/ack\n"
	       "  enokey-probe open-fd --device /dev/vdb --fstype ext4 --mount /mnt/scratch \\\n"
	       "               --ack-dir /run/ack --seed 1\n",
	       common_options);
}

void help_probe(const struct probe_def *def)
{
	printf("NAME\n  enokey-probe %s - %s\n\n"
	       "SYNOPSIS\n  enokey-probe %s --mount DIR --device DEV --fstype TYPE --ack-dir DIR\n"
	       "               --seed N [OPTION]...\n\n"
	       "DESCRIPTION\n%s\n"
	       "OPTIONS\n%s",
	       def->name, def->summary, def->name, def->text,
	       def->group == GROUP_RACE ? race_options : cycles_options);
	if (!strcmp(def->name, "open-fd"))
		printf("  --gap LIST            comma list of none, fsync, sync, syncfs: what happens\n"
		       "                        between the write and the re-add; before: the write comes\n"
		       "                        before the removal, and syncfs after it. A case each\n"
		       "                        (default none,fsync,sync)\n");
	if (!strcmp(def->name, "parked"))
		printf("  --park-ms N           after that long a removal counts as waiting for the parked\n"
		       "                        writer, which is then released (default 2000, at most\n"
		       "                        50000: a task blocked longer is reported as hung)\n");
	printf("\n%s\nOUTPUT, EXIT STATUS\n  As in enokey-probe --help.\n", common_options);
}
