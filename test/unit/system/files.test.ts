// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { InfraError } from '../../../src/core/errors.js';
import {
  diskError,
  makeDirectoryAtomic,
  temporaryBeside,
  temporaryOwner,
  writeAtomic,
} from '../../../src/system/files.js';
import { tempDir } from '../../helpers/temp.js';

describe('the name of a temporary', () => {
  it('tells whose it is, and nothing else does', () => {
    expect(temporaryOwner(path.basename(temporaryBeside('/x/plan.json')))).toBe(process.pid);
    for (const name of ['plan.json', '.hidden', '.x.tmp-12-abc', 'x.tmp-12-0123abcd', '.x.tmp-a-0123abcd']) {
      expect(temporaryOwner(name)).toBeUndefined();
    }
  });
});

describe('writeAtomic', () => {
  it('replaces the file and leaves no temporary', async () => {
    const dir = tempDir();
    const file = path.join(dir, 'a', 'b.json');
    await writeAtomic(file, 'one');
    await writeAtomic(file, 'two');
    expect(readFileSync(file, 'utf8')).toBe('two');
    expect(readdirSync(path.dirname(file))).toEqual(['b.json']);
  });

  it('keeps the old content when it fails', async () => {
    const dir = tempDir();
    const target = path.join(dir, 'folder');
    mkdirSync(target);
    writeFileSync(path.join(target, 'x'), '');
    await expect(writeAtomic(target, 'data')).rejects.toThrow();
    expect(readdirSync(dir)).toEqual(['folder']);
  });
});

describe('makeDirectoryAtomic', () => {
  it('shows the folder whole or not at all', async () => {
    const dir = tempDir();
    const target = path.join(dir, 'artifact');
    await expect(
      makeDirectoryAtomic(target, async (inside) => {
        await writeFile(path.join(inside, 'half'), '');
        throw new Error('killed');
      }),
    ).rejects.toThrow('killed');
    expect(readdirSync(dir)).toEqual([]);
    await makeDirectoryAtomic(target, (inside) => writeFile(path.join(inside, 'whole'), ''));
    expect(readdirSync(target)).toEqual(['whole']);
  });

  it('keeps what another process made meanwhile', async () => {
    const dir = tempDir();
    const target = path.join(dir, 'artifact');
    await makeDirectoryAtomic(target, async (inside) => {
      mkdirSync(target);
      writeFileSync(path.join(target, 'theirs'), '');
      await writeFile(path.join(inside, 'ours'), '');
    });
    expect(readdirSync(dir)).toEqual(['artifact']);
    expect(readdirSync(target)).toEqual(['theirs']);
  });
});

describe('diskError', () => {
  it('names the folder and the space needed', () => {
    const error = diskError(Object.assign(new Error('x'), { code: 'ENOSPC' }), '/some/cache', '2 GiB');
    expect(error).toBeInstanceOf(InfraError);
    expect((error as Error).message).toBe('/some/cache: the disk is full (expected 2 GiB free)');
  });

  it('passes what it does not know', () => {
    const error = new Error('other');
    expect(diskError(error, '/x')).toBe(error);
  });
});
