// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { InfraError, UserError } from '../../../src/core/errors.js';
import { imageFailure } from '../../../src/image/failure.js';
import {
  packageVersions,
  readRecipe,
  recipeKey,
  reportedPackages,
  SUITES,
} from '../../../src/image/recipe.js';
import { inspectRootfs } from '../../../src/image/rootfs.js';
import { testContext } from '../../helpers/context.js';
import { tempDir } from '../../helpers/temp.js';

describe('the recipe', () => {
  it('has a stable key and names the packages that reports show', async () => {
    const recipe = await readRecipe(testContext());
    expect(recipe.key).toMatch(/^[0-9a-f]{64}$/);
    expect(recipe.reported).toEqual(expect.arrayContaining(['btrfs-progs', 'e2fsprogs', 'f2fs-tools']));
    expect((await readRecipe(testContext())).key).toBe(recipe.key);
  });

  it('has another key for other suites, and for files that are divided otherwise', () => {
    const keys = [
      recipeKey(['trixie'], ['a', 'b']),
      recipeKey(['trixie', 'trixie-backports'], ['a', 'b']),
      recipeKey(['trixie'], ['ab', '']),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it.each(['image', 'fstests'])('has the first of its suites in the build.sh of vm/%s', (folder) => {
    const script = readFileSync(path.join(testContext().dirs.shipped, 'vm', folder, 'build.sh'), 'utf8');
    expect(/^\s*(\S+) "\$root" "\$sources"$/m.exec(script)?.[1]).toBe(SUITES[0]);
  });

  it('marks packages with !, whatever suite they come from', () => {
    expect(reportedPackages('# a !\nplain\nbtrfs-progs/trixie-backports !\nxfsprogs ! # why\n')).toEqual([
      'btrfs-progs',
      'xfsprogs',
    ]);
  });

  it('reads versions as dpkg prints them', () => {
    expect(packageVersions('a\t1-1\nb\t2:3~bpo13+1\n', ['b', 'c'])).toEqual({ b: '2:3~bpo13+1' });
  });
});

describe('a root image', () => {
  /** A file with the few fields of an ext4 superblock that are looked at. */
  function fake(blocks: number): string {
    const file = path.join(tempDir('rootfs'), 'root.ext4');
    const head = Buffer.alloc(64 * 1024);
    head.writeUInt32LE(blocks, 1024 + 4);
    head.writeUInt32LE(2, 1024 + 0x18);
    head.writeUInt16LE(0xef53, 1024 + 0x38);
    writeFileSync(file, head);
    truncateSync(file, 4096 * 100);
    return file;
  }

  it('that is whole is taken', async () => {
    expect(await inspectRootfs(fake(100))).toMatchObject({ bytes: 409600 });
  });

  it('that is cut short, is something else, or is not there is refused, naming the file', async () => {
    await expect(inspectRootfs(fake(101))).rejects.toThrow(
      /root\.ext4: is cut short: 409600 bytes of 413696/,
    );
    const text = path.join(tempDir('rootfs'), 'notes.txt');
    writeFileSync(text, 'x'.repeat(100_000));
    await expect(inspectRootfs(text)).rejects.toThrow(/notes\.txt: is no ext4 file system/);
    await expect(inspectRootfs(`${text}.gone`)).rejects.toThrow(/cannot be read: ENOENT/);
    await expect(inspectRootfs(path.dirname(text))).rejects.toThrow(UserError);
  });
});

describe('a failed image build', () => {
  const explain = (output: string, exit: number | undefined = 1) =>
    imageFailure(output, exit, '/cache', '/log');

  it('is the user’s where a tool is missing', () => {
    const error = explain('build.sh: mmdebstrap is missing\n', 2);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toContain('mmdebstrap is missing');
  });

  it.each([
    ['tar: ./x: Cannot write: No space left on device', /no space left/],
    ["Err:1 http://x trixie\n  Temporary failure resolving 'x'", /archive cannot be reached/],
    [
      'I: running apt-get update...\nE: Unable to locate package btrfs-progs',
      /Unable to locate package btrfs-progs/,
    ],
    ['I: success', /exit 1/],
  ])('says what %j means', (output, expected) => {
    const error = explain(output);
    expect(error).toBeInstanceOf(InfraError);
    expect(error.message).toMatch(expected);
  });

  it('by a signal says so', () => {
    expect(imageFailure('', undefined, '/cache', '/log').message).toContain('by a signal');
  });
});
