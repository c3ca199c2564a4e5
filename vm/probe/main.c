// SPDX-License-Identifier: GPL-2.0-only
#include "probe.h"
#include "supervise.h"

const struct probe_def probes[] = {
	{ "open-fd", "write through a descriptor held across the removal",
	  "  Each cycle creates a file, removes the key while a descriptor is open, writes one 64 KiB\n"
	  "  record through it, does what --gap says, closes, drops dentries and inodes, adds the key\n"
	  "  and reads the record back (observation visible_after_add). After the last cycle the file\n"
	  "  system is mounted anew and every record is read again: that decides. One case a gap.\n",
	  GROUP_CYCLES, probe_open_fd },
	{ "race-append", "open, append, close against a thread that removes and adds the key",
	  "  Each writer opens its file, appends one record and closes, again and again; a thread\n"
	  "  removes the key, flushes, and adds it again. A write counts as acknowledged when write(2)\n"
	  "  returned the whole length and close(2) 0; the log of these is kept in --ack-dir.\n",
	  GROUP_RACE, probe_race_append },
	{ "race-held", "the same through descriptors that stay open",
	  "  As race-append, but each writer opens its file once, before the race.\n",
	  GROUP_RACE, probe_race_held },
	{ "parked", "a writer stopped inside write(2) while the key is removed",
	  "  The source buffer of a 64 KiB write is an unpopulated userfaultfd page, so the write stops\n"
	  "  inside the kernel. The key is removed by a thread; meanwhile another file is written\n"
	  "  through a held descriptor. Then the page is supplied, both end, the file system is flushed\n"
	  "  without the key, and the key is added again. Needs CONFIG_USERFAULTFD.\n",
	  GROUP_CYCLES, probe_parked },
	{ "mmap", "stores through a shared mapping",
	  "  dirty-before: a 64 KiB record is stored through a mapping, then the key is removed.\n"
	  "  store-after: the key is removed, then the record is stored and msync(MS_SYNC) called; a\n"
	  "  SIGBUS counts as refused.\n",
	  GROUP_CYCLES, probe_mmap },
	{ "direct", "O_DIRECT writes through a descriptor held across the removal",
	  "  write-before: the record is written, then the key removed. write-after: a record is written\n"
	  "  while the key is there, the key removed, a second record written. Inconclusive where\n"
	  "  O_DIRECT is not accepted.\n",
	  GROUP_CYCLES, probe_direct },
	{ "paths", "every other way to change a file, after the removal",
	  "  Tries each through what was opened before the removal: prealloc, zero-range, punch-hole\n"
	  "  (fallocate), truncate (to a part of a block), o-trunc (open by path), clone (FICLONERANGE),\n"
	  "  copy-range (copy_file_range of no whole blocks), write-part (of a block that is not\n"
	  "  cached), map-hole (stores into a mapped hole). All but o-trunc, clone and prealloc have to\n"
	  "  write parts of blocks. Kept: after the remount the file is what the call promised.\n"
	  "  Whatever a file system does not do with the key is unsupported.\n",
	  GROUP_CYCLES, probe_paths },
	{ "read-after", "reads through a held descriptor or mapping after the removal",
	  "  cached: pages were read before the removal. dropped: the page cache is dropped after it.\n"
	  "  mapped: loads through a mapping after the cache is dropped. Right bytes or an error are\n"
	  "  legal, wrong bytes never.\n",
	  GROUP_CYCLES, probe_read_after },
	{ "new-open", "open(2) after the removal, with and without another holder",
	  "  Opens a file after the removal by its plaintext path, below a held directory descriptor,\n"
	  "  and by the no-key name that readdir gives, while nobody, a descriptor or a mapping holds\n"
	  "  the file. A descriptor that was obtained is also written through.\n",
	  GROUP_CYCLES, probe_new_open },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct options o;
	int status = options_parse(&o, argc, argv);

	return status >= 0 ? status : supervise(&o, probe_main);
}
