// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { judge } from '../../../src/fstests/judge.js';
import { parseCheck } from '../../../src/fstests/parse.js';
import { readPort } from '../../../src/fstests/port-output.js';
import type { Reading } from '../../../src/probe/types.js';
import { compareLosses, compareRuns } from '../../../src/report/compare.js';
import { reportCsv, reportTable } from '../../../src/report/formats.js';
import { mailText } from '../../../src/report/mail.js';
import { summarise } from '../../../src/report/summary.js';
import type { CellResult } from '../../../src/run/types.js';
import { cell, five, runOf } from './support.js';

const ORIGINAL = 'generic/595';
const PORT = 'generic/595 (port)';

function cellOf(reading: Reading, changes: Partial<CellResult> = {}): CellResult {
  return cell({ filesystem: 'btrfs', test: PORT, outcome: reading.outcome as 'pass', reading, ...changes });
}

/** As the port is read today. */
function port(appended: number, found: number, wrong: number, verdict: string): Reading {
  const phase = (name: string): object => ({ verdict: name, detail: '' });
  const line = {
    type: 'result',
    schema: 1,
    reason: '',
    phases: { 'single-threaded': phase('kept'), 'multi-threaded': phase(verdict) },
    ...{ appended, refused: 5, failed: 0, adds: 9, removals: 9, remove_failed: 0 },
    ...{ found, wrong_bytes: wrong, errno: { open: { ENOKEY: 5 }, write: {} } },
  };
  return readPort(JSON.stringify(line), verdict === 'kept' ? 0 : 1);
}

/** As older versions recorded the port: `lost` is what was missing, `wrong` came on top or was not counted. */
function old(verdict: string, lost: number, wrong: number, acknowledged = 1000): Reading {
  const cases = { 'single-threaded': 'kept', 'multi-threaded': verdict };
  const counts = { attempts: acknowledged + 5, acknowledged, lost, wrong };
  return { outcome: verdict === 'kept' ? 'pass' : 'fail', summary: '', cases, counts, errnos: {} };
}

/** As fstests' test is read that found `cmp` saying this about a record and a file of these sizes. */
function original(cmp: string, record: number, file: number): Reading {
  const out = (line: string): string =>
    [
      'QA output',
      '',
      '# Single-threaded reproducer',
      'contents',
      '',
      '# Multi-threaded reproducer',
      line,
      'done',
    ]
      .filter((one, index) => one !== '' || index < 5)
      .join('\n');
  return judge(ORIGINAL, {
    output: parseCheck(`${ORIGINAL} - output mismatch (see x)\nFailures: ${ORIGINAL}\nFailed 1 of 1 tests\n`),
    exitCode: 1,
    timedOut: false,
    files: { outBad: out(cmp), full: `  Size: ${record} Blocks: 8\n  Size: ${file} Blocks: 8\n` },
    golden: out(''),
  });
}

function rowOf(...readings: readonly Reading[]) {
  const results = readings.map((reading, iteration) => cellOf(reading, { iteration }));
  const record = runOf(results);
  const summary = summarise(record);
  const [row] = summary.rows;
  const mail = mailText(summary).replaceAll(/\s+/g, ' ');
  return { row, mail, writes: reportTable(summary).rows[0]?.[5], csv: reportCsv(record).trim().split('\n') };
}

describe('appends that were acknowledged and came back wrong', () => {
  it('are in the rate of the port, as a part of what is lost', () => {
    const { row, writes, csv } = rowOf(port(41017, 13876, 152, 'wrong'));
    expect(writes).toBe('27293/41017 lost (152 wrong)  66.54% [66.08, 67.00]');
    expect(row?.lossShares).toEqual([27293 / 41017]);
    expect(csv[1]).toContain(',41022,41017,27293,152,');
  });

  it('are a loss where the file has its whole length, and compared as one', () => {
    const results = [
      ...[1, 2, 3, 4, 5].map((iteration) =>
        cellOf(port(1000, 1000, 400 + iteration, 'wrong'), { iteration, variant: 'holes' }),
      ),
      ...[1, 2, 3, 4, 5].map((iteration) =>
        cellOf(port(1000, 990 - iteration, 0, 'lost'), { iteration, variant: 'short' }),
      ),
    ];
    expect(compareLosses(summarise(runOf(results)))).toMatchObject([
      { first: { variant: 'holes' }, second: { variant: 'short' }, verdict: 'loses more' },
    ]);
  });

  it('are added to what is missing in runs that recorded them beside it', () => {
    expect(rowOf(old('wrong', 27141, 152, 41017)).writes).toBe(
      '27293/41017 lost (152 wrong)  66.54% [66.08, 67.00]',
    );
    expect(rowOf(old('lost', 10, 0)).writes).toMatch(/^10\/1000 lost {2}1\.00% /);
    // What is recorded today is not added up a second time.
    expect(rowOf(port(1000, 500, 100, 'wrong'), old('wrong', 500, 100)).writes).toMatch(
      /^1200\/2000 lost \(200 wrong\) {2}60\.00% /,
    );
  });
});

describe('a lower bound of what is lost', () => {
  const differs = 'cmp: /tmp/1.expected and /mnt/dir/file differ: char 5, line 1';
  // The file is as long as its record, or shorter, and has a hole; and a port that saw a wrong byte but counted none.
  it.each([
    [original(differs, 530, 530), 'at least 1/530 lost', 1],
    [original(differs, 530, 500), 'at least 31/530 lost', 31],
    [old('wrong', 15386, 0, 32842), 'at least 15387/32842 lost', 15387],
  ])('is named as one and has no rate (%#)', (reading, text, lost) => {
    expect(reading.outcome).toBe('fail');
    const { row, mail, writes, csv } = rowOf(reading);
    expect(writes).toBe(text);
    expect(row?.losses).toBeUndefined();
    expect(row?.lossShares).toEqual([]);
    expect(mail).toContain(text);
    expect(mail).toContain('at least: not counted are bytes that read back wrong, and there are some');
    const [head = '', line = ''] = csv;
    const values = new Map(head.split(',').map((name, index) => [name, line.split(',')[index]]));
    expect([values.get('lost'), values.get('wrong')]).toEqual(['', '']);
    expect(values.get('lost_at_least')).toBe(String(lost));
  });

  it('makes one of a row of several iterations', () => {
    const { writes } = rowOf(original(differs, 500, 500), original('cmp: EOF on /mnt/dir/file', 500, 490));
    expect(writes).toBe('at least 11/1000 lost');
  });

  it.each([
    ['is a lower bound', original(differs, 530, 530)],
    ['cannot be told', original('cmp: /mnt/dir/file: Input/output error', 530, 530)],
  ])('or one that %s is compared with nothing, and the report says so', (_what, reading) => {
    const results = [
      ...five([90, 80, 70, 60, 50], { test: ORIGINAL, filesystem: 'btrfs', variant: 'hard' }),
      ...[0, 1, 2, 3, 4].map((iteration) => cellOf(reading, { test: ORIGINAL, variant: 'sync', iteration })),
    ];
    const summary = summarise(runOf(results));
    expect(compareLosses(summary)).toMatchObject([{ verdict: 'no data' }]);
    expect(mailText(summary)).toContain('Not compared: 1 pair with losses that are not all counted.');
    expect(compareRuns(summary, summary)[1]?.writes.verdict).toBe('no data');
  });
});

describe('an iteration of which it cannot be told what it lost', () => {
  const eof = 'cmp: EOF on /tmp/1.expected';
  it.each([
    ['the file of the port could not be read', port(1000, -1, 0, 'ENOKEY')],
    ['it could not, in a run that recorded zeros for that', old('ENOKEY', 0, 0)],
    ['the file of the port has more bytes than appends succeeded', port(1000, 1003, 0, 'wrong')],
    ['it has, in a run that recorded those as wrong', old('wrong', 0, 3)],
    ['the file of the original is longer than its record', original(eof, 500, 503)],
    ['cmp could not read it', original('cmp: /mnt/dir/file: Input/output error', 500, 500)],
  ])('is left out and counted: %s', (_what, reading) => {
    expect(reading.outcome).toBe('fail');
    expect(rowOf(reading).writes).toBe('losses not counted');
    const { row, mail, writes } = rowOf(reading, port(1000, 990, 0, 'lost'));
    expect(row).toMatchObject({ uncounted: 1, counts: { acknowledged: 1000, lost: 10 } });
    expect(writes).toMatch(/^10\/1000 lost {2}1\.00% \[.*\], 1 iteration not counted$/);
    expect(mail).toContain('losses of 1 iteration not counted: the file could not be read, or has more');
  });

  it('is not one that lost nothing, nor one whose race was not reached', () => {
    for (const reading of [port(1000, 1000, 0, 'kept'), old('kept', 0, 0)])
      expect(rowOf(reading).row?.uncounted).toBe(0);
    const early: Reading = { outcome: 'fail', summary: '', cases: { 'multi-threaded': 'not-reached' } };
    expect(rowOf(early).writes).toBe('');
  });
});
