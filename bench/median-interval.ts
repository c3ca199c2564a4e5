// SPDX-License-Identifier: GPL-2.0-only
import { median } from './measure.js';

/** A median with its confidence interval. */
export interface Estimate {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The fewest values whose range covers their median in at least 95% of all samples: 1 - 2 / 2^6. */
export const FEWEST = 6;

/**
 * Median with its 95% confidence interval from order statistics (the interval of the sign test): the k-th smallest
 * and the k-th largest value, k as large as leaves at least 95% between them. It presumes nothing about how the
 * values are distributed, so that a burst of load in a few of them does no harm.
 * @throws RangeError for fewer than FEWEST values
 * @see Conover, "Practical Nonparametric Statistics", 3rd edition, 3.2
 */
export function medianInterval(values: readonly number[]): Estimate {
  const n = values.length;
  if (n < FEWEST) throw new RangeError(`an interval of ${n} values: at least ${FEWEST} are needed`);
  const sorted = [...values].sort((x, y) => x - y);
  // P(Binomial(n, 1/2) <= k - 1), term by term.
  let k = 0;
  let term = 0.5 ** n;
  let tail = term;
  while (tail <= 0.025) {
    k += 1;
    term *= (n - k + 1) / k;
    tail += term;
  }
  return { median: median(sorted), low: sorted[k - 1] ?? NaN, high: sorted[n - k] ?? NaN };
}
