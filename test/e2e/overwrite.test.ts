// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { tempDir } from '../helpers/temp.js';
import { addKey, must, setPolicy } from './support/encrypted-disk.js';
import { e2eGuest } from './support/guest.js';
import { SOURCES } from './support/planned-files.js';

/** How long blocks are overwritten. */
const SECONDS = Number(process.env['ENOKEY_OVERWRITE_SECONDS'] ?? 30);
const DEVICE = '/dev/enokey/over';
const MOUNT = '/mnt/test';

describe('pieces of one encrypted extent, overwritten at the same time', () => {
  it('keep their keys, for readers and clones as well', async () => {
    const sources = path.join(tempDir('overwrite'), 'in');
    mkdirSync(sources);
    writeFileSync(path.join(sources, 'key'), Buffer.alloc(64, 'k'));
    const program = path.join(import.meta.dirname, 'support/overwrite/overwrite.c');
    execFileSync('cc', ['-O2', '-static', '-pthread', '-o', path.join(sources, 'overwrite'), program]);

    const guest = await e2eGuest({ disks: [{ name: 'over', sizeBytes: 1024 ** 3 }] }, { variant: 'base' });
    await guest.push(sources, path.dirname(SOURCES));
    await must(guest, `mkfs.btrfs -q -f ${DEVICE} && mount ${DEVICE} ${MOUNT}`, 30_000);
    const identifier = (await must(guest, addKey(MOUNT))).trim();
    await must(guest, `mkdir ${MOUNT}/dir && ${setPolicy(identifier, `${MOUNT}/dir`)}`);
    const said = await must(
      guest,
      `${SOURCES}/overwrite ${MOUNT}/dir ${SECONDS} 1 2>&1`,
      SECONDS * 2000 + 30_000,
    );
    process.stderr.write(`overwrite: ${said.trim()}\n`);
    const [, rounds, clones, bad] =
      /^rounds (\d+) writes \d+ reads \d+ clones (\d+) bad (\d+)$/m.exec(said) ?? [];
    expect(bad, said).toBe('0');
    await must(guest, `umount ${MOUNT}`, 30_000);
    // Enough happened for the answer to mean something.
    expect(Number(rounds)).toBeGreaterThan(3);
    expect(Number(clones)).toBeGreaterThan(10);
  });
});
