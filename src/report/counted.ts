// SPDX-License-Identifier: GPL-2.0-only
import type { Counts } from '../probe/types.js';
import type { CellResult } from '../run/types.js';

/** What a cell, or all cells of a row, counted. An acknowledged write is lost when it does not read back as written. */
export interface Counted extends Counts {
  /** `lost` is a lower bound: bytes that read back wrong were seen and not counted. */
  readonly atLeast?: true;
}

/** The race of generic/595, its port and its overrides. */
const RACE = 'multi-threaded';

/**
 * The counts of a cell as its verdict lets them be read; undefined where they do not tell what was lost.
 *
 * Of the original generic/595 only sizes are known: what is missing at the end. Port readings of older versions called
 * only that lost as well, and counted bytes that read back wrong beside it or, at first, not at all. Newer ones have
 * the race as a case in full, and counts that need no reading. Without it the verdict says what the numbers are:
 *
 * - `kept`, `lost`: every byte that is there is right, and the missing ones are all that is lost.
 * - `wrong` with none counted: what is missing, and at least the byte that was seen to differ.
 * - `wrong` with some counted, and some missing: both are lost. With none missing, bytes beyond what was acknowledged
 *   may be among those that were counted: it cannot be told.
 * - An errno, or another: the file was not read, or not to its end.
 */
export function countedOf({ reading }: CellResult): Counted | undefined {
  const counts = reading?.counts;
  const verdict = reading?.cases[RACE];
  if (!counts || verdict === undefined || reading?.perCase?.some((one) => one.name === RACE)) return counts;
  if (verdict === 'kept' || verdict === 'lost') return counts;
  if (verdict !== 'wrong') return undefined;
  const { acknowledged, lost, wrong } = counts;
  if (wrong === 0) return { ...counts, lost: Math.min(lost + 1, acknowledged), atLeast: true };
  return lost > 0 ? { ...counts, lost: lost + wrong } : undefined;
}

/** True for a cell whose race ended badly, and of which it cannot be told how much it lost. */
export function isUncounted(cell: CellResult): boolean {
  const verdict = cell.reading?.cases[RACE];
  const ended = verdict !== undefined && verdict !== 'kept' && verdict !== 'not-reached';
  return ended && countedOf(cell) === undefined;
}

/** Sums; a lower bound if one of them is. Undefined for none. */
export function addCounted(all: readonly Counted[]): Counted | undefined {
  if (all.length === 0) return undefined;
  const sum = (of: keyof Counts): number => all.reduce((total, one) => total + one[of], 0);
  return {
    attempts: sum('attempts'),
    acknowledged: sum('acknowledged'),
    lost: sum('lost'),
    wrong: sum('wrong'),
    ...(all.some((one) => one.atLeast) ? { atLeast: true } : {}),
  };
}
