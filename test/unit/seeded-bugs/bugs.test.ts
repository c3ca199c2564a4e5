// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { loadSettings } from '../../../src/config/index.js';
import { readYaml } from '../../../src/config/yaml.js';
import { expectationFor } from '../../../src/run/standing.js';
import { tempDir } from '../../helpers/temp.js';
import { readBugs, selectBugs, testOf, variantOf, type Bug } from '../../seeded-bugs/bug.js';
import { settingsWith, type Shipped } from '../../seeded-bugs/settings.js';

const REPOSITORY = path.resolve(import.meta.dirname, '../../..');
const FOLDER = path.join(REPOSITORY, 'test/seeded-bugs');
const PATCHES = path.join(REPOSITORY, 'patches');
const VARIANTS = ['hard', 'sync', 'freeze', 'soft', 'prep-write'];

const shipped = (await readYaml(path.join(PATCHES, 'variants.yaml'))) as Shipped;
const bugs = await readBugs(path.join(FOLDER, 'bugs.yaml'), Object.keys(shipped.variants));
const patchText = (bug: Bug): string => readFileSync(path.join(FOLDER, `${bug.patch}.patch`), 'utf8');

async function bugsFrom(yaml: string): Promise<readonly Bug[]> {
  const file = path.join(tempDir('bugs'), 'bugs.yaml');
  writeFileSync(file, yaml);
  return readBugs(file, VARIANTS);
}

describe('the list of seeded bugs', () => {
  it('names every patch of its folder once, in their order', () => {
    const patches = readdirSync(FOLDER).filter((name) => name.endsWith('.patch'));
    expect(bugs.map((bug) => `${bug.patch}.patch`)).toEqual(patches.sort());
    expect(new Set(bugs.map((bug) => bug.name)).size).toBe(bugs.length);
  });

  it('has bugs in the base series and in all five variants', () => {
    expect(new Set(bugs.map((bug) => bug.variant))).toEqual(new Set(['base', ...VARIANTS]));
  });

  it.each(bugs.map((bug) => [bug.patch, bug] as const))(
    '%s says which promise it breaks and what must catch it',
    (_, bug) => {
      const text = patchText(bug);
      expect(text).toContain(`Seeded bug, on top of "${bug.variant}"`);
      expect(text).toMatch(/^It breaks this promise of /m);
      expect(text).toContain(testOf(bug).replace('e2e ', ''));
      expect(text).not.toContain('Signed-off-by');
    },
  );

  it('demands a sign that the contract of the variant does not allow', async () => {
    const settings = await loadSettings({ cwd: tempDir('none'), packageRoot: REPOSITORY });
    for (const bug of bugs) {
      if (!('test' in bug)) continue;
      const { contract } = await settings.resolve(bug.variant);
      const expected = expectationFor(contract, 'btrfs', bug.test);
      expect(expected, bug.patch).toBeDefined();
      if ('case' in bug.sign) {
        // A refusal is allowed by its errno: one that is refused in another way breaks the contract all the same.
        expect(expected?.cases?.[bug.sign.case], bug.patch).toBeDefined();
        expect(expected?.cases?.[bug.sign.case], bug.patch).not.toContain(bug.sign.verdict);
      }
      if ('outcome' in bug.sign) expect(expected?.outcome, bug.patch).not.toContain(bug.sign.outcome);
    }
  });
});

describe('reading bugs', () => {
  const one = '{ patch: 12-prep-write-x, test: probe/open-fd, sign: { mark: kasan } }';

  it('takes the variant from the name of the patch, the longest that fits', async () => {
    expect(variantOf('01-prep-write-x', ['prep', 'prep-write'])).toBe('prep-write');
    expect(variantOf('01-harder-x', ['hard'])).toBeUndefined();
    const [bug] = await bugsFrom(`bugs: [${one}]`);
    expect(bug).toMatchObject({ variant: 'prep-write', name: 'seeded-12', profile: 'default', args: [] });
  });

  it.each([
    [
      'a variant that there is not',
      'bugs: [{ patch: 01-none-x, test: t, sign: { mark: kasan } }]',
      'none of',
    ],
    ['a mark that there is not', `bugs: [${one.replace('kasan', 'kasam')}]`, 'bugs[0]'],
    ['no test', 'bugs: [{ patch: 01-hard-x, sign: { mark: kasan } }]', 'bugs[0]'],
  ])('refuses %s', async (_, yaml, said) => {
    await expect(bugsFrom(yaml)).rejects.toThrow(said);
  });

  it('selects by number, patch, file or variant, and refuses what names nothing', () => {
    const names = (words: string[]): string[] => selectBugs(bugs, words).map((bug) => bug.patch.slice(0, 2));
    expect(names([])).toHaveLength(bugs.length);
    expect(names(['04'])).toEqual(['04']);
    expect(names([`test/seeded-bugs/${bugs[0]?.patch}.patch`, '04'])).toEqual(['01', '04']);
    expect(names(['freeze'])).toEqual(
      bugs.filter((bug) => bug.variant === 'freeze').map((bug) => bug.patch.slice(0, 2)),
    );
    expect(() => names(['99'])).toThrow('99: no such bug');
  });
});

describe('the settings with a bug', () => {
  it('put the patch on top of the whole series and keep the contract', async () => {
    const settings = await loadSettings({ cwd: tempDir('none'), packageRoot: REPOSITORY });
    for (const bug of bugs) {
      const file = path.join(tempDir('settings'), 'enokey.yaml');
      writeFileSync(file, settingsWith(bug, shipped, { patches: PATCHES, bugs: FOLDER }));
      const mine = await (await loadSettings({ cwd: '/', file, packageRoot: REPOSITORY })).resolve(bug.name);
      const theirs = await settings.resolve(bug.variant);
      expect(mine.series).toEqual([
        ...theirs.series,
        { kind: 'mbox', path: path.join(FOLDER, `${bug.patch}.patch`) },
      ]);
      expect(mine.contract).toEqual(theirs.contract);
      expect(mine.overrides).toBe(theirs.overrides);
    }
  });

  it('pass arguments on to the probe', async () => {
    const [bug] = await bugsFrom(
      'bugs: [{ patch: 01-hard-x, test: probe/race-held, args: [--writers, "4"], sign: { mark: warn } }]',
    );
    const written: unknown = JSON.parse(settingsWith(bug!, shipped, { patches: PATCHES, bugs: FOLDER }));
    expect(written).toMatchObject({ probeArgs: { 'probe/race-held': ['--writers', '4'] } });
  });
});
