// SPDX-License-Identifier: GPL-2.0-only
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { filesystemOf } from '../../src/probe/filesystems.js';
import { tempDir } from '../helpers/temp.js';
import { countInFile, countInRam } from './support/guest-ram.js';
import { e2eKernel, e2eGuest } from './support/guest.js';
import { hkdfState, sha512Block } from './support/hkdf-state.js';
import { KeyedFilesystem } from './support/keyed-filesystem.js';

async function filesystemOn(variant: string, filesystem: string): Promise<KeyedFilesystem> {
  const guest = await e2eGuest({
    ...(await e2eKernel('default', variant)),
    disks: [{ name: 'scratch', sizeBytes: 512 * 1024 ** 2 }],
    memoryMiB: 512,
  });
  return KeyedFilesystem.make(guest, filesystemOf(filesystem), '/dev/enokey/scratch');
}

/** Copies of the two halves of the key's HKDF state in the guest's RAM. */
function copies(of: KeyedFilesystem): Promise<number[]> {
  const { inner, outer } = hkdfState(of.key);
  return countInRam(of.guest, [inner, outer]);
}

describe('the search for a key in RAM', () => {
  it('computes the states that SHA-512 has between blocks', () => {
    const block = Buffer.alloc(128);
    block.write('abc');
    block[3] = 0x80;
    block[127] = 24;
    const digest = sha512Block(block).map((word) => word.toString(16).padStart(16, '0'));
    expect(digest.join('')).toBe(createHash('sha512').update('abc').digest('hex'));
  });

  it('finds what lies across the pieces that it reads', async () => {
    const needle = randomBytes(64);
    const file = path.join(tempDir('ram'), 'ram');
    const piece = 16 * 1024 ** 2;
    const bytes = Buffer.alloc(2 * piece + 100);
    for (const at of [0, 1000, piece - 1, piece + 64, 2 * piece - 63, bytes.length - 64])
      needle.copy(bytes, at);
    writeFileSync(file, bytes);
    expect(await countInFile(file, [needle, randomBytes(64)])).toEqual([6, 0]);
  });
});

const NONE = [0, 0];
const ONE = [1, 1];

describe('the master key in the RAM of a guest with soft', () => {
  it('outlives its removal while a file is open, and goes with the last close', async () => {
    const of = await filesystemOn('soft', 'btrfs');
    expect(await copies(of)).toEqual(NONE);
    await of.addKey();
    expect(await copies(of)).toEqual(ONE);
    await of.hold('clean');
    expect(await of.removeKey()).toBe('incompletely removed');
    expect(await copies(of)).toEqual(ONE);
    await of.letGo();
    process.stderr.write(`clean file: absent ${await of.untilAbsent()} ms after the last close\n`);
    expect(await copies(of)).toEqual(NONE);
  });

  it('goes with the last close of a file that is dirty then', async () => {
    const of = await filesystemOn('soft', 'btrfs');
    await of.addKey();
    await of.hold('write at the end');
    expect(await of.removeKey()).toBe('incompletely removed');
    expect(await copies(of)).toEqual(ONE);
    await of.letGo();
    process.stderr.write(`dirty file: absent ${await of.untilAbsent()} ms after the last close\n`);
    expect(await copies(of)).toEqual(NONE);
  });

  it('goes with the last close of a file of which dirty blocks were truncated', async () => {
    const of = await filesystemOn('soft', 'btrfs');
    await of.addKey();
    await of.hold('write and truncate at the end');
    expect(await of.removeKey()).toBe('incompletely removed');
    await of.letGo();
    process.stderr.write(`truncated file: absent ${await of.untilAbsent()} ms after the last close\n`);
    expect(await copies(of)).toEqual(NONE);
  });

  it('goes with its removal when only a working directory is in use, or nothing', async () => {
    const of = await filesystemOn('soft', 'btrfs');
    await of.addKey();
    await of.hold('directory');
    expect(await of.removeKey()).toBe('incompletely removed');
    expect(await copies(of)).toEqual(NONE);
    // Whoever looks at a file there doesn't keep the directory's own key any longer.
    await of.look();
    await of.letGo();
    await of.untilAbsent();
    await of.addKey();
    expect(await copies(of)).toEqual(ONE);
    await of.removeKey();
    await of.untilAbsent();
    expect(await copies(of)).toEqual(NONE);
  });

  it('goes with its removal on ext4, whose files need it no longer', async () => {
    const of = await filesystemOn('soft', 'ext4');
    await of.addKey();
    expect(await copies(of)).toEqual(ONE);
    await of.hold('clean');
    expect(await of.removeKey()).toBe('incompletely removed');
    expect(await copies(of)).toEqual(NONE);
  });
});

describe('the master key in the RAM of a guest with base', () => {
  it('goes with its removal although a file is open', async () => {
    const of = await filesystemOn('base', 'btrfs');
    await of.addKey();
    expect(await copies(of)).toEqual(ONE);
    await of.hold('clean');
    expect(await of.removeKey()).toBe('incompletely removed');
    expect(await copies(of)).toEqual(NONE);
  });
});
