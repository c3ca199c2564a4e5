// SPDX-License-Identifier: GPL-2.0-only
import { medianInterval, type Estimate } from './median-interval.js';

/** Costs by the name of what was measured; any unit. */
export type Costs = ReadonlyMap<string, number>;

/** One name's costs, round by round, and how fast b is as a share of a. */
export interface Comparison {
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly estimate: Estimate;
}

/**
 * Measures a and b in turns, A B B A in each round, so that what drifts steadily hits both alike; one round before
 * that is not counted. Only one of them runs at a time. The estimate is the median over the rounds of cost a / cost b.
 * @returns the comparison of one name. @throws when a round did not measure it.
 */
export async function alternate(
  rounds: number,
  a: () => Promise<Costs>,
  b: () => Promise<Costs>,
): Promise<(name: string) => Comparison> {
  const measured: { a: [Costs, Costs]; b: [Costs, Costs] }[] = [];
  for (let round = 0; round <= rounds; round++) {
    const [a1, b1, b2, a2] = [await a(), await b(), await b(), await a()];
    if (round > 0) measured.push({ a: [a1, a2], b: [b1, b2] });
  }
  return (name) => {
    const mean = ([first, second]: [Costs, Costs]): number => {
      const cost = ((first.get(name) ?? NaN) + (second.get(name) ?? NaN)) / 2;
      if (!(cost > 0)) throw new Error(`${name}: not measured`);
      return cost;
    };
    const [left, right] = [measured.map((round) => mean(round.a)), measured.map((round) => mean(round.b))];
    return { a: left, b: right, estimate: medianInterval(left.map((cost, i) => cost / (right[i] ?? NaN))) };
  };
}
