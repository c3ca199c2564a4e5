// SPDX-License-Identifier: GPL-2.0-only
import { compareGroups, type Comparison } from '../stats/compare.js';
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
