// SPDX-License-Identifier: GPL-2.0-only
import type { Mark, Outcome } from '../core/outcome.js';
import type { Reading } from '../probe/types.js';
import type { CellResult, RunPlan, RunRecord } from '../run/types.js';
import { clusteredWilson, wilson, type ClusteredProportion, type Proportion } from '../stats/interval.js';
import { median, quantile } from '../stats/quantile.js';
import { addRemovals, type Removal } from '../stats/removals.js';
import { addNested, addTallies } from '../stats/tally.js';
import { addCounted, countedOf, isUncounted, type Counted } from './counted.js';
import { isSampled } from './sampled.js';

/** All iterations of one test on one file system of one variant. */
export interface Row {
  readonly variant: string;
  readonly filesystem: string;
  readonly test: string;
  readonly planned: number;
  /** Cells that have a result line. */
  readonly done: number;
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /**
   * The main figure: failed of the iterations that have a result (pass or fail). Iterations are independent of
   * each other (a new file system each), so that Wilson's interval holds. Absent without a result.
   */
  readonly failures?: Proportion;
  /** Sums over the iterations that tell what they lost. */
  readonly counts?: Counted;
  /** Iterations with a result of which it cannot be told how much they lost: `counts` leaves them out. */
  readonly uncounted: number;
  /**
   * Lost of acknowledged writes over all iterations with a result. Writes of one iteration are not independent
   * of each other; the interval allows for that where it can (see clusteredWilson). Absent for tests whose writes
   * are no sample of one kind (see isSampled), and where `counts` is a lower bound.
   */
  readonly losses?: ClusteredProportion;
  /** Lost share of the acknowledged writes of each iteration with a result, in their order; empty where `losses` is absent. */
  readonly lossShares: readonly number[];
  /** What `counts` counts: writes, stores, reads or opens. */
  readonly unit: NonNullable<Reading['unit']>;
  /** Case -> verdict -> iterations. */
  readonly cases: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Case -> what the probe counts beside the verdict -> sum over the iterations with a result. */
  readonly observations: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** System call -> errno -> count. */
  readonly errnos: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly removal?: Removal;
  readonly marks: Readonly<Partial<Record<Mark, number>>>;
  /** Tries beyond the first, for `boot-error` and `infra`. */
  readonly retries: number;
  /** Cells that stand against their contract. */
  readonly unexpected: readonly {
    readonly iteration: number;
    readonly detail: string;
    readonly files: string;
  }[];
  readonly contracted: number;
  /** What the cells without a result said, most frequent first. */
  readonly remarks: readonly string[];
  readonly durationMs: { readonly median: number; readonly max: number };
}

export interface Summary {
  readonly plan: RunPlan;
  readonly environment: RunRecord['environment'];
  readonly complete: boolean;
  readonly done: number;
  readonly planned: number;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly hostLoad?: { readonly median: number; readonly max: number };
  /** In the order of the plan: variant, file system, test. */
  readonly rows: readonly Row[];
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  readonly unexpected: number;
  readonly retries: number;
  readonly guests: number;
}

function isResult(cell: CellResult): boolean {
  return cell.outcome === 'pass' || cell.outcome === 'fail';
}

function byFrequency(texts: readonly string[]): string[] {
  const tally = addTallies(texts.map((text) => ({ [text]: 1 })));
  return Object.keys(tally).sort((a, b) => (tally[b] ?? 0) - (tally[a] ?? 0));
}

function tallyOf<T extends string>(names: readonly T[]): Partial<Record<T, number>> {
  return addTallies(names.map((name) => ({ [name]: 1 }))) as Partial<Record<T, number>>;
}

function observationsOf(cell: CellResult): Record<string, Record<string, number>> {
  return Object.fromEntries(
    (cell.reading?.perCase ?? []).map((one) => [
      one.name,
      Object.fromEntries(
        Object.entries(one.observations ?? {}).filter(
          (entry): entry is [string, number] => typeof entry[1] === 'number',
        ),
      ),
    ]),
  );
}

function summariseRow(
  key: Pick<Row, 'variant' | 'filesystem' | 'test' | 'planned'>,
  cells: readonly CellResult[],
): Row {
  const results = cells.filter(isResult);
  const counted = results.map(countedOf).filter((one) => one !== undefined);
  const counts = addCounted(counted);
  const cases: Record<string, Record<string, number>> = {};
  for (const cell of results) {
    for (const [name, verdict] of Object.entries(cell.reading?.cases ?? {})) {
      const tally = (cases[name] ??= {});
      tally[verdict] = (tally[verdict] ?? 0) + 1;
    }
  }
  const unit = results.find((cell) => cell.reading?.unit)?.reading?.unit ?? 'write';
  const rated =
    isSampled(key.test) && !counts?.atLeast && counted.every((one) => one.lost <= one.acknowledged);
  const shares = rated ? counted.filter((one) => one.acknowledged > 0) : [];
  const durations = cells.map((cell) => cell.durationMs);
  return {
    ...key,
    done: cells.length,
    outcomes: tallyOf(cells.map((cell) => cell.outcome)),
    failures:
      results.length > 0
        ? wilson(results.filter((cell) => cell.outcome === 'fail').length, results.length)
        : undefined,
    counts,
    uncounted: results.filter(isUncounted).length,
    losses:
      shares.length > 0
        ? clusteredWilson(counted.map((one) => ({ events: one.lost, size: one.acknowledged })))
        : undefined,
    lossShares: shares.map((one) => one.lost / one.acknowledged),
    unit,
    cases,
    observations: addNested(results.map(observationsOf)),
    errnos: addNested(results.map((cell) => cell.reading?.errnos ?? {})),
    removal: addRemovals(results.flatMap((cell) => (cell.reading?.removal ? [cell.reading.removal] : []))),
    marks: tallyOf(cells.flatMap((cell) => cell.marks)),
    retries: cells.reduce((total, cell) => total + Math.max(0, cell.tries - 1), 0),
    unexpected: cells
      .filter((cell) => cell.standing === 'unexpected')
      .map((cell) => ({ iteration: cell.iteration, detail: cell.detail ?? cell.outcome, files: cell.files })),
    contracted: cells.filter((cell) => cell.standing !== 'no-contract').length,
    remarks: byFrequency(
      cells
        .filter((cell) => !isResult(cell))
        .map((cell) => cell.detail ?? cell.reading?.summary ?? cell.outcome),
    ),
    durationMs: { median: median(durations) ?? 0, max: quantile(durations, 1) ?? 0 },
  };
}

/** Everything that a report shows, computed from what a run's folder holds. Pure. */
export function summarise(record: RunRecord): Summary {
  const { plan, results } = record;
  const groups = new Map<string, CellResult[]>();
  const keyOf = (cell: { variant: string; filesystem: string; test: string }): string =>
    [cell.variant, cell.filesystem, cell.test].join('\0');
  const planned = addTallies(plan.cells.map((cell) => ({ [keyOf(cell)]: 1 })));
  for (const cell of results) {
    const key = keyOf(cell);
    const group = groups.get(key);
    if (group) group.push(cell);
    else groups.set(key, [cell]);
  }
  const rows: Row[] = [];
  for (const variant of plan.variants) {
    for (const filesystem of plan.filesystems) {
      for (const test of plan.tests) {
        const key = keyOf({ variant, filesystem, test });
        const count = planned[key];
        if (count === undefined) continue;
        rows.push(summariseRow({ variant, filesystem, test, planned: count }, groups.get(key) ?? []));
      }
    }
  }
  const loads = results.map((cell) => cell.hostLoad);
  const starts = results.map((cell) => cell.startedAt).sort();
  const ends = results
    .map((cell) => new Date(Date.parse(cell.startedAt) + cell.durationMs).toISOString())
    .sort();
  return {
    plan,
    environment: record.environment,
    complete: record.complete,
    done: results.length,
    planned: plan.cells.length,
    startedAt: starts[0],
    endedAt: ends.at(-1),
    hostLoad: loads.length > 0 ? { median: median(loads) ?? 0, max: Math.max(...loads) } : undefined,
    rows,
    outcomes: tallyOf(results.map((cell) => cell.outcome)),
    unexpected: results.filter((cell) => cell.standing === 'unexpected').length,
    retries: rows.reduce((total, row) => total + row.retries, 0),
    guests: new Set(results.map((cell) => cell.guest).filter((guest) => guest !== '')).size,
  };
}
