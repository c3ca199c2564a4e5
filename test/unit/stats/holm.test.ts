// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { holm } from '../../../src/stats/holm.js';

function expectClose(seen: readonly number[], wanted: readonly number[]): void {
  expect(seen).toHaveLength(wanted.length);
  seen.forEach((p, index) => expect(p).toBeCloseTo(wanted[index] ?? Number.NaN, 12));
}

describe('holm', () => {
  it.each([
    // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03 0.06 0.06 0.02: 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04
    // raised to the one before it.
    [
      [0.01, 0.04, 0.03, 0.005],
      [0.03, 0.06, 0.06, 0.02],
    ],
    // R: p.adjust(c(0.001, 0.01, 0.02, 0.5, 0.9), "holm") = 0.005 0.040 0.060 1 1.
    [
      [0.001, 0.01, 0.02, 0.5, 0.9],
      [0.005, 0.04, 0.06, 1, 1],
    ],
  ])('gives the p of R for %j', (ps, corrected) => {
    expectClose(holm(ps), corrected);
  });

  it('changes nothing for one comparison, and knows none', () => {
    expect(holm([0.04])).toEqual([0.04]);
    expect(holm([])).toEqual([]);
  });

  it('treats equal p alike and keeps their order of size', () => {
    expectClose(holm([0.02, 0.01, 0.02]), [0.04, 0.03, 0.04]);
    const ps = [0.3, 0.001, 0.04, 0.04, 0.0009, 0.7];
    const corrected = holm(ps);
    ps.forEach((p, i) => {
      expect(corrected[i]).toBeGreaterThanOrEqual(p);
      ps.forEach((other, j) => {
        if (p <= other) expect(corrected[i]).toBeLessThanOrEqual(corrected[j] ?? 0);
      });
    });
  });

  it('never rejects more than Holm steps down to', () => {
    // At 0.05 of three: 0.016 < 0.05 / 3, 0.03 > 0.05 / 2 stops, so that 0.04 is not reached.
    expect(holm([0.04, 0.016, 0.03]).map((p) => p < 0.05)).toEqual([false, true, false]);
  });

  it('refuses what is no probability', () => {
    expect(() => holm([0.5, 1.5])).toThrow(RangeError);
    expect(() => holm([Number.NaN])).toThrow(RangeError);
  });
});
