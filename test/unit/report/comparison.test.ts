// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { compareLosses, compareRuns } from '../../../src/report/compare.js';
import { comparisonText, mailText, MAIL_WIDTH } from '../../../src/report/mail.js';
import { summarise } from '../../../src/report/summary.js';
import type { CellResult } from '../../../src/run/types.js';
import { cell, race, runOf } from './support.js';

/** Iterations of which the first so many failed, without counts. */
function failed(variant: string, test: string, failures: number, iterations: number): CellResult[] {
  return Array.from({ length: iterations }, (_, iteration) =>
    cell({ variant, test, iteration, filesystem: 'btrfs', outcome: iteration < failures ? 'fail' : 'pass' }),
  );
}

/** Iterations of race-append with 5000 acknowledged writes each. */
function losing(variant: string, lost: readonly number[]): CellResult[] {
  return lost.map((one, iteration) => race(one, 5000, { variant, iteration, filesystem: 'btrfs' }));
}

/** The mail, unfolded, with every line within its columns. */
function mailOf(results: readonly CellResult[]): string {
  const text = mailText(summarise(runOf(results)));
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(MAIL_WIDTH);
  return text.replaceAll(/\s+/g, ' ');
}

describe('variants compared by their failures', () => {
  it('are never said to be equal', () => {
    const text = mailOf([
      ...failed('hard', 'probe/open-fd', 5, 5),
      ...failed('soft', 'probe/open-fd', 2, 5),
      ...failed('hard', 'generic/595', 20, 20),
      ...failed('soft', 'generic/595', 0, 20),
    ]);
    expect(text).not.toContain('as often as');
    // 2 of 5 against 5 of 5: 10 of the 120 choices of 7 in 10 on either side. The largest p of a family stays as it is.
    expect(text).toContain('btrfs open-fd: soft 2/5, hard 5/5: not distinguishable at this N (p = 0.1667)');
    expect(text).toContain('btrfs generic/595: soft fails less often than hard (0/20 vs 20/20, p < 0.0001)');
    expect(text).toContain('p is Holm-corrected over 2 comparisons.');
  });

  it('are told apart by p corrected for the number of comparisons', () => {
    const tests = ['open-fd', 'race-append', 'race-held', 'parked', 'mmap', 'direct', 'paths'];
    const results = tests.flatMap((test) => [
      ...failed('hard', `probe/${test}`, 5, 5),
      ...failed('soft', `probe/${test}`, 0, 5),
    ]);
    const text = mailOf(results);
    // Each alone 2 of 252 choices; times seven 0.0556.
    expect(text).toContain('btrfs mmap: soft 0/5, hard 5/5: not distinguishable at this N (p = 0.0556)');
    expect(text).not.toContain('less often');
    expect(text).toContain('p is Holm-corrected over 7 comparisons.');
  });

  it('are left out where there is nothing to tell or N can never tell, and are counted', () => {
    const text = mailOf([
      ...failed('hard', 'generic/595', 20, 20),
      ...failed('soft', 'generic/595', 0, 20),
      ...failed('hard', 'probe/mmap', 5, 5),
      ...failed('soft', 'probe/mmap', 5, 5),
      ...failed('hard', 'probe/direct', 0, 3),
      ...failed('soft', 'probe/direct', 0, 3),
      ...failed('hard', 'probe/open-fd', 3, 3),
      ...failed('soft', 'probe/open-fd', 0, 3),
    ]);
    const section = /Compared by Fisher.*?seen\./.exec(text)?.[0] ?? '';
    expect(section).toBe(
      "Compared by Fisher's exact test, two-sided, on failed iterations: " +
        'btrfs generic/595: soft fails less often than hard (0/20 vs 20/20, p < 0.0001) ' +
        'p is Holm-corrected over 1 comparison. ' +
        'Not compared: 2 pairs in which no iteration failed, or every one; ' +
        '1 pair of so few iterations that p >= 0.05 whatever is seen.',
    );
  });

  it('have no p to correct when none is compared', () => {
    const text = mailOf([...failed('hard', 'probe/mmap', 3, 3), ...failed('soft', 'probe/mmap', 0, 3)]);
    expect(text).toContain(
      'How often iterations failed, of each variant beside the first: Not compared: 1 pair of so few iterations',
    );
    expect(text).not.toContain('Fisher');
    expect(text).not.toContain('Holm');
  });
});

describe('variants compared by what they lose', () => {
  it('are ordered by rank and not by mean', () => {
    const results = [
      ...losing('a', [5000, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      ...losing('b', new Array<number>(10).fill(250)),
    ];
    const [told] = compareLosses(summarise(runOf(results)));
    expect(told?.p).toBeCloseTo(0.0001, 4);
    expect(told?.verdict).toBe('loses less');
    expect(mailOf(results)).toContain(
      'btrfs race-append: a 10.00%, b 5.00%: a loses less by rank, though not in the mean (p = 0.0001)',
    );
  });

  it('are left out where all lost the same or N can never tell, and are counted', () => {
    const text = mailOf([
      ...losing('hard', [5000, 5000, 5000, 5000]),
      ...losing('sync', [5000, 5000, 5000, 5000]),
      ...losing('freeze', [10, 20, 30, 40]),
      ...losing('late', [1, 2]),
    ]);
    // hard and sync against freeze: each 2 of 70 choices, times two. `late` has two iterations.
    expect(text).toContain('hard 100.00%, freeze 0.50%: not distinguishable at this N (p = 0.0571)');
    expect(text).toContain('p is Holm-corrected over 2 comparisons.');
    expect(text).toContain(
      'Not compared: 1 pair with one and the same share in every iteration; 3 pairs of so few iterations that p >= 0.05',
    );
  });

  it('never show some loss as none', () => {
    const text = mailOf([
      ...losing('hard', [1000, 1100, 1200, 1300, 1400]),
      ...losing('soft', [0, 0, 0, 0, 1]),
    ]);
    expect(text).toContain('hard 24.00%, soft <0.01%: hard loses more (p = 0.0079)');
  });
});

describe('two runs', () => {
  it('say over how many rows p is corrected, and which rows tell nothing', () => {
    const tests = ['generic/595', 'generic/595 (port)'];
    const side = (failures: number) =>
      summarise(
        runOf([
          ...tests.flatMap((test) => failed('soft', test, failures, 5)),
          ...failed('soft', 'probe/mmap', 0, 5),
        ]),
      );
    const [before, after] = [side(5), side(0)];
    const text = comparisonText(before, after, compareRuns(before, after));
    expect(text.match(/failed iterations: more often, p = 0\.0159/g)).toHaveLength(2);
    expect(text).toContain('failed iterations: nothing to tell\n');
    expect(text).toContain('p is Holm-corrected over 2 comparisons of failed iterations.');
  });
});
