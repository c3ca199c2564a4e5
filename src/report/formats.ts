// SPDX-License-Identifier: GPL-2.0-only
import type { CellResult, RunRecord } from '../run/types.js';
import { countedOf } from './counted.js';
import { casesText, lossText, otherText, resultText } from './row-text.js';
import type { Summary } from './summary.js';
import { clean, duration, shorten } from './text.js';

export interface TableText {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The report as a table for a terminal; drawing is the caller's. */
export function reportTable(summary: Summary): TableText {
  return {
    head: ['', 'variant', 'fs', 'test', 'result', 'writes', 'cases', 'removal median/p99', 'other'],
    rows: summary.rows.map((row) => {
      const marks = Object.keys(row.marks);
      const cases = casesText(row);
      return [
        row.unexpected.length > 0 ? '!' : ' ',
        row.variant,
        row.filesystem,
        row.test,
        resultText(row),
        lossText(row),
        cases,
        row.removal
          ? `${duration(row.removal.latencyUs.median)} / ${duration(row.removal.latencyUs.p99)}`
          : '',
        [
          otherText(row),
          marks.join(', '),
          shorten(clean(row.unexpected[0]?.detail ?? row.remarks[0] ?? ''), 60),
        ]
          .filter((text) => text !== '')
          .join('; '),
      ];
    }),
  };
}

/** The summary as a plain object for --json; the list of planned cells stays in plan.json. */
export function reportJson(summary: Summary): object {
  const { plan, ...rest } = summary;
  const { cells: _cells, ...planWithoutCells } = plan;
  return { plan: planWithoutCells, ...rest };
}

const COLUMNS = [
  'variant',
  'filesystem',
  'test',
  'iteration',
  'outcome',
  'standing',
  'attempts',
  'acknowledged',
  'lost',
  'wrong',
  'removals',
  'overlapped',
  'removal_median_us',
  'removal_p99_us',
  'tries',
  'duration_ms',
  'host_load',
  'guest',
  'started_at',
  'cases',
  'marks',
  'detail',
  // Instead of `lost` where only a lower bound is known.
  'lost_at_least',
] as const;

function field(value: string | number | undefined): string {
  const text = clean(String(value ?? ''));
  // A spreadsheet would take a leading = + - @ for a formula.
  const safe = /^[=+@-]/.test(text) && typeof value !== 'number' ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csvLine(cell: CellResult): string {
  const { reading } = cell;
  const counts = countedOf(cell);
  const values: Record<(typeof COLUMNS)[number], string | number | undefined> = {
    variant: cell.variant,
    filesystem: cell.filesystem,
    test: cell.test,
    iteration: cell.iteration,
    outcome: cell.outcome,
    standing: cell.standing,
    attempts: counts?.attempts,
    acknowledged: counts?.acknowledged,
    lost: counts?.atLeast ? undefined : counts?.lost,
    wrong: counts?.atLeast ? undefined : counts?.wrong,
    removals: reading?.removal?.count,
    overlapped: reading?.removal?.overlapped,
    removal_median_us: reading?.removal?.latencyUs.median,
    removal_p99_us: reading?.removal?.latencyUs.p99,
    tries: cell.tries,
    duration_ms: cell.durationMs,
    host_load: cell.hostLoad,
    guest: cell.guest,
    started_at: cell.startedAt,
    cases: Object.entries(reading?.cases ?? {})
      .map(([name, verdict]) => `${name}:${verdict}`)
      .join(' '),
    marks: cell.marks.join(' '),
    detail: cell.detail,
    lost_at_least: counts?.atLeast ? counts.lost : undefined,
  };
  return COLUMNS.map((column) => field(values[column])).join(',');
}

/** A line a cell (RFC 4180, but with newlines alone), for R and spreadsheets. */
export function reportCsv(record: RunRecord): string {
  return `${[COLUMNS.join(','), ...record.results.map(csvLine)].join('\n')}\n`;
}
