// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { alternate } from '../../../bench/rounds.js';

/** A side whose cost grows by one with every visit, of whichever side: a machine that slows down. */
function drifting(): {
  order: string[];
  side: (name: string, cost: number) => () => Promise<Map<string, number>>;
} {
  const order: string[] = [];
  return {
    order,
    side: (name, cost) => async () => {
      order.push(name);
      return new Map([['write', cost + order.length]]);
    },
  };
}

describe('alternate', () => {
  it('measures A B B A, and does not count the first round', async () => {
    const { order, side } = drifting();
    const measured = await alternate(6, side('a', 100), side('b', 100));
    expect(order.join('')).toBe('abba'.repeat(7));
    expect(measured('write').a).toHaveLength(6);
  });

  it('is not misled by a steady drift', async () => {
    const { side } = drifting();
    const measured = await alternate(6, side('a', 100), side('b', 100));
    expect(measured('write').estimate).toEqual({ median: 1, low: 1, high: 1 });
  });

  it('gives the throughput of b as a share of that of a', async () => {
    const cost = (value: number) => async () => new Map([['write', value]]);
    const measured = await alternate(6, cost(90), cost(100));
    expect(measured('write').estimate.median).toBeCloseTo(0.9);
  });

  it('has no figure for what was not measured', async () => {
    const measured = await alternate(
      6,
      async () => new Map(),
      async () => new Map(),
    );
    expect(() => measured('write')).toThrow('write: not measured');
  });
});
