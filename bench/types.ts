// SPDX-License-Identifier: GPL-2.0-only
import type { Estimate } from './median-interval.js';

export interface BenchResult {
  /** What of the bench, when it gives several results. */
  readonly part?: string;
  /** Of this result, where the bench has several. */
  readonly limit?: string;
  /** Label and figure, as printed. */
  readonly rows: readonly (readonly [string, string])[];
  /** The number that the limit speaks of. */
  readonly ratio: number;
  /** How sure that number is, where many pairs were measured: then it is the median. */
  readonly estimate?: Estimate;
  /** Undefined where there is no limit: the figure is for information. */
  readonly ok: boolean | undefined;
}

export interface Bench {
  readonly name: string;
  readonly limit: string;
  measure(): Promise<BenchResult | readonly BenchResult[]>;
}
