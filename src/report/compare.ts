// SPDX-License-Identifier: GPL-2.0-only
import { ALPHA, compareGroups, type Comparison } from '../stats/compare.js';
import { rankSumTest } from '../stats/rank-sum.js';
import type { Row, Summary } from './summary.js';

/** One row set against another of the same file system and test. */
export interface ComparedRow {
  readonly filesystem: string;
  readonly test: string;
  readonly first: { readonly label: string; readonly row: Row };
  readonly second: { readonly label: string; readonly row: Row };
  /** Fisher's exact test on failed iterations: the main figure, iterations being independent. */
  readonly iterations: Comparison;
  /** The same on lost writes. Only where losses are not clustered does its p mean what it says. */
  readonly writes?: Comparison;
}

function compareRows(first: ComparedRow['first'], second: ComparedRow['second']): ComparedRow {
  const failures = ({ row }: ComparedRow['first']): { events: number; trials: number } => ({
    events: row.failures?.successes ?? 0,
    trials: row.failures?.trials ?? 0,
  });
  const a = first.row.losses;
  const b = second.row.losses;
  return {
    filesystem: first.row.filesystem,
    test: first.row.test,
    first,
    second,
    iterations: compareGroups(failures(first), failures(second)),
    writes:
      a && b
        ? compareGroups({ events: a.successes, trials: a.trials }, { events: b.successes, trials: b.trials })
        : undefined,
  };
}

/** The same variant, file system and test in two runs. Rows that only one of them has are left out. */
export function compareRuns(first: Summary, second: Summary): ComparedRow[] {
  return first.rows.flatMap((row) => {
    const other = second.rows.find(
      (one) => one.variant === row.variant && one.filesystem === row.filesystem && one.test === row.test,
    );
    return other
      ? [
          compareRows(
            { label: `${first.plan.id} ${row.variant}`, row },
            { label: `${second.plan.id} ${row.variant}`, row: other },
          ),
        ]
      : [];
  });
}

/** Every variant of a run against its first one. */
export function compareVariants(summary: Summary): ComparedRow[] {
  const reference = summary.plan.variants[0];
  return summary.rows
    .filter((row) => row.variant !== reference)
    .flatMap((row) => {
      const other = summary.rows.find(
        (one) => one.variant === reference && one.filesystem === row.filesystem && one.test === row.test,
      );
      return other ? [compareRows({ label: row.variant, row }, { label: other.variant, row: other })] : [];
    });
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
  /** Two-sided p of the rank-sum test on the lost share of each iteration. */
  readonly p: number;
  readonly verdict: 'loses more' | 'loses less' | 'not distinguishable at this N';
}

/**
 * Every pair of variants that both lost writes in a test, in the order of the plan. "Failed or not" cannot tell
 * two variants apart that fail in every iteration; how much each iteration lost can, and needs no independence of
 * the writes within one.
 */
export function compareLosses(summary: Summary): ComparedLosses[] {
  const order = summary.plan.variants;
  const losing = summary.rows.filter((row) => row.lossShares.some((share) => share > 0));
  return losing.flatMap((first) =>
    losing
      .filter(
        (second) =>
          second.filesystem === first.filesystem &&
          second.test === first.test &&
          order.indexOf(second.variant) > order.indexOf(first.variant),
      )
      .map((second) => {
        const p = rankSumTest(first.lossShares, second.lossShares);
        const more = meanOf(first.lossShares) > meanOf(second.lossShares);
        const verdict = p >= ALPHA ? 'not distinguishable at this N' : more ? 'loses more' : 'loses less';
        return { filesystem: first.filesystem, test: first.test, first, second, p, verdict };
      }),
  );
}

/** Mean of at least one share. */
export function meanOf(shares: readonly number[]): number {
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
