// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { FEWEST, medianInterval } from '../../../bench/median-interval.js';

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

describe('medianInterval', () => {
  // Ranks of the lower end for 95% from the table of Nair, "Table of confidence interval for the median in samples
  // from any continuous population", Sankhya 4 (1940).
  it.each([
    [6, 1],
    [8, 1],
    [9, 2],
    [10, 2],
    [15, 4],
    [20, 6],
    [25, 8],
    [30, 10],
    [50, 18],
  ])('takes the published ranks of %i values', (n, rank) => {
    expect(medianInterval(upTo(n))).toEqual({ median: (n + 1) / 2, low: rank, high: n + 1 - rank });
  });

  it('does not care for the order, nor for how far off a value is', () => {
    const values = upTo(9).reverse();
    values[0] = 1e9;
    expect(medianInterval(values)).toEqual({ median: 5, low: 2, high: 8 });
    expect(values[1]).toBe(8);
  });

  it('refuses fewer values than can give 95%', () => {
    expect(() => medianInterval(upTo(FEWEST - 1))).toThrow(RangeError);
  });
});
