// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import type { CellResult } from '../../../src/run/types.js';
import type { Bug, Sign } from '../../seeded-bugs/bug.js';
import { table } from '../../seeded-bugs/table.js';
import { judgeBug, seenInCell, seenInReport, type Seen } from '../../seeded-bugs/verdict.js';

function cell(more: Partial<CellResult>, cases: Record<string, string> = {}): CellResult {
  return {
    ...{ variant: 'seeded-01', filesystem: 'btrfs', test: 'probe/open-fd', iteration: 0 },
    ...{ outcome: 'pass', standing: 'as-contracted', marks: [], tries: 1 },
    ...{ startedAt: '2026-11-25T20:00:00Z', durationMs: 1, hostLoad: 1, files: 'cells/x', guest: 'g1' },
    reading: { outcome: 'pass', summary: '', cases },
    ...more,
  };
}

const never = (): boolean => false;
const broken = {
  outcome: 'fail',
  standing: 'unexpected',
  detail: 'gap=before lost, contract: kept',
} as const;
const bug = (sign: Sign): Bug => ({
  ...{ patch: '01-hard-x', variant: 'hard', name: 'seeded-01', profile: 'default', test: 'probe/open-fd' },
  ...{ args: [], sign },
});
const lost: Sign = { case: 'gap=before', verdict: 'lost' };
const good = seenInCell(cell({}), never);

describe('a bug', () => {
  const seen = seenInCell(cell(broken, { 'gap=before': 'lost' }), never);

  it('is caught when the control is as contracted, and the test is not and shows the sign', () => {
    expect(judgeBug(bug(lost), good, seen)).toEqual({
      caught: true,
      text: 'gap=before lost, contract: kept',
    });
  });

  it.each<[string, Seen, Seen, string]>([
    ['the control fails as well', seen, seen, 'the control failed as well'],
    [
      'the control has no contract to meet',
      seenInCell(cell({ standing: 'no-contract' }), never),
      seen,
      'control',
    ],
    ['the control did not run', seenInCell(cell({ outcome: 'infra' }), never), seen, 'came to no result'],
    ['the test passes', good, good, 'passed'],
    [
      'the test fails otherwise',
      good,
      seenInCell(cell(broken, { 'gap=before': 'kept' }), never),
      'not as expected',
    ],
    [
      'its guest does not boot',
      good,
      seenInCell(cell({ ...broken, outcome: 'boot-error' }), never),
      'no result',
    ],
    ['its test does not run', good, seenInCell(cell({ ...broken, outcome: 'notrun' }), never), 'no result'],
  ])('is not caught when %s', (_, control, withBug, said) => {
    const { caught, text } = judgeBug(bug(lost), control, withBug);
    expect(caught).toBe(false);
    expect(text).toContain(said);
  });

  it('is not caught by a sign alone: what the contract allows catches nothing', () => {
    const allowed = seenInCell(cell({}, { 'gap=before': 'lost' }), never);
    expect(judgeBug(bug(lost), good, allowed).caught).toBe(false);
  });
});

describe('the signs in a cell', () => {
  const kasan = cell({ ...broken, marks: ['kasan', 'warn'], detail: 'kasan, warn in the console' });

  it('are marks of the console, outcomes, and verdicts of cases', () => {
    const seen = seenInCell(kasan, never);
    expect(seen.has({ mark: 'kasan' })).toBe(true);
    expect(seen.has({ mark: 'lockdep' })).toBe(false);
    expect(seen.has({ outcome: 'fail' })).toBe(true);
    expect(seen.has({ outcome: 'hang' })).toBe(false);
    expect(seen.has({ detail: 'in the console' })).toBe(true);
    expect(seen.has({ detail: 'syncfs_errors' })).toBe(false);
    expect(seen.has(lost)).toBe(false);
    expect(seen.has({ failed: 'x' })).toBe(false);
  });

  it('need their text, where one is demanded', () => {
    const seen = seenInCell(kasan, (text) => text === 'use-after-free');
    expect(seen.has({ mark: 'kasan', says: 'use-after-free' })).toBe(true);
    expect(seen.has({ mark: 'kasan', says: 'out-of-bounds' })).toBe(false);
  });
});

describe('the signs in a report of end-to-end tests', () => {
  const passed = { fullName: 'the key in a guest with soft goes with its removal', status: 'passed' };
  const skipped = { fullName: 'the key in a guest with base goes', status: 'skipped' };
  const failed = {
    fullName: 'the key in a guest with soft outlives its removal, and goes with the last close',
    status: 'failed',
    failureMessages: ['AssertionError: expected [ 1, 1 ] to deeply equal [ +0, +0 ]'],
  };
  const sign: Sign = { failed: 'goes with the last close' };

  it('are the tests that failed a comparison', () => {
    const seen = seenInReport([passed, skipped, failed]);
    expect(seen).toMatchObject({ clean: false, conclusive: true });
    expect(seen.text).toBe('failed: outlives its removal, and goes with the last close');
    expect(seen.has(sign)).toBe(true);
    expect(seen.has({ failed: 'goes with its removal' })).toBe(false);
  });

  it('are none when all that ran passed', () => {
    expect(seenInReport([passed, skipped])).toMatchObject({
      clean: true,
      conclusive: true,
      text: '1 passed',
    });
  });

  it('come to nothing when no test ran, or one failed for another reason than a comparison', () => {
    expect(seenInReport([skipped]).conclusive).toBe(false);
    const boot = { ...failed, failureMessages: ['InfraError: guest: did not boot'] };
    expect(seenInReport([passed, boot])).toMatchObject({ clean: false, conclusive: false });
    expect(seenInReport([boot]).has(sign)).toBe(false);
  });
});

describe('the table', () => {
  const row = { variant: 'hard', profile: 'default', test: 'probe/open-fd' };
  const rows = [
    { ...row, bug: '01-hard-x', caught: true, seen: 'gap=before lost' },
    { ...row, bug: '02-hard-longer', caught: false, seen: 'passed: a | b' },
  ];

  it('has a line a bug and counts at the end', () => {
    expect(table(rows, false)).toBe(
      [
        'bug             variant  kernel   test                       seen',
        '01-hard-x       hard     default  probe/open-fd  caught      gap=before lost',
        '02-hard-longer  hard     default  probe/open-fd  NOT CAUGHT  passed: a | b',
        '1 of 2 caught',
        '',
      ].join('\n'),
    );
  });

  it('is Markdown when asked', () => {
    const lines = table(rows, true).split('\n');
    expect(lines[1]).toBe('| --- | --- | --- | --- | --- | --- |');
    expect(lines[3]).toBe(
      '| 02-hard-longer | hard | default | probe/open-fd | NOT CAUGHT | passed: a \\| b |',
    );
    expect(lines[5]).toBe('1 of 2 caught');
  });
});
