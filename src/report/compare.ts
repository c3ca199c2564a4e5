// SPDX-License-Identifier: GPL-2.0-only
import {
  ALPHA,
  compareFamily,
  correctFamily,
  tooFewToTell,
  type Comparison,
  type Group,
  type Untold,
} from '../stats/compare.js';
import { rankSumTest } from '../stats/rank-sum.js';
import type { Row, Summary } from './summary.js';

interface LabelledRow {
  readonly label: string;
  readonly row: Row;
}

/** One row set against another of the same file system and test. */
export interface ComparedRow {
  readonly filesystem: string;
  readonly test: string;
  readonly first: LabelledRow;
  readonly second: LabelledRow;
  /**
   * Fisher's exact test on failed iterations: the main figure, iterations being independent. Holm-corrected over all
   * rows that were compared with this one.
   */
  readonly iterations: Comparison;
  /** The same on lost writes. Only where losses are not clustered does its p mean what it says. */
  readonly writes: Comparison;
}

/** Without a proportion: a group without units, of which the comparison says `no data`. */
function groupOf(proportion: Row['failures']): Group {
  return { events: proportion?.successes ?? 0, trials: proportion?.trials ?? 0 };
}

function compareRows(pairs: readonly (readonly [LabelledRow, LabelledRow])[]): ComparedRow[] {
  const by = (of: 'failures' | 'losses'): Comparison[] =>
    compareFamily(pairs.map(([first, second]) => [groupOf(first.row[of]), groupOf(second.row[of])]));
  const iterations = by('failures');
  const writes = by('losses');
  const none: Comparison = { p: 1, verdict: 'no data' };
  return pairs.map(([first, second], index) => ({
    filesystem: first.row.filesystem,
    test: first.row.test,
    first,
    second,
    iterations: iterations[index] ?? none,
    writes: writes[index] ?? none,
  }));
}

/** The same variant, file system and test in two runs. Rows that only one of them has are left out. */
export function compareRuns(first: Summary, second: Summary): ComparedRow[] {
  return compareRows(
    first.rows.flatMap((row) => {
      const other = second.rows.find(
        (one) => one.variant === row.variant && one.filesystem === row.filesystem && one.test === row.test,
      );
      if (!other) return [];
      const label = (summary: Summary): string => `${summary.plan.id} ${row.variant}`;
      return [
        [
          { label: label(first), row },
          { label: label(second), row: other },
        ],
      ];
    }),
  );
}

/** Every variant of a run against its first one. */
export function compareVariants(summary: Summary): ComparedRow[] {
  const reference = summary.plan.variants[0];
  return compareRows(
    summary.rows
      .filter((row) => row.variant !== reference)
      .flatMap((row) => {
        const other = summary.rows.find(
          (one) => one.variant === reference && one.filesystem === row.filesystem && one.test === row.test,
        );
        if (!other) return [];
        return [
          [
            { label: row.variant, row },
            { label: other.variant, row: other },
          ],
        ];
      }),
  );
}

/** `p = 0.0079`, `p < 0.0001` */
export function pText(p: number): string {
  return p < 0.0001 ? 'p < 0.0001' : `p = ${p.toFixed(4)}`;
}

/** How much two variants lose, where both lose something. */
export interface ComparedLosses {
  readonly filesystem: string;
  readonly test: string;
  readonly first: Row;
  readonly second: Row;
  /** Two-sided p of the rank-sum test on the lost share of each iteration, Holm-corrected over all pairs of the run. */
  readonly p: number;
  /**
   * By ranks: what an iteration of the first mostly does beside one of the second. Means may say the opposite.
   * `no data` where one of them has iterations whose losses are not all counted.
   */
  readonly verdict: 'loses more' | 'loses less' | 'not distinguishable at this N' | Untold;
}

/**
 * Every pair of variants that both lost writes in a test, in the order of the plan. "Failed or not" cannot tell
 * two variants apart that fail in every iteration; how much each iteration lost can, and needs no independence of
 * the writes within one.
 */
export function compareLosses(summary: Summary): ComparedLosses[] {
  const order = summary.plan.variants;
  const losing = summary.rows.filter((row) => isShort(row) || row.lossShares.some((share) => share > 0));
  const pairs = losing.flatMap((first) =>
    losing
      .filter(
        (second) =>
          second.filesystem === first.filesystem &&
          second.test === first.test &&
          order.indexOf(second.variant) > order.indexOf(first.variant),
      )
      .map((second) => ({
        first,
        second,
        untold: untoldLosses(first, second),
        ...rankSumTest(first.lossShares, second.lossShares),
      })),
  );
  return correctFamily(pairs).map(({ first, second, untold, p, sign }) => {
    const told = p >= ALPHA ? 'not distinguishable at this N' : sign > 0 ? 'loses more' : 'loses less';
    return { filesystem: first.filesystem, test: first.test, first, second, p, verdict: untold ?? told };
  });
}

/** True for a row that lost more than is counted, or may have: ranks of what is counted would favour it. */
function isShort(row: Row): boolean {
  return row.counts?.atLeast === true || row.uncounted > 0;
}

function untoldLosses(first: Row, second: Row): Untold | undefined {
  if (isShort(first) || isShort(second)) return 'no data';
  const shares = [...first.lossShares, ...second.lossShares];
  if (new Set(shares).size === 1) return 'nothing to tell';
  return tooFewToTell(first.lossShares.length, second.lossShares.length) ? 'too few to tell' : undefined;
}

/** Mean of at least one share. */
export function meanOf(shares: readonly number[]): number {
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
