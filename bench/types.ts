// SPDX-License-Identifier: GPL-2.0-only

export interface BenchResult {
  /** Label and figure, as printed. */
  readonly rows: readonly (readonly [string, string])[];
  /** The number that the limit speaks of. */
  readonly ratio: number;
  readonly ok: boolean;
}

export interface Bench {
  readonly name: string;
  readonly limit: string;
  measure(): Promise<BenchResult>;
}
