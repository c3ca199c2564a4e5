// SPDX-License-Identifier: GPL-2.0-only
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { loadSettings } from '../../src/config/index.js';
import type { Settings } from '../../src/config/types.js';
import { UserError } from '../../src/core/errors.js';
import { describeVariants } from '../../src/variants/describe.js';
import { variantText, variantsTable } from '../../src/cli/variants-view.js';
import { testContext, type TestContext } from '../helpers/context.js';
import { fakeKernel, git, replaceLine, snapshot, writeSeries } from '../helpers/fake-kernel.js';
import { tempDir } from '../helpers/temp.js';

let dir: string;
let kernel: string;
let context: TestContext;
let settings: Settings;

beforeEach(async () => {
  dir = tempDir('variants');
  kernel = fakeKernel(path.join(dir, 'linux'));
  writeSeries(kernel, path.join(dir, 'series'), path.join(dir, 'scratch'));
  context = testContext({ dir: path.join(dir, 'enokey') });
  const mine = {
    base: 'v7.3',
    withBase: false,
    title: 'my own',
    series: 'series',
    contract: { btrfs: { 'probe/open-fd': 'fail' } },
  };
  writeFileSync(path.join(dir, 'enokey.yaml'), JSON.stringify({ variants: { mine } }));
  settings = await loadSettings({ cwd: dir, packageRoot: context.dirs.shipped });
});

describe('the list of variants', () => {
  it('says how many patches each has and that it applies, without a change to the tree', async () => {
    const before = snapshot(kernel);
    const variants = await describeVariants(context, {
      settings,
      names: ['stock', 'mine', 'mine@1'],
      tree: kernel,
    });
    expect(
      variants.map(({ name, applies, patches, problems }) => [name, applies, patches.length, problems]),
    ).toEqual([
      ['stock', 'yes', 0, []],
      ['mine', 'yes', 3, []],
      ['mine@1', 'yes', 1, []],
    ]);
    expect(snapshot(kernel)).toEqual(before);
    expect(variantsTable(variants)).toMatch(/^mine +v7\.3 +3 +yes +btrfs 1 +my own$/m);
  });

  it('does not know whether a series applies without a kernel', async () => {
    const [stock] = await describeVariants(context, { settings, names: ['stock'] });
    expect(stock).toMatchObject({ applies: 'unknown', problems: [] });
  });

  it('shows the others when one is broken', async () => {
    rmSync(path.join(dir, 'series', '0002-fscrypt-add-extents.patch'));
    const variants = await describeVariants(context, { settings, tree: kernel });
    expect(variants.find(({ name }) => name === 'mine')).toMatchObject({
      applies: 'no',
      problems: [expect.stringContaining('patch 0002 is missing')],
    });
    expect(variants.find(({ name }) => name === 'stock')).toMatchObject({ applies: 'yes' });
    expect(variantsTable(variants)).toMatch(/^mine: .*patch 0002 is missing/m);
  });

  it('refuses a name that does not exist', async () => {
    await expect(describeVariants(context, { settings, names: ['nope'] })).rejects.toThrow(UserError);
  });
});

describe('one variant', () => {
  it('shows patches, files touched and contract', async () => {
    const [mine] = await describeVariants(context, { settings, names: ['mine'], tree: kernel });
    const text = mine ? variantText(mine) : '';
    expect(text).toMatch(/0001-fscrypt-change-the-keyring\.patch +1 +2 +2 +fscrypt: change the keyring/);
    expect(text).toMatch(/^fs\/crypto\/extent\.c +1 +1 +0$/m);
    expect(text).toMatch(/^fs\/crypto\/keyring\.c +2 +3 +3$/m);
    expect(text).toMatch(/^2 files +4 +3$/m);
    expect(text).toMatch(/btrfs +probe\/open-fd +fail/);
    expect(text).not.toContain('PROBLEMS');
  });

  it('shows why it does not apply', async () => {
    replaceLine(kernel, 'fs/crypto/keyring.c', 10, 'other;');
    git(kernel, 'commit', '-q', '-am', 'other');
    const [mine] = await describeVariants(context, { settings, names: ['mine'], tree: kernel });
    expect(mine).toMatchObject({ applies: 'no', patches: { length: 3 } });
    expect(mine && variantText(mine)).toMatch(
      /PROBLEMS\n {2}patch 0001-.*fs\/crypto\/keyring\.c, hunk 1 of 2/,
    );
  });
});
