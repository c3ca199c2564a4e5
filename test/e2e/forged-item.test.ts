// SPDX-License-Identifier: GPL-2.0-only
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { tempDir } from '../helpers/temp.js';
import { forgeItems } from './support/disk/forge.js';
import { keyIdentifier } from './support/disk/fscrypt.js';
import { parseFileExtent, TYPE } from './support/disk/items.js';
import { countMarkers } from './support/disk/markers.js';
import { addKey, must, setPolicy } from './support/encrypted-disk.js';
import { e2eGuest, shell } from './support/guest.js';
import { SOURCES } from './support/planned-files.js';

const MIB = 1024 ** 2;
/** Of struct btrfs_file_extent_item. */
const ENCRYPTION_AT = 17;

const SECRET = `a-secret-that-must-not-be-written-${randomBytes(8).toString('hex')}`;
const PLANTED = `planted-by-who-had-the-disk-${randomBytes(8).toString('hex')}`;

/** Writes lines of a text over the first 64 KiB of a file, in place. */
const overwrite = (text: string, file: string, flag = ''): string =>
  `yes ${text} | head -c 65536 > /run/text && dd if=/run/text of=${file} bs=64k conv=notrunc ${flag} status=none`;

describe('a disk whose items say that extents of encrypted files are not encrypted', () => {
  it('gets no plaintext from the kernel, and none of it is taken for what is in the file', async () => {
    const dir = path.join(tempDir('forged item'), 'in');
    mkdirSync(dir);
    const masterKey = randomBytes(64);
    const identifier = keyIdentifier(masterKey).toString('hex');
    writeFileSync(path.join(dir, 'key'), masterKey);
    const guest = await e2eGuest({ disks: [{ name: 'forged', sizeBytes: 256 * MIB }] }, { variant: 'base' });
    await guest.push(dir, path.dirname(SOURCES));
    const disk = guest.diskPath('forged');
    const mount = 'mount /dev/enokey/forged /mnt/test';
    const files = '/mnt/test/dir';

    await must(guest, `mkfs.btrfs -q -f /dev/enokey/forged && ${mount}`);
    expect((await must(guest, addKey('/mnt/test'))).trim()).toBe(identifier);
    await must(
      guest,
      `mkdir ${files} && ${setPolicy(identifier, files)} && cd ${files}
      for name in buffered direct; do xfs_io -f -c 'falloc 0 1m' $name; done
      ${overwrite(PLANTED, 'written')}; cp written synced; sync; cd /; umount /mnt/test`,
    );
    expect(countMarkers(disk, [Buffer.from(PLANTED)])).toEqual([0]);

    // The control: extents were encrypted, and are called unencrypted now.
    const forged = forgeItems(disk, ({ key, data }) => {
      if (key.type !== TYPE.extentData) return false;
      const extent = parseFileExtent(data);
      if (extent.type === 'inline' || extent.diskBytenr === 0) return false;
      expect(extent.encryption).toBe(1);
      data.writeUInt8(0, ENCRYPTION_AT);
      return true;
    });
    expect(forged).toBeGreaterThanOrEqual(4);

    await must(guest, `${mount} && ${addKey('/mnt/test')}`);
    // Whether a write is refused or encrypted into a new extent is the kernel's choice.
    const writes = await shell(
      guest,
      `cd ${files}
      ${overwrite(SECRET, 'buffered')}; echo "buffered $?"; sync -f .; echo "sync $?"
      ${overwrite(SECRET, 'direct', 'oflag=direct')}; echo "direct $?"; sync -f .; echo "sync $?"
      cat written > /run/read; echo "read $?"; wc -c < /run/read
      cp --reflink=always written copy; cat copy > /run/copy; echo "copy $?"; cd /; umount /mnt/test`,
      30_000,
    );
    expect(writes.outcome).toBeUndefined();
    const said = writes.exec?.stdout ?? '';
    process.stderr.write(`forged item: ${forged} items; ${said.trim().replaceAll('\n', ', ')}\n`);
    const [written, planted] = countMarkers(disk, [Buffer.from(SECRET), Buffer.from(PLANTED)]);
    expect({ written, planted }).toEqual({ written: 0, planted: 0 });
    expect(said).toMatch(/^read [1-9]\d*\n0$/m);
    expect(said).toMatch(/^copy [1-9]/m);
  });
});
