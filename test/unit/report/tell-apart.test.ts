// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import type { CaseReading } from '../../../src/probe/types.js';
import { MAIL_WIDTH, mailText } from '../../../src/report/mail.js';
import { summarise } from '../../../src/report/summary.js';
import { tellingLines, tellingRows } from '../../../src/report/tell-apart.js';
import type { CellResult, RunRecord } from '../../../src/run/types.js';
import { cell } from './support.js';

type Seen = Readonly<Record<string, number>>;

function oneCase(name: string, verdict: string, observations: Seen = {}): CaseReading {
  const counts = { attempts: 1, acknowledged: 1, lost: 0, wrong: 0, refused: 0, failed: 0 };
  return { name, verdict, counts, errnos: {}, observations };
}

function cellOf(
  variant: string,
  test: string,
  iteration: number,
  perCase: readonly CaseReading[],
): CellResult {
  const cases = Object.fromEntries(perCase.map((one) => [one.name, one.verdict]));
  const outcome = perCase.some((one) => one.verdict === 'lost') ? 'fail' : 'pass';
  const reading = { outcome, summary: '', cases, perCase } as const;
  return cell({ variant, filesystem: 'btrfs', test, iteration, outcome, reading });
}

/** A, B, whether the removal waited, C, whether the flush failed. */
function cells(
  variant: string,
  a: string,
  b: string,
  waits: boolean,
  c: string,
  told: boolean,
): CellResult[] {
  const seen: Seen = waits ? { removal_waited: 5 } : { removal_returned_while_parked: 5, removal_waited: 0 };
  return [
    cellOf(variant, 'probe/open-fd', 0, [
      oneCase('gap=syncfs', c, { gap_errors: told ? 5 : 0 }),
      oneCase('gap=before', a),
    ]),
    cellOf(variant, 'probe/parked', 0, [oneCase('write', b, seen)]),
  ];
}

function summaryOf(results: readonly CellResult[]) {
  const unique = (of: (one: CellResult) => string): string[] => [...new Set(results.map(of))];
  const record: RunRecord = {
    plan: {
      id: 'r',
      command: 'enokey matrix',
      seed: 1,
      profile: 'default',
      iterations: 1,
      variants: unique((one) => one.variant),
      filesystems: unique((one) => one.filesystem),
      tests: unique((one) => one.test),
      cells: results.map(({ variant, filesystem, test, iteration }) => ({
        variant,
        filesystem,
        test,
        iteration,
        seed: iteration,
      })),
    } as unknown as RunRecord['plan'],
    environment: undefined,
    results,
    complete: true,
  };
  return summarise(record);
}

const FIVE = [
  ...cells('hard', 'lost', 'lost', false, 'lost', true),
  ...cells('sync', 'kept', 'lost', false, 'lost', true),
  ...cells('freeze', 'kept', 'kept', true, 'lost', true),
  ...cells('soft', 'kept', 'kept', false, 'kept', false),
  ...cells('prep-write', 'kept', 'kept', true, 'refused', false),
];

describe('three cases without timing', () => {
  it('tell the five variants apart', () => {
    const rows = tellingRows(summaryOf(FIVE)).map(({ variant, a, b, c }) => [variant, a, b, c]);
    expect(rows).toEqual([
      ['hard', 'lost', 'lost', 'lost'],
      ['sync', 'kept', 'lost', 'lost'],
      ['freeze', 'kept', 'waits; kept', 'lost'],
      ['soft', 'kept', 'kept', 'kept'],
      ['prep-write', 'kept', 'waits; kept', 'refused'],
    ]);
    expect(new Set(rows.map(([, ...cases]) => cases.join())).size).toBe(5);
  });

  it('say when a loss was not told, when iterations differ, and what was not measured', () => {
    const silent = cells('x', 'kept', 'kept', false, 'lost', false);
    expect(tellingRows(summaryOf(silent))[0]).toMatchObject({ c: 'lost silently' });
    const twice = [
      cellOf('x', 'probe/parked', 0, [oneCase('write', 'kept', { removal_waited: 4 })]),
      cellOf('x', 'probe/parked', 1, [oneCase('write', 'lost', { removal_returned_while_parked: 1 })]),
    ];
    expect(tellingRows(summaryOf(twice))[0]).toMatchObject({
      a: '-',
      b: 'waits x4 of 5; kept x1, lost x1',
      c: '-',
    });
  });

  it('have no lines in a report that measured none of them', () => {
    const other = [cellOf('x', 'probe/mmap', 0, [oneCase('store-after', 'kept')])];
    expect(tellingLines(summaryOf(other))).toEqual([]);
    expect(mailText(summaryOf(other))).not.toContain('Without timing');
  });

  it('are columns in the mail', () => {
    const text = mailText(summaryOf(FIVE));
    expect(text).toMatch(/^ {2}prep-write {2}btrfs {2}kept {2}waits; kept {2}refused$/m);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(MAIL_WIDTH);
  });
});
