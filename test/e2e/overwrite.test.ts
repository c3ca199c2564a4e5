// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { bootWithEncryptedDir, MOUNT, must } from './support/encrypted-disk.js';
import { SOURCES } from './support/planned-files.js';

/** How long blocks are overwritten. */
const SECONDS = Number(process.env['ENOKEY_OVERWRITE_SECONDS'] ?? 30);

describe('pieces of one encrypted extent, overwritten at the same time', () => {
  it('keep their keys, for readers and clones as well', async () => {
    const program = path.join(import.meta.dirname, 'support/overwrite/overwrite.c');
    const { guest } = await bootWithEncryptedDir({ name: 'over', sizeBytes: 1024 ** 3 }, (sources) => {
      execFileSync('cc', ['-O2', '-static', '-pthread', '-o', path.join(sources, 'overwrite'), program]);
    });
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
