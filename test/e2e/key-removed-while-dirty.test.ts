// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { addKey, bootWithEncryptedDir, MOUNT, must } from './support/encrypted-disk.js';
import { shell } from './support/guest.js';

const FILE = `${MOUNT}/dir/scattered`;
/** Each is a range of its own for writeback. On a small disk, the space that they reserve would make btrfs write some. */
const BLOCKS = 100;

describe('many dirty ranges of a file whose key is removed', () => {
  it('all fail at once, so that a read-only remount leaves nothing to be written when the key comes back', async () => {
    const { guest, device, identifier } = await bootWithEncryptedDir({
      name: 'dirty',
      sizeBytes: 4 * 1024 ** 3,
    });
    // Dirty pages are written out by themselves after 30 s: not before the removal, but soon once that is over.
    await must(
      guest,
      `head -c ${BLOCKS * 8192} /dev/zero > ${FILE} && sync
      perl -e 'open F, "+<", "${FILE}" or die; for (1..${BLOCKS}) { seek F, 8192 * ($_ - 1), 0; syswrite F, "x" x 4096 or die } close F'`,
    );
    const removal = await shell(
      guest,
      `xfs_io -c 'rm_enckey ${identifier}' ${MOUNT} && mount -o remount,ro ${MOUNT} &&
      cd /proc/sys/vm && echo 10 > dirty_expire_centisecs && echo 10 > dirty_writeback_centisecs`,
      60_000,
    );
    // The kernel's log says that data was lost, and nothing else.
    expect(removal, removal.reports.join('\n')).toMatchObject({ marks: ['btrfs'], exec: { exitCode: 0 } });
    expect(removal.reports.join('\n')).toContain('ENOKEY');
    await must(guest, `${addKey(MOUNT)} && sleep 3`);
    await must(guest, `umount ${MOUNT} && mount ${device} ${MOUNT} && ${addKey(MOUNT)}`, 30_000);
    const kept = await must(guest, `tr -d '\\0' < ${FILE} | wc -c`);
    process.stderr.write(`key removed while dirty: ${kept.trim()} of ${BLOCKS * 4096} bytes kept\n`);
    expect(kept.trim()).toBe('0');
    await must(guest, `umount ${MOUNT}`, 30_000);
  });
});
