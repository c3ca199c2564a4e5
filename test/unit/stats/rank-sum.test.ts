// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { rankSumTest } from '../../../src/stats/rank-sum.js';

describe('rankSumTest', () => {
  // R: wilcox.test(c(0.80,0.83,1.89,1.04,1.45,1.38,1.91,1.64,0.73,1.46), c(1.15,0.88,0.90,0.74,1.21)): W = 35,
  // two-sided 0.2544 (its help page shows the one-sided 0.1272; Hollander & Wolfe 1973, p. 69).
  it('gives the published p of the permeability example', () => {
    const x = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
    const y = [1.15, 0.88, 0.9, 0.74, 1.21];
    expect(rankSumTest(x, y).p).toBeCloseTo(0.2544, 4);
    expect(rankSumTest(y, x).p).toBeCloseTo(0.2544, 4);
  });

  it('counts choices: 3 against 3 apart is 2 of 20', () => {
    expect(rankSumTest([1, 2, 3], [4, 5, 6]).p).toBeCloseTo(2 / 20, 10);
    expect(rankSumTest([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]).p).toBeCloseTo(2 / 252, 10);
  });

  it('is exact with ties', () => {
    // Ranks 1.5 1.5 3.5 3.5: the six choices of two have sums 3, 5, 5, 5, 5, 7.
    expect(rankSumTest([0, 0], [1, 1]).p).toBeCloseTo(2 / 6, 10);
    expect(rankSumTest([0, 1], [0, 1]).p).toBe(1);
  });

  it('finds no difference in equal groups, and none without data', () => {
    expect(rankSumTest([5, 5, 5], [5, 5]).p).toBe(1);
    expect(rankSumTest([], [1, 2]).p).toBe(1);
  });

  it('comes close to the exact p where it uses the normal distribution', () => {
    const spread = (n: number, shift: number): number[] =>
      Array.from({ length: n }, (_, i) => ((i * 37) % 101) + shift);
    const { p: exact } = rankSumTest(spread(40, 0), spread(40, 15.5));
    const { p: normal } = rankSumTest(spread(41, 0), spread(40, 15.5));
    expect(normal).toBeGreaterThan(exact / 2);
    expect(normal).toBeLessThan(exact * 2);
  });

  it('says which group ranks higher, even where its mean is lower', () => {
    const once = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const always = new Array<number>(10).fill(0.05);
    // All zeros and one of the other eleven values, or the mirror image: 22 of the 184756 choices of ten.
    expect(rankSumTest(once, always).p).toBeCloseTo(22 / 184756, 10);
    expect(rankSumTest(once, always).sign).toBe(-1);
    expect(rankSumTest(always, once).sign).toBe(1);
    expect(rankSumTest(always, always).sign).toBe(0);
    const [many, others] = [once, always].map((group) => [1, 2, 3, 4, 5].flatMap(() => group));
    expect(rankSumTest(many ?? [], others ?? []).sign).toBe(-1);
  });
});
