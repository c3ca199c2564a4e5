// SPDX-License-Identifier: GPL-2.0-only
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';

import { bodyDigest, findMisfits, functionBody, readManifest } from '../../../src/fstests/overrides.js';
import { selectFstests } from '../../../src/fstests/selection.js';
import { REPOSITORY_ROOT } from '../../helpers/repository.js';
import { makeFstestsRepository } from '../../helpers/fstests-tree.js';
import { testContext, type TestContext } from '../../helpers/context.js';
import { tempDir } from '../../helpers/temp.js';

describe('which fstests tests a run has', () => {
  let context: TestContext;
  let source: string;

  beforeEach(() => {
    const dir = tempDir();
    const shipped = path.join(dir, 'shipped');
    cpSync(path.join(REPOSITORY_ROOT, 'fstests-overrides'), path.join(shipped, 'fstests-overrides'), {
      recursive: true,
    });
    const own = path.join(shipped, 'fstests-overrides/hard/tests/generic');
    mkdirSync(own, { recursive: true });
    writeFileSync(path.join(own, '595'), '#!/bin/bash\n');
    source = path.join(dir, 'xf');
    makeFstestsRepository(source);
    context = testContext({ dir, shipped });
  });

  it('fetches nothing when none is asked for', async () => {
    const selection = await selectFstests(context, {
      tests: ['open-fd'],
      source: '/nowhere',
      filesystems: ['ext4'],
    });
    expect(selection).toEqual({ tests: ['open-fd'], fstests: [] });
    expect(existsSync(path.join(context.dirs.cache, 'fstests'))).toBe(false);
  });

  it('expands groups for every file system, once each', async () => {
    const selection = await selectFstests(context, {
      tests: ['probe/mmap', 'generic/595'],
      groups: ['encrypt'],
      source,
      filesystems: ['ext4', 'f2fs'],
    });
    expect(selection.tests).toEqual(['probe/mmap', 'generic/595', 'ext4/024']);
    expect(selection.fstests).toEqual(['generic/595', 'ext4/024']);
    expect(selection.plan).toMatchObject({
      asked: source,
      timeFactor: 1,
      source: { kind: 'folder', path: source },
    });
  });

  it("takes a variant's own version beside the untouched one", async () => {
    const tests = ['generic/595', 'generic/595 [hard]'];
    expect((await selectFstests(context, { tests, source, filesystems: ['ext4'] })).tests).toEqual(tests);
    await expect(
      selectFstests(context, { tests: ['generic/595 [soft]'], source, filesystems: ['ext4'] }),
    ).rejects.toThrow(/fstests-overrides\/soft\/tests has no generic\/595.*generic\/595 \[hard\]/);
  });

  it.each([
    [{ tests: ['generic/999'] }, /has no generic\/999/],
    [{ groups: ['encrpyt'] }, /group encrpyt/],
    [{ tests: ['generic/595'], timeFactor: 0 }, /--time-factor: 0/],
    [{ tests: ['generic/595'], timeFactor: 1.5 }, /--time-factor: 1.5/],
    [{ tests: ['generic/595'], exclude: ['/nowhere.txt'] }, /nowhere.txt/],
  ])('refuses %j', async (options, message) => {
    await expect(selectFstests(context, { source, filesystems: ['ext4'], ...options })).rejects.toThrow(
      message,
    );
  });

  it('leaves out what a file excludes, and says why', async () => {
    const file = path.join(tempDir(), 'known');
    writeFileSync(file, 'ext4/024 # corrupts\n');
    const selection = await selectFstests(context, {
      groups: ['encrypt'],
      exclude: [file],
      source,
      filesystems: ['ext4'],
    });
    expect(selection.tests).toEqual(['generic/595']);
    expect(selection.plan?.excluded).toEqual([{ test: 'ext4/024', reason: 'corrupts', from: `${file}:1` }]);
    writeFileSync(file, 'ext4/024 # a\ngeneric/595 # b\n');
    await expect(
      selectFstests(context, { groups: ['encrypt'], exclude: [file], source, filesystems: ['ext4'] }),
    ).rejects.toThrow(/all 2 are excluded/);
  });

  it('refuses btrfs, and only btrfs, on a tree that the overrides do not fit', async () => {
    const failure = await selectFstests(context, {
      tests: ['generic/595'],
      source,
      filesystems: ['ext4', 'btrfs'],
    }).then(
      () => '',
      (error: Error) => error.message,
    );
    expect(failure).toMatch(
      /common\/encrypt: _scratch_mkfs_encrypted has changed \(now [0-9a-f]{16}\), and \d+ more/,
    );
    expect(failure).toMatch(/expected kdave\/xfstests master/);
    await expect(
      selectFstests(context, { tests: ['generic/595'], source, filesystems: ['ext4'] }),
    ).resolves.toBeDefined();
  });

  it('never turns a test into its port behind the back of who named an fstests', async () => {
    const gone = pathToFileURL(path.join(tempDir(), 'gone')).href;
    await expect(
      selectFstests(context, { tests: ['generic/595'], source: gone, filesystems: ['ext4'] }),
    ).rejects.toThrow(/cannot be fetched/);
  });

  it('needs no fstests for a port that was asked for', async () => {
    const selection = await selectFstests(context, { tests: ['generic/595 (port)'], filesystems: ['ext4'] });
    expect(selection).toMatchObject({ tests: ['generic/595 (port)'], fstests: ['generic/595 (port)'] });
    expect(selection.plan?.source).toBeUndefined();
  });
});

describe('the check that an override fits', () => {
  it('sees a function that is gone, one that changed, and no change in comments and white space', async () => {
    const dir = tempDir();
    mkdirSync(path.join(dir, 'common'));
    const body = '_f()\n{\n\tlocal a=1\n\t# why\n\techo $a\n}\n';
    const manifest = {
      files: {
        'common/x': {
          checked: ['a to b'],
          functions: { _f: { bodies: [bodyDigest(functionBody(body, '_f') ?? '')] } },
        },
      },
    };
    writeFileSync(
      path.join(dir, 'common/x'),
      `before\n${body.replace('# why', '# because').replace('\techo', '    echo')}_g()\n{\n}\n`,
    );
    expect(await findMisfits(manifest, dir)).toEqual([]);
    writeFileSync(path.join(dir, 'common/x'), body.replace('a=1', 'a=2'));
    expect(await findMisfits(manifest, dir)).toMatchObject([
      { function: '_f', observed: expect.stringMatching(/^has changed/) as string },
    ]);
    writeFileSync(path.join(dir, 'common/x'), '_ff()\n{\n}\n');
    expect(await findMisfits(manifest, dir)).toMatchObject([
      { function: '_f', observed: 'is not there any more', checked: 'a to b' },
    ]);
  });

  it('has an entry for every function that the overrides keep', async () => {
    const common = path.join(REPOSITORY_ROOT, 'fstests-overrides/common');
    const manifest = await readManifest(path.join(common, 'overrides.yaml'));
    const { readFileSync } = await import('node:fs');
    const kept = [
      ...readFileSync(path.join(common, 'encrypt.sh'), 'utf8').matchAll(/^\s*_enokey_keep (\w+)$/gm),
    ].map((match) => match[1]);
    expect(kept.length).toBeGreaterThan(10);
    expect(Object.keys(manifest.files['common/encrypt']?.functions ?? {}).sort()).toEqual(
      [...new Set(kept)].sort(),
    );
  });

  const upstream = process.env['ENOKEY_FSTESTS'];
  it.skipIf(upstream === undefined || !existsSync(upstream))(
    'passes on the checkout in ENOKEY_FSTESTS (skipped without one)',
    async () => {
      const { parseSource, resolveSource } = await import('../../../src/fstests/source.js');
      const { exportTree } = await import('../../../src/fstests/export.js');
      const context = testContext();
      const tree = await exportTree(context, await resolveSource(context, await parseSource(upstream ?? '')));
      const manifest = await readManifest(
        path.join(REPOSITORY_ROOT, 'fstests-overrides/common/overrides.yaml'),
      );
      expect(await findMisfits(manifest, tree.tree)).toEqual([]);
    },
  );
});
