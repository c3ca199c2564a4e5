// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { compareFamily, compareGroups, smallestP } from '../../../src/stats/compare.js';
import { fisherExact } from '../../../src/stats/fisher.js';
import { clusteredWilson, t975, wilson } from '../../../src/stats/interval.js';
import { median, quantile } from '../../../src/stats/quantile.js';

describe('wilson', () => {
  // Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0.0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('gives the published interval for %i of %i', (successes, trials, low, high) => {
    const interval = wilson(successes, trials);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });

  it('ends exactly at 0 and 1 and mirrors', () => {
    expect(wilson(0, 50).low).toBe(0);
    expect(wilson(50, 50).high).toBe(1);
    expect(wilson(7, 50).low).toBeCloseTo(1 - wilson(43, 50).high, 12);
  });

  it('refuses what is no proportion', () => {
    expect(() => wilson(0, 0)).toThrow(RangeError);
    expect(() => wilson(3, 2)).toThrow(RangeError);
    expect(() => wilson(-1, 2)).toThrow(RangeError);
    expect(() => wilson(Number.NaN, 2)).toThrow(RangeError);
  });
});

describe('clusteredWilson', () => {
  it('is wider than independence where losses come in bursts', () => {
    const bursts = clusteredWilson([
      { events: 100, size: 1000 },
      { events: 0, size: 1000 },
      { events: 0, size: 1000 },
      { events: 0, size: 1000 },
    ]);
    const plain = wilson(100, 4000);
    expect(bursts.estimate).toBe(plain.estimate);
    // By hand: between = 75^2 + 3 * 25^2 = 7500; variance = 4/3 * 7500 / 4000^2; binomial 0.025 * 0.975 / 4000.
    expect(bursts.designEffect).toBeCloseTo(((4 / 3) * 7500) / 4000 ** 2 / ((0.025 * 0.975) / 4000), 9);
    expect(bursts.low).toBeLessThan(plain.low);
    expect(bursts.high).toBeGreaterThan(plain.high * 3);
  });

  it('is plain Wilson where clusters are as even as independence would make them', () => {
    const even = clusteredWilson([
      { events: 10, size: 100 },
      { events: 10, size: 100 },
    ]);
    expect(even.low).toBeCloseTo(wilson(20, 200).low, 12);
    expect(even.designEffect).toBe(1);
  });

  it.each([
    ['one cluster', [{ events: 3, size: 10 }]],
    [
      'no event',
      [
        { events: 0, size: 10 },
        { events: 0, size: 10 },
      ],
    ],
    [
      'nothing but events',
      [
        { events: 10, size: 10 },
        { events: 10, size: 10 },
      ],
    ],
  ])('claims no design effect with %s', (_, clusters) => {
    expect(clusteredWilson(clusters).designEffect).toBeUndefined();
  });

  it('knows Student t beyond its table', () => {
    expect(t975(1)).toBe(12.706);
    expect(t975(30)).toBe(2.042);
    // Published: 2.021 for 40, 2.000 for 60, 1.980 for 120.
    expect(t975(40)).toBeCloseTo(2.021, 3);
    expect(t975(60)).toBeCloseTo(2.0, 3);
    expect(t975(120)).toBeCloseTo(1.98, 3);
  });
});

describe('fisherExact', () => {
  it.each([
    // Fisher 1935, the lady tasting tea; example of R's fisher.test: p-value = 0.4857.
    [3, 1, 1, 3, 0.4857],
    // Fisher 1962, convictions of like-sex twins; R's example, two-sided: 0.0005367.
    [2, 15, 10, 3, 0.0005367],
    // The example of older editions of SciPy's fisher_exact: 0.0349.
    [8, 2, 1, 5, 0.034965],
  ])('gives the published p for %i %i %i %i', (a, b, c, d, p) => {
    expect(fisherExact(a, b, c, d)).toBeCloseTo(p, p < 0.001 ? 7 : 4);
  });

  it('does not care which group comes first', () => {
    expect(fisherExact(12, 38, 3, 47)).toBeCloseTo(fisherExact(3, 47, 12, 38), 12);
    expect(fisherExact(12, 38, 3, 47)).toBeCloseTo(fisherExact(38, 12, 47, 3), 12);
  });

  it('is 1 for equal or empty groups', () => {
    expect(fisherExact(5, 45, 5, 45)).toBeCloseTo(1, 12);
    expect(fisherExact(0, 0, 3, 4)).toBe(1);
    expect(fisherExact(0, 10, 0, 10)).toBe(1);
  });

  it('stays a probability and finite for half a million writes', () => {
    const p = fisherExact(10, 500_000, 31, 499_979);
    // Conditional on 41 losses it is a binomial(41, 1/2) with 10 or fewer, doubled: 0.00145.
    expect(p).toBeGreaterThan(0.001);
    expect(p).toBeLessThan(0.002);
  });

  it('refuses what is no count', () => {
    expect(() => fisherExact(-1, 1, 1, 1)).toThrow(RangeError);
    expect(() => fisherExact(0.5, 1, 1, 1)).toThrow(RangeError);
  });
});

describe('compareGroups', () => {
  it('names the direction only where N carries it', () => {
    expect(compareGroups({ events: 50, trials: 50 }, { events: 0, trials: 50 }).verdict).toBe('more often');
    expect(compareGroups({ events: 0, trials: 50 }, { events: 50, trials: 50 }).verdict).toBe('less often');
    expect(compareGroups({ events: 2, trials: 3 }, { events: 0, trials: 3 }).verdict).toBe(
      'not distinguishable at this N',
    );
    expect(compareGroups({ events: 0, trials: 0 }, { events: 0, trials: 3 }).verdict).toBe('no data');
  });
});

describe('smallestP', () => {
  it('is the smallest p of any table with groups of these sizes', () => {
    for (const [first, second] of [
      [1, 1],
      [3, 3],
      [3, 10],
      [7, 4],
      [5, 5],
    ] as const) {
      const all = Array.from({ length: first + 1 }, (_, a) =>
        Array.from({ length: second + 1 }, (_, c) => fisherExact(a, first - a, c, second - c)),
      ).flat();
      expect(smallestP(first, second)).toBeCloseTo(Math.min(...all), 12);
    }
    expect(smallestP(3, 3)).toBeCloseTo(0.1, 12);
    expect(smallestP(4, 4)).toBeCloseTo(2 / 70, 12);
  });
});

describe('compareFamily', () => {
  const of = (events: number, trials: number) => ({ events, trials });

  it('corrects p for the number of comparisons, and lets verdicts follow it', () => {
    const alone = compareFamily([[of(0, 5), of(5, 5)]]);
    expect(alone[0]?.verdict).toBe('less often');
    expect(alone[0]?.p).toBeCloseTo(2 / 252, 10);
    const seven = compareFamily(Array.from({ length: 7 }, () => [of(0, 5), of(5, 5)] as const));
    expect(seven.map(({ verdict }) => verdict)).toEqual(Array(7).fill('not distinguishable at this N'));
    expect(seven[0]?.p).toBeCloseTo(14 / 252, 10);
    expect(compareGroups(of(0, 5), of(5, 5)).verdict).toBe('less often');
  });

  it('does not count pairs that can tell nothing', () => {
    const told = compareFamily([
      [of(0, 5), of(5, 5)],
      [of(0, 5), of(0, 5)],
      [of(5, 5), of(9, 9)],
      [of(0, 3), of(3, 3)],
      [of(0, 0), of(3, 3)],
    ]);
    expect(told.map(({ verdict }) => verdict)).toEqual([
      'less often',
      'nothing to tell',
      'nothing to tell',
      'too few to tell',
      'no data',
    ]);
    expect(told[0]?.p).toBeCloseTo(2 / 252, 10);
    expect(told[3]?.p).toBeCloseTo(0.1, 10);
  });
});

describe('quantile', () => {
  it('interpolates as R and NumPy do', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    // R: quantile(1:10, 0.99) = 9.91
    expect(quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.99)).toBeCloseTo(9.91, 12);
    expect(quantile([], 0.5)).toBeUndefined();
    expect(() => quantile([1], 2)).toThrow(RangeError);
  });

  it('leaves its argument alone', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('fisherExact on large tables', () => {
  /** The definition, term by term, with whole-number binomials. */
  function slow(a: number, b: number, c: number, d: number): number {
    const choose = (n: number, k: number): number => {
      let value = 1n;
      for (let i = 0; i < k; i++) value = (value * BigInt(n - i)) / BigInt(i + 1);
      return Number(value);
    };
    const [n1, n2, k] = [a + b, c + d, a + c];
    const of = (x: number): number => (choose(n1, x) * choose(n2, k - x)) / choose(n1 + n2, k);
    let p = 0;
    for (let x = Math.max(0, k - n2); x <= Math.min(n1, k); x++) if (of(x) <= of(a) * (1 + 1e-7)) p += of(x);
    return Math.min(1, p);
  }

  it('agrees with the plain sum over every table of small margins', () => {
    for (let a = 0; a <= 7; a++) {
      for (let c = 0; c <= 9; c++)
        expect(fisherExact(a, 7 - a, c, 9 - c)).toBeCloseTo(slow(a, 7 - a, c, 9 - c), 9);
    }
  });

  it('takes no time for millions of losses', () => {
    const began = performance.now();
    const p = fisherExact(3_000_000, 1_000_000_000, 3_002_000, 1_000_000_000);
    // Normal approximation: z = 2000 / sqrt(6002000), two-sided 0.414.
    expect(p).toBeGreaterThan(0.4);
    expect(p).toBeLessThan(0.43);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});
