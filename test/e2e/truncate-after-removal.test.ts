// SPDX-License-Identifier: GPL-2.0-only
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { addKey, bootWithEncryptedDir, MOUNT, must } from './support/encrypted-disk.js';
import { shell } from './support/guest.js';
import { SOURCES } from './support/planned-files.js';

const FILE = `${MOUNT}/dir/file`;
const SIZE = 1024 * 1024;

describe('a file that cannot be truncated because its key was removed', () => {
  it('keeps its size, and the data that is on disk', async () => {
    const { guest, sources, device, identifier } = await bootWithEncryptedDir({
      name: 'truncate',
      sizeBytes: 1024 ** 3,
    });
    await must(guest, `head -c ${SIZE} /dev/zero | tr '\\0' a | tee ${FILE} > /dev/null && sync`);

    // The block in which the file is to end gets dirty without its key. Data that is written with the key again
    // makes the file system write down what it takes for the size.
    const holder = `
      open F, "+<", "${FILE}" or die; sysread(F, my $x, 4096) == 4096 or die;
      system(q(xfs_io -c "rm_enckey ${identifier}" ${MOUNT} > /dev/null)) == 0 or die;
      sysseek F, 10, 0; syswrite(F, "b", 1) == 1 or die;
      print truncate(F, 100) ? "truncated\\n" : "truncate: $!\\n"; print "size ", -s F, "\\n";
      system(q(${addKey(MOUNT)} > /dev/null)) == 0 or die;
      sysseek F, 8192, 0; syswrite(F, "c", 1) == 1 or die;
      # The first one tells of what was lost.
      F->sync or F->sync or die "fsync: $!";`;
    writeFileSync(path.join(sources, 'holder.pl'), `use IO::Handle; $| = 1;\n${holder}\n`);
    await guest.push(sources, path.dirname(SOURCES));
    const held = await shell(guest, `perl ${SOURCES}/holder.pl`, 60_000);
    const said = held.exec?.stdout ?? '';
    // The kernel's log says that data was lost.
    expect(held, said + held.reports.join('\n')).toMatchObject({ marks: ['btrfs'], exec: { exitCode: 0 } });
    await must(guest, `umount ${MOUNT} && mount ${device} ${MOUNT} && ${addKey(MOUNT)}`, 30_000);
    const size = Number(await must(guest, `stat -c %s ${FILE}`));
    const kept = Number(await must(guest, `tr -cd a < ${FILE} | wc -c`));
    process.stderr.write(
      `truncate after a removal: ${said.trim().replaceAll('\n', '; ')}; then size ${size}, ${kept} kept\n`,
    );
    expect(said).toMatch(/truncate: (Required key not available|Input\/output error)/);
    expect(said).toContain(`size ${SIZE}\n`);
    expect(size).toBe(SIZE);
    // All but the byte that was written with the key: what was written without it was lost.
    expect(kept).toBe(SIZE - 1);
    await must(guest, `umount ${MOUNT}`, 30_000);
  });
});
