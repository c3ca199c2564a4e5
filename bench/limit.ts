// SPDX-License-Identifier: GPL-2.0-only
import type { Estimate } from './median-interval.js';
import type { BenchResult } from './types.js';

/** A result that keeps its limit only when the whole interval of its ratio does. */
export function atLeast(
  limit: number,
  part: string,
  rows: BenchResult['rows'],
  estimate: Estimate,
): BenchResult {
  return {
    part,
    limit: `at least ${limit}`,
    rows,
    ratio: estimate.median,
    estimate,
    ok: estimate.low >= limit,
  };
}
