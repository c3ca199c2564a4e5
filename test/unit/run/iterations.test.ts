// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { iterationInRound, iterationsText, parseIterations } from '../../../src/run/iterations.js';

describe('-n', () => {
  it('is a number for all tests, numbers for some, or both', () => {
    expect(parseIterations('5')).toEqual({ iterations: 5 });
    expect(parseIterations('generic/595 (port)=20')).toEqual({
      testIterations: { 'generic/595 (port)': 20 },
    });
    expect(parseIterations('5, generic/595=20 ,mmap=1')).toEqual({
      iterations: 5,
      testIterations: { 'generic/595': 20, mmap: 1 },
    });
  });

  it.each(['', 'x', '5,', '=5', 'mmap=', '5,6', 'mmap=1,mmap=2', '0x10', 'mmap=five'])(
    '%j is refused',
    (text) => {
      expect(() => parseIterations(text)).toThrow(/iterations/);
    },
  );

  it.each(['0', '-1', '1.5', 'mmap=0', '100001'])('%j is out of bounds', (text) => {
    expect(() => parseIterations(text)).toThrow(/a whole number, 1 to 100000/);
  });

  it('is written as it is read', () => {
    expect(iterationsText(5)).toBe('5');
    const both = '5,generic/595=20';
    const { iterations, testIterations } = parseIterations(both);
    expect(iterationsText(iterations ?? 0, testIterations)).toBe(both);
  });
});

describe('a round', () => {
  it.each([
    [1, 20],
    [3, 20],
    [7, 20],
    [20, 20],
    [1, 1],
  ])('%i iterations in %i rounds: each once, in order, and never two shares behind', (count, rounds) => {
    let done = 0;
    for (let round = 0; round < rounds; round++) {
      const iteration = iterationInRound(round, rounds, count);
      if (iteration !== undefined) expect(iteration).toBe(done++);
      expect(done).toBe(Math.ceil(((round + 1) * count) / rounds));
    }
    expect(done).toBe(count);
  });
});
