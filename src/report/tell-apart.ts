// SPDX-License-Identifier: GPL-2.0-only
import type { Row, Summary } from './summary.js';

/** What three cases that need no timing say of one variant on one file system. `-`: not measured. */
export interface TellingRow {
  readonly variant: string;
  readonly filesystem: string;
  /** Written, then the key removed: gap=before of probe/open-fd. */
  readonly a: string;
  /** In write(2) across the removal: probe/parked. Says also whether the removal waited for it. */
  readonly b: string;
  /** Written after the removal and flushed without the key: gap=syncfs of probe/open-fd. */
  readonly c: string;
}

function verdicts(row: Row | undefined, name: string): string {
  const tally = Object.entries(row?.cases[name] ?? {});
  if (tally.length === 0) return '-';
  if (tally.length === 1) return tally[0]?.[0] ?? '-';
  return tally.map(([verdict, count]) => `${verdict} x${count}`).join(', ');
}

function parked(row: Row | undefined): string {
  const text = verdicts(row, 'write');
  if (text === '-') return text;
  const seen = row?.observations['write'] ?? {};
  const waited = seen['removal_waited'] ?? 0;
  const returned = seen['removal_returned_while_parked'] ?? 0;
  if (waited === 0) return text;
  return returned === 0 ? `waits; ${text}` : `waits x${waited} of ${waited + returned}; ${text}`;
}

function flushed(row: Row | undefined): string {
  const text = verdicts(row, 'gap=syncfs');
  const told = row?.observations['gap=syncfs']?.['gap_errors'] ?? 0;
  return text === 'lost' && told === 0 ? 'lost silently' : text;
}

/** The variants and file systems of which at least one of the three was measured, in the order of the run. */
export function tellingRows(summary: Summary): readonly TellingRow[] {
  const pairs = new Map<string, { variant: string; filesystem: string; openFd?: Row; parked?: Row }>();
  for (const row of summary.rows) {
    if (row.test !== 'probe/open-fd' && row.test !== 'probe/parked') continue;
    const key = `${row.variant}\0${row.filesystem}`;
    const pair = pairs.get(key) ?? { variant: row.variant, filesystem: row.filesystem };
    if (row.test === 'probe/open-fd') pair.openFd = row;
    else pair.parked = row;
    pairs.set(key, pair);
  }
  return [...pairs.values()]
    .map(({ variant, filesystem, openFd, parked: inWrite }) => ({
      variant,
      filesystem,
      a: verdicts(openFd, 'gap=before'),
      b: parked(inWrite),
      c: flushed(openFd),
    }))
    .filter((row) => row.a !== '-' || row.b !== '-' || row.c !== '-');
}

/** The same as lines of text with a head, or nothing when none was measured. */
export function tellingLines(summary: Summary): readonly string[] {
  const rows = tellingRows(summary);
  if (rows.length === 0) return [];
  const table = [
    ['', '', 'A', 'B', 'C'],
    ...rows.map((row) => [row.variant, row.filesystem, row.a, row.b, row.c]),
  ];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  return [
    'Without timing: A written, then removed; B in write(2) across the removal; C written after it and flushed without the key:',
    ...table.map((line) =>
      `  ${line.map((text, column) => text.padEnd(widths?.[column] ?? 0)).join('  ')}`.trimEnd(),
    ),
  ];
}
