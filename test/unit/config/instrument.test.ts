// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { loadSettings } from '../../../src/config/index.js';
import type { Settings } from '../../../src/config/types.js';
import { parseVariantName } from '../../../src/config/resolve.js';
import { UserError } from '../../../src/core/errors.js';
import { parseFragment } from '../../../src/kernel/fragment.js';
import { readFragments } from '../../../src/kernel/fragments.js';
import { testContext } from '../../helpers/context.js';
import { tempDir } from '../../helpers/temp.js';

const packageRoot = path.resolve(import.meta.dirname, '../../..');
let dir: string;

function folder(name: string, ...files: string[]): void {
  mkdirSync(path.join(dir, name), { recursive: true });
  for (const file of files) writeFileSync(path.join(dir, name, file), '');
}

const at = (name: string, first?: number): object => ({
  kind: 'folder',
  path: path.join(dir, 'patches', name),
  ...(first ? { first } : {}),
});

beforeEach(() => {
  dir = tempDir('instrument');
  folder('patches/base', '0001-b.patch');
  folder('patches/mine', '0001-a.patch', '0002-a.patch');
});

function load(): Promise<Settings> {
  const yaml = `bases:
  k: {version: "7.3", series: patches/base}
  bare: {version: "7.3"}
variants:
  mine: {base: k, title: x, series: patches/mine}
  other: {base: k, title: y}
  low: {base: k, title: z, withBase: false}
  nobase: {base: bare, title: z}
`;
  writeFileSync(path.join(dir, 'enokey.yaml'), yaml);
  return loadSettings({ cwd: dir, packageRoot });
}

describe('VARIANT+instrument', () => {
  it.each([
    ['soft', { name: 'soft', instrument: false }],
    ['soft+instrument', { name: 'soft', instrument: true }],
    ['soft@2+instrument', { name: 'soft', first: 2, instrument: true }],
    ['soft+other', { name: 'soft+other', instrument: false }],
  ])('%s is taken apart', (asked, parts) => {
    expect(parseVariantName(asked)).toEqual(parts);
  });

  it('goes on top of base and variant, under a name and a title of its own', async () => {
    folder('patches/instrument', '0001-i.patch');
    const settings = await load();
    expect(await settings.resolve('mine+instrument')).toMatchObject({
      name: 'mine+instrument',
      title: 'x (instrumented)',
      series: [at('base'), at('mine'), at('instrument')],
      fragments: ['instrument.config'],
    });
    expect(await settings.resolve('mine@1+instrument')).toMatchObject({
      name: 'mine@1+instrument',
      title: 'x (first 1 of its patches, instrumented)',
      series: [at('base'), at('mine', 1), at('instrument')],
    });
    expect(await settings.resolve('mine')).toMatchObject({ fragments: [], series: [at('base'), at('mine')] });
  });

  it("adds what is for one variant only, and only to the variant's whole series", async () => {
    folder('patches/instrument', '0001-i.patch');
    folder('patches/instrument-mine', '0001-m.patch');
    const settings = await load();
    const folders = async (name: string): Promise<unknown> => (await settings.resolve(name)).series.slice(1);
    expect(await folders('mine+instrument')).toEqual([at('mine'), at('instrument'), at('instrument-mine')]);
    expect(await folders('mine@2+instrument')).toEqual([at('mine'), at('instrument')]);
    expect(await folders('other+instrument')).toEqual([at('instrument')]);
  });

  it.each([
    ['low+instrument', 'low is without the base series'],
    ['nobase+instrument', 'nobase is without the base series'],
    ['mine+instrument', 'patches/instrument: no patches'],
    ['mine+instrumen', 'unknown (did you mean "mine'],
    ['mine+instrument@1', 'unknown'],
    ['mine@+instrument', 'is not a number of patches'],
  ])('refuses %s', async (name, message) => {
    const error: unknown = await (await load()).resolve(name).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(message.split(' (did')[0]);
  });

  it('asks for what its fragment says, after the profile and before the user', async () => {
    const context = testContext({ dir });
    const extra = path.join(dir, 'extra.config');
    writeFileSync(extra, 'CONFIG_MINE=y\n');
    const symbols = async (ofVariant: string[]): Promise<string[]> =>
      (await readFragments(context, 'debug', ofVariant, [extra])).map(({ symbol }) => symbol);
    const shipped = path.join(packageRoot, 'vm/kernel/instrument.config');
    const own = parseFragment(readFileSync(shipped, 'utf8'), shipped).map(({ symbol }) => symbol);
    expect(own).toContain('CONFIG_FS_ENCRYPTION_INSTRUMENT');
    expect((await symbols(['instrument.config'])).slice(-own.length - 1)).toEqual([...own, 'CONFIG_MINE']);
    expect(await symbols([])).not.toContain('CONFIG_FS_ENCRYPTION_INSTRUMENT');
  });
});
