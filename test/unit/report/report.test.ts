// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import type { Outcome } from '../../../src/core/outcome.js';
import { compareLosses, compareRuns, compareVariants } from '../../../src/report/compare.js';
import { reportCsv, reportJson, reportTable } from '../../../src/report/formats.js';
import { comparisonText, mailText, MAIL_WIDTH } from '../../../src/report/mail.js';
import { summarise } from '../../../src/report/summary.js';
import { fold, percentages } from '../../../src/report/text.js';
import { verdictOf } from '../../../src/report/verdict.js';
import { randomStream } from '../../../src/run/seeds.js';
import type { CellResult } from '../../../src/run/types.js';
import { cell, five, race, runOf } from './support.js';

describe('the mail', () => {
  it('says what was left out, and why', () => {
    const leftOut = [
      { filesystem: 'ext4', test: 'generic/595', reason: 'the port does', cells: 20 },
      { test: 'mmap', cells: 0 },
    ];
    const text = mailText(summarise(runOf(five([0]), { leftOut })));
    expect(text).toMatch(/^Left out: generic\/595 on ext4: 20 cells \(the port does\)$/m);
    expect(text).not.toContain('mmap');
  });

  it('says which tests ran more or less often than the others', () => {
    const record = runOf(five([0]));
    const plan = { ...record.plan, testIterations: { 'generic/595': 20 } };
    expect(mailText(summarise(record))).toContain('x 5 iterations, seed 1');
    expect(mailText(summarise({ ...record, plan }))).toMatch(
      /x 5\s+iterations\s+\(generic\/595:\s+20\),\s+seed\s+1\n/,
    );
  });

  it('shows a row with its rate and interval', () => {
    const text = mailText(summarise(runOf(five([0, 0, 0, 0, 0]))));
    expect(text).toMatch(/^ stock ext4 race-append pass 5\/5 0\/25000 lost {2}0\.00% \[0\.00, 0\.02\]$/m);
    expect(text).toContain('500 removals, 200 met a writer, 200 FILES_BUSY; median 300 us');
    expect(text).toContain('open ENOKEY x25');
  });

  it('has the losses of all rows below their names when they do not fit beside one of them', () => {
    const long = five([4000], { variant: 'freeze-no-flush', test: 'generic/595 (port)' });
    const text = mailText(summarise(runOf([...five([0]), ...long])));
    expect(text).toMatch(
      /^ freeze-no-flush ext4 generic\/595 \(port\) fail 1\/1\n {4}4000\/5000 lost {2}80\.00% \[/m,
    );
    expect(text).toMatch(/^ stock +ext4 race-append +pass 1\/1\n {4}0\/5000 lost {2}0\.00% \[/m);
  });

  it('shows flaky tests as a share, and failed iterations with their own interval', () => {
    const text = mailText(summarise(runOf(five([0, 3, 0, 0, 9]))));
    expect(text).toContain('flaky 40% (2/5)');
    // Wilson for 2 of 5: 0.1176 to 0.7693.
    expect(text).toMatch(/2\/5 iterations failed, 40\.00% \[11\.76, 76\.93\]/);
    expect(text).toContain('losses come in bursts');
  });

  it('has a header with everything that it takes to repeat the run', () => {
    const text = mailText(summarise(runOf(five([0]))));
    for (const fact of [
      '7.3.4-enokey-stock',
      'abcdef12',
      '55667788',
      'QEMU emulator version 7.2.17',
      'tcg',
      'MSR 0x10a',
      'btrfs-progs 7.3-1~bpo13+1',
      'enokey matrix --variants stock',
      'seed 1',
      '24000 MiB',
    ]) {
      expect(text.replaceAll(/\s+/g, ' ')).toContain(fact);
    }
  });

  it('tells reads and opens from writes', () => {
    const reading = { outcome: 'pass' as const, summary: '', cases: {}, unit: 'open' as const };
    const counts = { attempts: 6, acknowledged: 4, lost: 0, wrong: 0 };
    const opens = cell({ test: 'probe/new-open', reading: { ...reading, counts } });
    expect(mailText(summarise(runOf([opens])))).toContain('new-open pass 1/1 4/6 opens worked\n');
    const damaged = cell({ test: 'probe/new-open', reading: { ...reading, counts: { ...counts, lost: 5 } } });
    expect(mailText(summarise(runOf([damaged])))).toContain('4/6 opens worked, 5 lost, 0 wrong');
  });

  it('says that a partial run is partial', () => {
    const text = mailText(summarise(runOf(five([0, 0]), {}, 5)));
    expect(text).toContain('2 of 5 cells -- PARTIAL, not finished');
    expect(text).toContain('partial: 2 of 5 iterations');
  });

  it('tells errors from failures and counts further tries', () => {
    const text = mailText(
      summarise(
        runOf([
          ...five([0, 0]),
          cell({
            iteration: 2,
            outcome: 'hang',
            standing: 'unexpected',
            detail: 'hang, contract: pass: silent for 80 s',
          }),
          cell({ iteration: 3, outcome: 'infra', standing: 'unexpected', tries: 3, detail: 'infra' }),
        ]),
      ),
    ).replaceAll(/\s+/g, ' ');
    expect(text).toContain('pass 2/4');
    expect(text).toContain('no result: hang 1, infra 1');
    expect(text).toContain('!! not as contracted: hang, contract: pass: silent for 80 s (and 1 more)');
    expect(text).toContain('2 further tries');
  });

  it('compares variants, and says when N is too small', () => {
    const results = [...five([1, 1, 1, 1, 1]), ...five([0, 0, 0, 0, 0], { variant: 'soft' })];
    const text = mailText(summarise(runOf(results))).replaceAll(/\s+/g, ' ');
    // Fisher for 0/5 against 5/5: 2/252.
    expect(text).toContain('soft fails less often than stock (0/5 vs 5/5, p = 0.0079)');
    expect(text).toContain('p is Holm-corrected over 1 comparison.');
    const few = [...five([1, 1, 1, 0, 0]), ...five([0, 0, 0, 0, 0], { variant: 'soft' })];
    // 3 of 10 failed, all in one group: 2 * 10 of 120 choices.
    expect(mailText(summarise(runOf(few))).replaceAll(/\s+/g, ' ')).toContain(
      'ext4 race-append: soft 0/5, stock 3/5: not distinguishable at this N (p = 0.1667)',
    );
  });

  it('never has a line of more than 72 columns, whatever happened', () => {
    const random = randomStream(1, 'mail');
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const outcomes: readonly Outcome[] = [
      'pass',
      'fail',
      'inconclusive',
      'notrun',
      'oops',
      'hang',
      'lost',
      'boot-error',
      'infra',
    ];
    for (let round = 0; round < 60; round++) {
      const results = Array.from({ length: 12 }, (_, iteration) =>
        race(Math.floor(random() * 3e6), 3_000_000 + Math.floor(random() * 1e7), {
          iteration,
          variant: pick(['stock', 'a-very-long-variant-name-of-a-user@12', 'x'.repeat(90)]),
          filesystem: pick(['ext4', 'btrfs']),
          test: pick(['probe/race-append', 'generic/595 [a-long-override-name]', 'generic/595 (port)']),
          outcome: pick(outcomes),
          standing: pick(['as-contracted', 'unexpected', 'no-contract'] as const),
          detail: 'w'.repeat(Math.floor(random() * 200)),
          marks: ['lockdep', 'kasan'],
          tries: 3,
        }),
      );
      const text = mailText(
        summarise(runOf(results, { command: `enokey matrix --tree ${'/d'.repeat(70)}` })),
      );
      const lines = text.split('\n');
      // A path is never broken: the command could not be pasted any more.
      const path = `        ${'/d'.repeat(70)}`;
      expect(lines).toContain(path);
      for (const line of lines.filter((one) => one !== path))
        expect(line.length, line).toBeLessThanOrEqual(MAIL_WIDTH);
    }
  });

  it('has no control characters from a guest', () => {
    const text = mailText(
      summarise(runOf([cell({ outcome: 'infra', standing: 'unexpected', detail: 'a\u001b[2J\u0007b' })])),
    );
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
  });

  it('can be made of a run in which nothing ran yet', () => {
    const text = mailText(summarise({ ...runOf([], {}, 3), environment: undefined }));
    expect(text).toContain('0 of 3 cells -- PARTIAL');
    expect(text).toContain('not yet run');
  });
});

describe('the verdict of a run', () => {
  const exit = (results: readonly CellResult[]) => verdictOf(summarise(runOf(results)));
  it('is 0 when nothing stands against its contract', () => {
    expect(exit(five([0, 0])).exitCode).toBe(0);
    expect(exit(five([4, 4])).exitCode).toBe(0);
  });
  it('is 1 when something does', () => {
    expect(exit([race(3, 100, { standing: 'unexpected' })])).toMatchObject({ exitCode: 1 });
    expect(exit([cell({ outcome: 'oops', standing: 'unexpected' })]).exitCode).toBe(1);
  });
  it('is 69 when only the machinery failed', () => {
    expect(
      exit([...five([0]), cell({ iteration: 1, outcome: 'infra', standing: 'unexpected' })]).exitCode,
    ).toBe(69);
    expect(
      exit([
        cell({ outcome: 'infra', standing: 'unexpected' }),
        race(1, 9, { iteration: 1, standing: 'unexpected' }),
      ]).exitCode,
    ).toBe(1);
  });
  it('is an error with the reason when every cell is notrun, or none ran', () => {
    expect(
      exit([cell({ outcome: 'notrun', standing: 'no-contract', detail: 'no encryption on btrfs' })]),
    ).toEqual({
      exitCode: 1,
      reason: 'every cell is notrun: no encryption on btrfs',
    });
    expect(exit([]).exitCode).toBe(1);
  });
  it('is an error with the reason when no cell passed or failed, and nothing is unexpected', () => {
    const quiet = cell({ outcome: 'inconclusive', standing: 'no-contract', detail: 'the key never went' });
    expect(exit([quiet, { ...quiet, iteration: 1, outcome: 'notrun' }])).toEqual({
      exitCode: 1,
      reason: 'no cell came to a result: the key never went',
    });
    expect(exit([quiet, ...five([0])]).exitCode).toBe(0);
  });
});

describe('a summary', () => {
  it('counts only pass and fail as results', () => {
    const { rows } = summarise(
      runOf([
        ...five([0, 1]),
        cell({ iteration: 2, outcome: 'inconclusive' }),
        cell({ iteration: 3, outcome: 'notrun' }),
      ]),
    );
    expect(rows[0]?.failures).toMatchObject({ successes: 1, trials: 2 });
    expect(rows[0]?.outcomes).toEqual({ pass: 1, fail: 1, inconclusive: 1, notrun: 1 });
  });

  it('pools writes, removals and errnos', () => {
    const [row] = summarise(runOf(five([1, 0, 2]))).rows;
    expect(row).toMatchObject({
      counts: { acknowledged: 15000, lost: 3 },
      errnos: { open: { ENOKEY: 15 } },
      removal: { count: 300, latencyUs: { median: 300, p99: 1900, max: 2500 } },
      cases: { race: { kept: 1, lost: 2 } },
    });
  });
});

describe('other formats', () => {
  it('are a table, JSON without the list of cells, and CSV a line a cell', () => {
    const record = runOf(five([0, 2]));
    const summary = summarise(record);
    expect(reportTable(summary).rows[0]?.slice(0, 6)).toEqual([
      ' ',
      'stock',
      'ext4',
      'probe/race-append',
      'flaky 50% (1/2)',
      expect.stringContaining('2/10000 lost'),
    ]);
    expect(JSON.stringify(reportJson(summary))).not.toContain('"cells"');
    const lines = reportCsv(record).trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[2]).toMatch(
      /^stock,ext4,probe\/race-append,1,fail,as-contracted,5005,5000,2,0,100,40,300,1900,1,/,
    );
  });

  it('keep a spreadsheet from running what a guest said', () => {
    const csv = reportCsv(runOf([cell({ detail: '=cmd|"x"!A1, and more' })]));
    expect(csv).toContain(`"'=cmd|""x""!A1, and more"`);
  });
});

describe('a comparison of runs', () => {
  it('sets equal rows against each other and leaves the others out', () => {
    const before = summarise(runOf([...five([1, 1, 1, 1, 1]), race(0, 10, { test: 'probe/mmap' })]));
    const after = summarise(runOf(five([0, 0, 0, 0, 0])));
    const rows = compareRuns(before, after);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.iterations).toMatchObject({ verdict: 'more often' });
    const text = comparisonText(before, after, rows);
    expect(text).toContain('failed iterations: more often, p = 0.0079');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(MAIL_WIDTH);
  });

  it('orders variants that fail in every iteration by how much each iteration lost', () => {
    const summary = summarise(
      runOf([
        ...five([900, 910, 950, 980, 990], { variant: 'hard' }),
        ...five([90, 91, 95, 98, 99], { variant: 'sync' }),
        ...five([89, 92, 94, 97, 100], { variant: 'freeze' }),
        ...five([0, 0, 0, 0, 0], { variant: 'soft' }),
      ]),
    );
    const told = compareLosses(summary).map(({ first, second, verdict, p }) => [
      first.variant,
      second.variant,
      verdict,
      p.toFixed(4),
    ]);
    // 5 against 5 apart: 2 of the 252 choices, times three pairs. `soft` lost nothing and is compared by its failures.
    expect(told).toEqual([
      ['hard', 'sync', 'loses more', '0.0238'],
      ['hard', 'freeze', 'loses more', '0.0238'],
      ['sync', 'freeze', 'not distinguishable at this N', expect.any(String)],
    ]);
    const text = mailText(summary);
    expect(text).toContain('ext4 race-append: hard 18.92%, sync 1.89%: hard loses more');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(MAIL_WIDTH);
  });

  it('has nothing to say within a run of one variant', () => {
    expect(compareVariants(summarise(runOf(five([0]))))).toEqual([]);
  });
});

describe('text', () => {
  it('keeps enough decimals to show a small bound', () => {
    expect(percentages({ estimate: 0, low: 0, high: 0.0000077 })).toEqual({
      value: '0.0000%',
      interval: '[0.0000, 0.0008]',
    });
    expect(percentages({ estimate: 0.5, low: 0.25, high: 1 })).toEqual({
      value: '50.00%',
      interval: '[25.00, 100.00]',
    });
  });

  it('folds at spaces, indents what follows, and cuts words that are too long', () => {
    expect(fold('aaa bbb ccc', 7, 2)).toEqual(['aaa bbb', '  ccc']);
    expect(fold('x'.repeat(10), 4, 1)).toEqual(['xxxx', ' xxx', ' xxx']);
    expect(fold('', 10, 2)).toEqual([]);
  });
});
