// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { PROBE_TESTS } from '../../../src/probe/catalog.js';
import { planText } from '../../../src/cli/run-report.js';
import { leftOutText } from '../../../src/report/left-out.js';
import { estimate } from '../../../src/run/estimate.js';
import { RunFolder, safeName } from '../../../src/run/folder.js';
import { parseIterations } from '../../../src/run/iterations.js';
import { cellId, orderCells } from '../../../src/run/plan.js';
import { planMatrix, selectFilesystems, selectTests } from '../../../src/run/request.js';
import { cellSeed } from '../../../src/run/seeds.js';
import { fakeSettings, fakeVariant } from '../../helpers/fake-machinery.js';
import { planFake } from '../../helpers/fake-run.js';

const BASE = {
  seed: 1,
  iterations: 3,
  variants: ['a', 'b', 'c'].map((name) => ({ name, filesystems: ['ext4', 'f2fs'] })),
  tests: ['probe/open-fd', 'probe/mmap'],
  liveGuests: 3,
  freshGuest: false,
};

describe('the order of cells', () => {
  it('has every cell once and iterations in blocks', () => {
    const cells = orderCells(BASE).cells;
    expect(cells).toHaveLength(3 * 2 * 2 * 3);
    expect(new Set(cells.map(cellId)).size).toBe(cells.length);
    const iterations = cells.map((cell) => cell.iteration);
    expect(iterations).toEqual([...iterations].sort());
  });

  it('follows from the seed alone', () => {
    expect(orderCells(BASE)).toEqual(orderCells(BASE));
    expect(orderCells(BASE)).not.toEqual(orderCells({ ...BASE, seed: 2 }));
  });

  it('lets the variants of a test follow each other at once', () => {
    const cells = orderCells(BASE).cells;
    for (let i = 0; i < cells.length; i += 3) {
      const block = cells.slice(i, i + 3);
      expect(new Set(block.map((cell) => `${cell.filesystem} ${cell.test}`)).size).toBe(1);
      expect(block.map((cell) => cell.variant).sort()).toEqual(['a', 'b', 'c']);
    }
  });

  it('does not always begin with the same variant', () => {
    const cells = orderCells({ ...BASE, iterations: 10 }).cells;
    expect(new Set(cells.filter((_, i) => i % 3 === 0).map((cell) => cell.variant)).size).toBe(3);
  });

  it('has no cell that is excluded, and counts those', () => {
    const { cells, leftOut } = orderCells({
      ...BASE,
      exclude: [{ variant: 'a', test: 'open-fd' }, { filesystem: 'f2fs', reason: 'slow' }, { test: 'paths' }],
      testIterations: { 'probe/mmap': 1 },
    });
    expect(cells.filter((cell) => cell.filesystem === 'f2fs')).toEqual([]);
    expect(cells.filter((cell) => cell.variant === 'a').map((cell) => cell.test)).toEqual(['probe/mmap']);
    expect(cells).toHaveLength(1 + 2 * (3 + 1));
    expect(leftOut.map((one) => one.cells)).toEqual([2 * 3, 1 + 2 * (3 + 1), 0]);
    expect(leftOut.map(leftOutText)).toEqual([
      'open-fd of a: 6 cells',
      'all tests on f2fs: 9 cells (slow)',
      'paths: 0 cells',
    ]);
  });

  it('changes guests once a variant and iteration when they cannot all live', () => {
    const cells = orderCells({ ...BASE, liveGuests: 1 }).cells;
    const changes = cells.filter((cell, i) => i > 0 && cell.variant !== cells[i - 1]?.variant).length;
    expect(changes).toBeLessThan(3 * 3);
  });

  it('spreads the iterations of a test that runs less often than another', () => {
    const cells = orderCells({ ...BASE, testIterations: { 'probe/mmap': 9 } }).cells;
    expect(cells).toHaveLength(3 * 2 * (3 + 9));
    expect(new Set(cells.map(cellId)).size).toBe(cells.length);
    const ofOne = cells.filter((cell) => cell.variant === 'a' && cell.filesystem === 'ext4');
    const often = ofOne.filter((cell) => cell.test === 'probe/mmap').map((cell) => cell.iteration);
    expect(often).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const rounds = ofOne.flatMap((cell, i) =>
      cell.test === 'probe/open-fd'
        ? [ofOne.slice(0, i + 2).findLast((other) => other.test === 'probe/mmap')?.iteration]
        : [],
    );
    expect(rounds).toEqual([0, 3, 6]);
  });
});

describe('the seed of a cell', () => {
  it('is the same for all variants, and different otherwise', () => {
    const cell = { filesystem: 'ext4', test: 'probe/mmap', iteration: 0 };
    expect(cellSeed(1, cell)).toBe(cellSeed(1, { ...cell }));
    expect(cellSeed(1, cell)).not.toBe(cellSeed(2, cell));
    expect(cellSeed(1, cell)).not.toBe(cellSeed(1, { ...cell, iteration: 1 }));
    expect(Number.isSafeInteger(cellSeed(1, cell))).toBe(true);
  });
});

describe('a plan', () => {
  it('asks half a million acknowledged writes of each race in five iterations', async () => {
    const plan = await planFake({ iterations: 5, effort: 'normal' });
    expect(plan.probeArgs['probe/race-append']).toEqual(['--acks', '100000']);
  });

  it.each([
    [{ iterations: 0 }, /iterations: 0/],
    [{ iterations: -1 }, /iterations: -1/],
    [{ iterations: 1.5 }, /iterations/],
    [{ seed: -1 }, /seed/],
    [{ variants: ['sotck'] }, /variant sotck/],
    [{ variants: [''] }, /empty list/],
    [{ filesystems: ['ext5'] }, /file system ext5: unknown \(did you mean "ext4"\?\)/],
    [{ tests: ['probe/opn-fd'] }, /did you mean "probe\/open-fd"/],
    [{ tests: ['race-apend'] }, /did you mean/],
    [{ guestMemoryMiB: 1 }, /guest memory/],
  ])('of %j is refused with one line and exit 2', async (options, message) => {
    await expect(planFake(options)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(message) as string,
    });
  });

  it('of nothing but excluded cells is refused', async () => {
    await expect(planFake({ exclude: [{ test: 'probes' }] })).rejects.toThrow(/all its cells are excluded/);
  });

  it('says of each exclusion what it takes out, also when that is nothing', async () => {
    const plan = await planFake({ exclude: [{ test: 'paths', filesystem: 'f2fs' }, { variant: 'soft@2' }] });
    const lines = planText(plan, estimate(plan)).split('\n');
    expect(lines.filter((line) => line.startsWith('left out: '))).toEqual([
      'left out: paths on f2fs: 4 cells',
      'left out: all tests of soft@2: 0 cells',
    ]);
  });

  it('tells how to repeat it', async () => {
    expect((await planFake({ iterations: 2, seed: 3, filesystems: ['ext4'] })).command).toBe(
      'enokey matrix --variants stock,soft --fs ext4 --tests probes -n 2 --seed 3 --quick',
    );
  });

  it('has what enokey.yaml says and no flag could: arguments that change a probe, and variants', async () => {
    const file = '/src/enokey.yaml';
    const mine = fakeVariant('mine', { title: 'my take', definedIn: file });
    const settings = {
      ...fakeSettings([fakeVariant('stock'), mine]),
      file,
      probeArgs: {
        'probe/race-append': ['--writers', '4'],
        'probe/race-held': ['--acks', '20000'],
        'probe/mmap': ['--cycles', '9'],
      },
    };
    const host = { now: new Date(), randomSeed: 7, availableMiB: 8192, cpus: 2, otherTests: [] };
    const options = { tests: ['race-append', 'race-held'], effort: 'quick' as const };
    // race-held is given what it gets anyway, mmap does not run.
    expect((await planMatrix(settings, options, host)).fromConfig).toEqual({
      probeArgs: { 'probe/race-append': ['--writers', '4'] },
      variants: [{ name: 'mine', title: 'my take' }],
    });
    const without = await planMatrix(settings, { ...options, tests: ['open-fd'], variants: ['stock'] }, host);
    expect(without).not.toHaveProperty('fromConfig');
  });

  it('knows how often each test runs, by its full name', async () => {
    const plan = await planFake({ seed: 3, filesystems: ['ext4'], ...parseIterations('2,mmap=4') });
    expect(plan).toMatchObject({ iterations: 2, testIterations: { 'probe/mmap': 4 } });
    expect(plan.command).toContain(' -n 2,probe/mmap=4 ');
    const ofMmap = plan.cells.filter((cell) => cell.test === 'probe/mmap' && cell.variant === 'soft');
    expect(ofMmap).toHaveLength(4);
    await expect(planFake({ tests: ['open-fd'], ...parseIterations('mmap=4') })).rejects.toThrow(
      /iterations of mmap: probe\/mmap is not in this run/,
    );
    await expect(planFake(parseIterations('map=4'))).rejects.toThrow(/test map: unknown/);
  });
});

describe('names of tests', () => {
  it('may leave out probe/ and ask for all probes', () => {
    expect(selectTests(['open-fd', 'probe/mmap', 'open-fd'])).toEqual(['probe/open-fd', 'probe/mmap']);
    expect(selectTests(['probes'])).toEqual(PROBE_TESTS);
    expect(selectTests(['generic/595'], ['generic/595'])).toEqual(['generic/595']);
    expect(selectFilesystems(['ext4', 'ext4'])).toEqual(['ext4']);
  });
});

describe('paths of cells', () => {
  it('stay below the run whatever names are', () => {
    const cell = { variant: '../x', filesystem: 'ext4', test: 'generic/595 [hard]', iteration: 0 };
    expect(RunFolder.cellPath(cell)).toBe('cells/__x/ext4/generic/595_hard_/0');
    expect(safeName('..')).toBe('_');
    expect(safeName('soft@2')).toBe('soft@2');
  });
});
