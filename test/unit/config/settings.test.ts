// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { loadSettings } from '../../../src/config/index.js';
import type { Settings } from '../../../src/config/types.js';
import { UserError } from '../../../src/core/errors.js';
import { PROBE_TESTS } from '../../../src/probe/catalog.js';
import { tempDir } from '../../helpers/temp.js';

const packageRoot = path.resolve(import.meta.dirname, '../../..');
let dir: string;

beforeEach(() => {
  dir = tempDir('config');
});

function load(yaml: string, cwd = dir): Promise<Settings> {
  writeFileSync(path.join(dir, 'enokey.yaml'), yaml);
  return loadSettings({ cwd, packageRoot });
}

/** The one-line message of a refusal, without the folder. */
async function problem(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).message).not.toContain('\n');
  return (error as UserError).message.replaceAll(`${dir}/`, '');
}

function mine(fields: string): string {
  return `variants:\n  mine:\n    base: v7.3\n    title: x\n${fields.replace(/^/gm, '    ')}\n`;
}

/** How a refusal of an unknown probe ends. */
const KNOWN = `, known are ${PROBE_TESTS.join(', ')}`;

function folder(name: string, ...files: string[]): void {
  mkdirSync(path.join(dir, name), { recursive: true });
  for (const file of files) writeFileSync(path.join(dir, name, file), '');
}

describe('the shipped variants.yaml', () => {
  it('has stock on v7.3, for the controls, without a series', async () => {
    const settings = await loadSettings({ cwd: '/', packageRoot });
    expect(settings.file).toBeUndefined();
    expect(settings.bases).toMatchObject([
      { name: 'v7.3', version: '7.3', debianPackage: 'linux-source-7.3' },
    ]);
    const stock = await settings.resolve('stock');
    expect(stock).toMatchObject({
      name: 'stock',
      series: [],
      filesystems: ['ext4', 'f2fs'],
      base: { name: 'v7.3' },
    });
    expect(stock.contract['ext4']?.['probe/open-fd']).toEqual({
      outcome: ['pass'],
      cases: Object.fromEntries(
        ['none', 'fsync', 'sync', 'syncfs', 'before'].map((gap) => [`gap=${gap}`, ['kept']]),
      ),
      observations: { gap_errors: 0, close_errors: 0 },
    });
    expect(stock.contract['f2fs']).toEqual(stock.contract['ext4']);
  });

  it('resolves every variant that it names', async () => {
    const settings = await loadSettings({ cwd: '/', packageRoot });
    for (const name of settings.variantNames)
      await expect(settings.resolve(name)).resolves.toMatchObject({ name });
  });
});

describe('enokey.yaml', () => {
  it('is found above the current folder, and paths in it are relative to it', async () => {
    const deep = path.join(dir, 'a', 'b');
    mkdirSync(deep, { recursive: true });
    const settings = await load('tree: ../linux\nruns: results\nfstests: xfstests\njobs: 3\n', deep);
    expect(settings).toMatchObject({
      file: path.join(dir, 'enokey.yaml'),
      tree: path.resolve(dir, '../linux'),
      state: path.join(dir, 'results'),
      fstests: path.join(dir, 'xfstests'),
      jobs: 3,
    });
  });

  it.each(['https://example.invalid/x.git@v1', 'a+b@example.invalid:x.git'])(
    'leaves a URL of fstests alone: %s',
    async (url) => {
      expect((await load(`fstests: ${url}\n`)).fstests).toBe(url);
    },
  );

  it('may be empty or only a comment', async () => {
    expect((await load('')).variantNames).toContain('stock');
    expect((await load('# nothing yet\n\n')).exclude).toEqual([]);
  });

  it.each([
    ['tre: x', 'enokey.yaml: unknown key "tre" (did you mean "tree"?)'],
    ['jobs: many', 'enokey.yaml: jobs: a number is wanted, not string "many"'],
    ['jobs: 0', 'enokey.yaml: jobs: a whole number of at least 1 is wanted, not 0'],
    ['iterations: -1', 'enokey.yaml: iterations: a whole number of at least 1 is wanted, not -1'],
    ['iterations: 1.5', 'enokey.yaml: iterations: a whole number of at least 1 is wanted, not 1.5'],
    [
      'filesystems: [ext3]',
      'enokey.yaml: filesystems[0]: unknown word "ext3" (did you mean "ext4"?), known are btrfs, ext4, f2fs',
    ],
    ['filesystems: ext4', 'enokey.yaml: filesystems: a list is wanted, not string "ext4"'],
    ['tests: [595]', 'enokey.yaml: tests[0]: a string is wanted: write "595" in quotes'],
    ['tests: [open-fd]', 'enokey.yaml: tests[0]: is not a test name (probe/NAME, generic/NNN)'],
    ['tests: [genric/595]', 'enokey.yaml: tests[0]: is not a test name (probe/NAME, generic/NNN)'],
    ['tests: [xfs/001]', 'enokey.yaml: tests[0]: is not a test name (probe/NAME, generic/NNN)'],
    ['tests: ["generic/595 [..]"]', 'enokey.yaml: tests[0]: is not a test name (probe/NAME, generic/NNN)'],
    ['- a', 'enokey.yaml: a mapping is wanted, not a list'],
    [
      'bases:\n  v8:\n    version: 8.0',
      'enokey.yaml: bases.v8.version: a string is wanted: write "8" in quotes',
    ],
    ['exclude: [{variant: x, fs: ext4}]', 'enokey.yaml: exclude[0]: unknown key "fs"'],
    ['probeArgs: {race: ["-x"]}', 'enokey.yaml: probeArgs.race: is not the name of a probe (probe/NAME)'],
    [
      'probeArgs: {probe/nonesuch: []}',
      `enokey.yaml: probeArgs.probe/nonesuch: unknown probe "probe/nonesuch"${KNOWN}`,
    ],
    [
      'contracts: {c: {probe/race-apend: pass}}',
      `enokey.yaml: contracts.c.probe/race-apend: unknown probe "probe/race-apend" (did you mean "probe/race-append"?)${KNOWN}`,
    ],
    [
      'exclude: [{}, {variant: sotf@2}]',
      /^enokey\.yaml: exclude\[1\]\.variant: unknown variant "sotf" \(did you mean "soft"\?\) \(expected one of stock, /,
    ],
    ['exclude: [{variant: soft@x}]', /^variant soft@x: "x" after the @ is not a number of patches/],
    [
      'exclude: [{test: opn-fd}]',
      /^enokey\.yaml: exclude\[0\]\.test: unknown test "opn-fd" \(did you mean "open-fd"\?\), known are generic\/NNN, probes, probe\/open-fd/,
    ],
    [
      'exclude: [{test: probe/race-apend}]',
      /unknown test "probe\/race-apend" \(did you mean "probe\/race-append"\?\)/,
    ],
    ['exclude: [{test: generic/59}]', /unknown test "generic\/59", known are/],
  ])('refuses %j', async (yaml, message) => {
    const said = await problem(load(yaml));
    if (typeof message === 'string') expect(said).toBe(message);
    else expect(said).toMatch(message);
  });

  it('takes the names of tests that fstests takes, of the folders that our file systems run', async () => {
    const tests = ['probe/open-fd', 'generic/595 (port)', 'generic/595 [Hard]', 'generic/12345', 'btrfs/001'];
    expect((await load(`tests: ${JSON.stringify(tests)}`)).tests).toEqual(tests);
  });

  it('may exclude any variant, patches of one, and tests by every name that a list of tests takes', async () => {
    const tests = [
      'open-fd',
      'probe/open-fd',
      'probes',
      'generic/595 (port)',
      'generic/595 [hard]',
      'ext4/024',
    ];
    const exclude = [
      ...tests.map((test) => ({ test })),
      { variant: 'soft' },
      { variant: 'soft@2+instrument' },
    ];
    expect((await load(`exclude: ${JSON.stringify(exclude)}`)).exclude).toEqual(exclude);
  });

  it.each([
    ['series: {pth: x}', 'variants.mine.series: unknown key "pth" (did you mean "path"?)'],
    ['series: {tree: x}', 'variants.mine.series.commits: is missing'],
    ['series: {tree: x, commits: HEAD}', 'variants.mine.series.commits: a range of commits is wanted: A..B'],
    ['series: [a, {commits: 5}]', 'variants.mine.series[1].commits: '],
    ['contract: {ext4: nothing}', 'variants.mine.contract.ext4: unknown contract "nothing"'],
    ['contract: {ext5: key-at-open}', 'variants.mine.contract.ext5: is not a file system'],
    [
      'contract: {ext4: {probe/open-fd: passes}}',
      'variants.mine.contract.ext4.probe/open-fd: unknown word "passes" (did you mean "pass"?)',
    ],
    [
      'contract: {ext4: {probe/open-fd: {case: {}}}}',
      'variants.mine.contract.ext4.probe/open-fd: unknown key "case" (did you mean "cases"?)',
    ],
    [
      'contract: {ext4: {probe/mmap: {cases: {a: gone}}}}',
      'variants.mine.contract.ext4.probe/mmap.cases.a: unknown word "gone"',
    ],
    ['contract: {ext4: {openfd: pass}}', 'variants.mine.contract.ext4.openfd: is not a test name'],
    [
      'contract: {all: {use: key-at-open, probe/race-apend: pass}}',
      'variants.mine.contract.all.probe/race-apend: unknown probe "probe/race-apend" (did you mean "probe/race-append"?)',
    ],
    [
      'prefixes: {1: {contract: {ext4: {probe/map: pass}}}}',
      'variants.mine.prefixes.1.contract.ext4.probe/map: unknown probe "probe/map" (did you mean "probe/mmap"?)',
    ],
    ['prefixes: {x: {title: y}}', 'variants.mine.prefixes.x: is not a number of patches'],
    [
      'prefixes: {1: {contract: {ext4: nothing}}}',
      'variants.mine.prefixes.1.contract.ext4: unknown contract "nothing"',
    ],
    ['withBase: maybe', 'variants.mine.withBase: true or false is wanted'],
  ])('refuses a variant with %j', async (fields, message) => {
    expect(await problem(load(mine(fields)))).toContain(`enokey.yaml: ${message}`);
  });

  it('names line and column of broken YAML, and a key that comes twice', async () => {
    expect(await problem(load('a: [\n'))).toMatch(/^enokey\.yaml:\d+:\d+: not valid YAML/);
    expect(await problem(load('jobs: 1\njobs: 2\n'))).toMatch(
      /^enokey\.yaml:2:1: not valid YAML: duplicated/,
    );
  });

  it('refuses an unknown base, and a variant that is shipped', async () => {
    expect(await problem(load('variants: {mine: {base: v7.4, title: x}}'))).toContain(
      'variants.mine.base: unknown base "v7.4" (did you mean "v7.3"?)',
    );
    expect(await problem(load('variants: {stock: {base: v7.3, title: x}}'))).toContain('variants.stock: ');
  });

  it.each(['Soft', 'a@1', 'a..b', 'x.lock', '-x', 'a b'])('refuses the variant name %j', async (name) => {
    expect(await problem(load(`variants: {${JSON.stringify(name)}: {base: v7.3, title: x}}`))).toContain(
      'is not a variant name',
    );
  });

  it('is an error when --config names a file that is not there', async () => {
    expect(await problem(loadSettings({ cwd: dir, file: 'other.yaml', packageRoot }))).toContain(
      'other.yaml: no such file',
    );
  });
});

describe('a variant of the user', () => {
  it('starts from named contracts and replaces single tests', async () => {
    const settings = await load(
      mine(
        'series: p\ncontract:\n  btrfs: {use: key-at-open, probe/parked: lost, probe/open-fd: {cases: {gap=none: [kept, EIO]}}}',
      ).replace('probe/parked: lost', 'probe/parked: [fail, hang]'),
    );
    folder('p', '0001-a.patch');
    const { contract } = await settings.resolve('mine');
    expect(contract['btrfs']?.['probe/parked']).toEqual({ outcome: ['fail', 'hang'] });
    expect(contract['btrfs']?.['probe/open-fd']).toEqual({ cases: { 'gap=none': ['kept', 'EIO'] } });
    expect(contract['btrfs']?.['probe/race-append']?.outcome).toEqual(['pass']);
  });

  it('puts the base series first, and leaves it out with withBase: false', async () => {
    folder('base', '0001-b.patch');
    folder('p', '0000-cover-letter.patch', '0001-a.patch');
    const yaml = (withBase: boolean): string =>
      `bases: {mybase: {version: "7.3", series: base}}\nvariants: {mine: {base: mybase, title: x, series: p, withBase: ${withBase}}}`;
    const at = (name: string): object => ({ kind: 'folder', path: path.join(dir, name) });
    expect((await (await load(yaml(true))).resolve('mine')).series).toEqual([at('base'), at('p')]);
    expect((await (await load(yaml(false))).resolve('mine')).series).toEqual([at('p')]);
    expect((await (await load(yaml(true))).resolve('mine@0')).series).toEqual([at('base')]);
  });

  it('is cut to N over all of its own sources', async () => {
    folder('a', '0001-a.patch', '0002-a.patch');
    folder('b', '0001-b.patch', '0002-b.patch');
    const settings = await load(mine('withBase: false\nseries: [a, b]'));
    const at = (name: string, first?: number): object => ({
      kind: 'folder',
      path: path.join(dir, name),
      ...(first ? { first } : {}),
    });
    expect((await settings.resolve('mine@1')).series).toEqual([at('a', 1)]);
    expect((await settings.resolve('mine@2')).series).toEqual([at('a')]);
    expect(await settings.resolve('mine@3')).toMatchObject({ name: 'mine@3', series: [at('a'), at('b', 1)] });
    expect((await settings.resolve('mine@4')).series).toEqual([at('a'), at('b')]);
    expect(await problem(settings.resolve('mine@5'))).toContain(
      'mine@5: its own series has 4 patches (expected @0 to @4)',
    );
  });

  it('has the title and the contract of its prefix when it is cut to that', async () => {
    folder('p', '0001-a.patch', '0002-b.patch');
    const settings = await load(
      mine(
        'series: p\ncontract: {all: {probe/mmap: pass}, btrfs: {probe/parked: pass, probe/mmap: pass}}\nprefixes: {1: {title: half, contract: {btrfs: {probe/parked: fail}}}}',
      ),
    );
    const pass = { outcome: ['pass'] };
    const whole = { all: { 'probe/mmap': pass }, btrfs: { 'probe/parked': pass, 'probe/mmap': pass } };
    expect(await settings.resolve('mine@1')).toMatchObject({
      title: 'half (first 1 of its patches)',
      contract: { ...whole, btrfs: { 'probe/parked': { outcome: ['fail'] }, 'probe/mmap': pass } },
    });
    for (const name of ['mine', 'mine@0', 'mine@2']) {
      expect((await settings.resolve(name)).contract).toEqual(whole);
    }
  });

  it('without patches of its own is cut to N of the base series', async () => {
    folder('base', '0001-a.patch', '0002-b.patch', '0003-c.patch');
    const settings = await load(
      'bases: {mybase: {version: "7.3", series: base}}\nvariants: {mine: {base: mybase, title: x}}',
    );
    const base = { kind: 'folder', path: path.join(dir, 'base') };
    expect((await settings.resolve('mine')).series).toEqual([base]);
    expect((await settings.resolve('mine@0')).series).toEqual([]);
    expect((await settings.resolve('mine@2')).series).toEqual([{ ...base, first: 2 }]);
    expect((await settings.resolve('mine@3')).series).toEqual([base]);
    expect(await problem(settings.resolve('mine@4'))).toContain('mine@4: its own series has 3 patches');
  });

  it.each(['mine@', 'mine@-1', 'mine@x', 'mine@1@2', 'mine@01', 'mine@1.5'])('refuses %s', async (name) => {
    folder('p', '0001-a.patch');
    expect(await problem((await load(mine('series: p'))).resolve(name))).toContain(
      'is not a number of patches',
    );
  });

  it('is guessed when its name is wrong', async () => {
    folder('p', '0001-a.patch');
    expect(await problem((await load(mine('series: p'))).resolve('mien'))).toBe(
      'variant mien: unknown (did you mean "mine"?) (expected one of stock, mine)'.replace(
        'stock, mine',
        (await load(mine('series: p'))).variantNames.join(', '),
      ),
    );
  });

  it('needs patches, in a folder without gaps', async () => {
    const settings = await load(mine('series: p'));
    expect(await problem(settings.resolve('mine'))).toBe(
      'enokey.yaml: variants.mine.series: p: no such file or folder (expected a folder of patches or an mbox)',
    );
    folder('p', '0000-cover-letter.patch', 'README');
    expect(await problem(settings.resolve('mine'))).toContain(
      'enokey.yaml: variants.mine.series: p: no patches',
    );
    folder('p', '0001-a.patch', '0004-d.patch');
    expect(await problem(settings.resolve('mine'))).toBe(
      'p: patch 0002, 0003 is missing: the folder ends with 0004-d.patch (expected 0001 to 0004 without a gap)',
    );
    folder('q', '0002-a.patch');
    expect(await problem((await load(mine('series: q'))).resolve('mine'))).toContain(
      'q: patch 0001 is missing',
    );
    folder('r', 'a.patch');
    expect(await problem((await load(mine('series: r'))).resolve('mine'))).toContain(
      'r/a.patch: has no number',
    );
  });
});
