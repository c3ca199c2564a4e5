// SPDX-License-Identifier: GPL-2.0-only
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { judge, type CheckEnd } from '../../../src/fstests/judge.js';
import { parseCheck } from '../../../src/fstests/parse.js';
import { readAppends, readPhases } from '../../../src/fstests/phase.js';

const CORPUS = path.resolve(import.meta.dirname, '../../fixtures/fstests/check');
const ID = 'generic/595';

function file(name: string, suffix: string): string | undefined {
  const full = path.join(CORPUS, `${name}.${suffix}`);
  return existsSync(full) ? readFileSync(full, 'utf8') : undefined;
}

/** The output of a passed run: that of one whose only fault is the line of cmp. */
const golden = (file('lost-multi', 'out.bad') ?? '')
  .split('\n')
  .filter((line) => !line.startsWith('cmp:'))
  .join('\n');

function recorded(name: string, changes: Partial<CheckEnd> = {}): CheckEnd {
  return {
    output: parseCheck(file(name, 'out') ?? ''),
    exitCode: Number(file(name, 'exit')),
    timedOut: false,
    files: { outBad: file(name, 'out.bad'), full: file(name, 'full') },
    golden,
    stderr: file(name, 'stderr')?.trim().split('\n').at(-1),
    ...changes,
  };
}

describe('real outputs of check', () => {
  it.each([
    [
      'pass',
      'pass',
      /^pass, \d+ s, \d+ appends kept$/,
      { 'single-threaded': 'kept', 'multi-threaded': 'kept' },
    ],
    [
      'lost-multi',
      'fail',
      /^multi-threaded: the file is shorter than its record/,
      { 'single-threaded': 'kept', 'multi-threaded': 'lost' },
    ],
    [
      'longer-multi',
      'fail',
      /^multi-threaded: the file is longer than its record/,
      { 'single-threaded': 'kept', 'multi-threaded': 'wrong' },
    ],
    [
      'differs-multi',
      'fail',
      /^multi-threaded: .* differ: char 5, line 1/,
      { 'single-threaded': 'kept', 'multi-threaded': 'wrong' },
    ],
    [
      'lost-single',
      'fail',
      /^single-threaded: the write is not in the file$/,
      { 'single-threaded': 'lost', 'multi-threaded': 'kept' },
    ],
    [
      'refused-single',
      'fail',
      /^single-threaded: .*write error/,
      { 'single-threaded': 'refused', 'multi-threaded': 'kept' },
    ],
    ['dmesg', 'fail', /^kernel report in dmesg$/, {}],
    ['fsck', 'fail', /^file system inconsistent$/, {}],
    ['exit-status', 'fail', /^exit status 7$/, {}],
    ['no-golden', 'fail', /^no golden output$/, {}],
    ['missing', 'infra', /said nothing about generic\/595/, {}],
    ['expunged', 'notrun', /excluded by the fstests tree/, {}],
    ['interrupted', 'infra', /without a summary \(exit 0\)/, {}],
    ['killed', 'infra', /without a summary \(exit 137\)/, {}],
    ['mkfs-fails', 'infra', /SCRATCH_DEV \(\/dev\/null\) is not a block device/, {}],
    ['scratch-mkfs-fails', 'infra', /check gave up/, {}],
    ['bad-group', 'infra', /nosuch/, {}],
  ])('reads %s as %s', (name, outcome, summary, cases) => {
    const reading = judge(ID, recorded(name));
    expect(reading.outcome).toBe(outcome);
    expect(reading.summary).toMatch(summary);
    expect(reading.cases).toEqual(cases);
  });

  it('has a case for every file of the corpus', () => {
    const names = readdirSync(CORPUS)
      .filter((name) => name.endsWith('.exit'))
      .map((name) => name.slice(0, -'.exit'.length));
    expect(names.length).toBeGreaterThanOrEqual(19);
    for (const name of names) expect(() => judge(ID, recorded(name))).not.toThrow();
  });

  it('never takes a notrun for a pass, although check ends with "Passed all 1 tests" and exit 0', () => {
    const end = recorded('notrun');
    expect(end.output.passedAll).toBe(1);
    expect(end.exitCode).toBe(0);
    expect(judge('generic/581', end)).toEqual({
      outcome: 'notrun',
      summary: 'notrun: fsgqa user not defined.',
      cases: {},
    });
  });

  it('tells the tests of one run apart', () => {
    const end = recorded('two-tests');
    expect(judge('generic/396', end).outcome).toBe('pass');
    expect(judge('generic/581', end).outcome).toBe('notrun');
    expect(judge('generic/397', end).outcome).toBe('infra');
  });

  it('finds a missing test by the name that was asked for', () => {
    expect(judge('generic/998', recorded('missing'))).toMatchObject({
      outcome: 'infra',
      summary: 'the fstests tree has no test generic/998',
    });
  });

  it('counts the appends of the race', () => {
    const counts = readAppends(file('pass', 'full') ?? '');
    expect(counts?.acknowledged).toBeGreaterThan(10);
    expect(counts).toMatchObject({ lost: 0, wrong: 0, attempts: counts?.acknowledged });
    expect(readAppends('Size: 5 Blocks: 8\n  Size: 3 Blocks: 8\n')).toMatchObject({
      acknowledged: 5,
      lost: 2,
      wrong: 0,
    });
    expect(readAppends('Size: 5 Blocks\n')).toBeUndefined();
  });

  it('counts nothing where the file is longer than the record of what was acknowledged', () => {
    expect(readAppends('Size: 5 Blocks: 8\n  Size: 7 Blocks: 8\n')).toBeUndefined();
  });
});

describe('output that contradicts itself', () => {
  const pass = recorded('pass');

  it.each<[string, Partial<CheckEnd>]>([
    ['no exit status', { exitCode: undefined }],
    ['exit status 1', { exitCode: 1 }],
    ['an .out.bad', { files: { outBad: 'x' } }],
    ['a summary of no tests', { output: { ...pass.output, passedAll: 0 } }],
    ['a summary that does not name the test', { output: { ...pass.output, ran: ['generic/001'] } }],
    ['a summary that counts failures', { output: { ...pass.output, failed: { bad: 1, of: 1 } } }],
    ['a list of tests not run with it', { output: { ...pass.output, notRun: [ID] } }],
    ['an interruption', { output: { ...pass.output, interrupted: true } }],
  ])('is infra when a pass comes with %s', (_what, changes) => {
    expect(judge(ID, { ...pass, ...changes }).outcome).toBe('infra');
  });

  it('is notrun when a .notrun file stands beside a pass', () => {
    expect(judge(ID, { ...pass, files: { notrun: 'no encryption\n' } })).toMatchObject({
      outcome: 'notrun',
      summary: 'notrun: no encryption',
    });
  });

  it('is fail when only the summary says so', () => {
    expect(judge(ID, { ...pass, output: { ...pass.output, failures: [ID] } }).outcome).toBe('fail');
  });

  it('is infra when the test did not end in time', () => {
    expect(judge(ID, { ...pass, timedOut: true }).outcome).toBe('infra');
  });
});

describe('phases of generic/595', () => {
  const bad = (from: string, to: string): string => golden.replace(from, to);

  it.each([
    [
      'a read that fails',
      bad('contents\n', 'cat: /mnt/scratch/dir/file: Required key not available\n'),
      'ENOKEY',
      'kept',
    ],
    ['a removal that says something else', bad(', but files still busy', ''), 'unexpected', 'kept'],
    [
      'a file that is gone at the end',
      bad(
        'Multi-threaded reproducer done',
        'cmp: /mnt/scratch/dir/file: No such file or directory\nMulti-threaded reproducer done',
      ),
      'kept',
      'ENOENT',
    ],
    ['an end before the second phase', golden.slice(0, golden.indexOf('# Multi')), 'kept', 'not-reached'],
    ['nothing at all', '', 'not-reached', 'not-reached'],
  ])('reads %s', (_what, output, single, multi) => {
    expect(readPhases(output, golden).cases).toEqual({ 'single-threaded': single, 'multi-threaded': multi });
  });
});
