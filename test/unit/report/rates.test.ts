// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { PROBE_TESTS, probeOf } from '../../../src/probe/catalog.js';
import { compareLosses, compareRuns } from '../../../src/report/compare.js';
import { reportJson, reportTable } from '../../../src/report/formats.js';
import { mailText } from '../../../src/report/mail.js';
import { isSampled } from '../../../src/report/sampled.js';
import { summarise } from '../../../src/report/summary.js';
import { flaky, percent, percentages } from '../../../src/report/text.js';
import { runTable } from '../../../src/cli/run-report.js';
import { race, runOf } from './support.js';

/** 4 of the 5 cases of open-fd lost in each of three iterations. */
const cases = [0, 1, 2].flatMap((iteration) => [
  race(4, 5, { test: 'probe/open-fd', variant: 'hard', iteration }),
  race(3, 5, { test: 'probe/open-fd', variant: 'sync', iteration }),
]);

describe('a test that asks several things', () => {
  const summary = summarise(runOf(cases));

  it('has counts and no rate in any format', () => {
    expect(summary.rows[0]?.losses).toBeUndefined();
    expect(summary.rows[0]?.lossShares).toEqual([]);
    expect(reportTable(summary).rows[0]?.[5]).toBe('12/15 lost');
    expect(mailText(summary)).toMatch(/ hard ext4 open-fd fail 3\/3 12\/15 lost$/m);
    for (const text of [runTable(summary), mailText(summary)]) expect(text).not.toMatch(/lost +[\d<>.]+%/);
    expect(JSON.stringify(reportJson(summary))).not.toContain('"losses"');
  });

  it('is not compared by how much it lost', () => {
    expect(compareLosses(summary)).toEqual([]);
    expect(mailText(summary)).not.toContain('rank-sum');
    expect(compareRuns(summary, summary)[0]?.writes.verdict).toBe('no data');
  });

  it('says what came back wrong, and shows no share where more was lost than acknowledged', () => {
    const counts = { attempts: 5, acknowledged: 4, lost: 1, wrong: 2 };
    const reading = { outcome: 'fail' as const, summary: '', cases: {}, counts };
    const text = (changes: object, test = 'probe/paths') =>
      reportTable(summarise(runOf([race(1, 5, { test, reading: { ...reading, ...changes } })]))).rows[0]?.[5];
    expect(text({})).toBe('1/4 lost, 2 wrong');
    expect(text({ counts: { ...counts, lost: 5 } }, 'probe/race-held')).toBe('5 lost, 2 wrong');
  });
});

describe('a test that repeats one kind of write', () => {
  it.each([
    'probe/race-append',
    'probe/race-held',
    'probe/parked',
    'generic/595',
    'generic/595 (port)',
    'generic/595 [hard]',
  ])('has a rate with its interval: %s', (test) => {
    const [row] = summarise(runOf([race(12, 15, { test })])).rows;
    expect(row?.losses).toMatchObject({ successes: 12, trials: 15 });
    expect(row?.lossShares).toEqual([0.8]);
  });

  it('is one whose probe has one case in the catalogue', () => {
    for (const test of PROBE_TESTS) expect(isSampled(test), test).toBe(probeOf(test).cases.length === 1);
    for (const test of ['generic/5950', 'generic/368 [hard]', 'x generic/595', 'probe/race'])
      expect(isSampled(test), test).toBe(false);
  });
});

describe('shares in per cent', () => {
  it('are never rounded to none or all', () => {
    expect(flaky(1, 500)).toBe('<1% (1/500)');
    expect(flaky(499, 500)).toBe('>99% (499/500)');
    expect(flaky(0, 5)).toBe('0% (0/5)');
    expect(flaky(5, 5)).toBe('100% (5/5)');
    expect(flaky(21, 50)).toBe('42% (21/50)');
    expect(percent(0.00004, 2)).toBe('<0.01');
    expect(percent(0.99999, 2)).toBe('>99.99');
    expect([percent(0, 2), percent(1, 2), percent(0.00006, 2)]).toEqual(['0.00', '100.00', '0.01']);
  });

  it('nor are the ends of their intervals', () => {
    expect(percentages({ estimate: 0.00003, low: 0.00001, high: 0.0002 })).toEqual({
      value: '<0.01%',
      interval: '[<0.01, 0.02]',
    });
    expect(percentages({ estimate: 0.99997, low: 0.999, high: 0.999999 })).toEqual({
      value: '>99.99%',
      interval: '[99.90, >99.99]',
    });
    expect(percentages({ estimate: 0, low: 0, high: 0.2 })).toEqual({
      value: '0.00%',
      interval: '[0.00, 20.00]',
    });
  });

  it('have a table in which a rare failure and a rare loss are seen', () => {
    const rare = Array.from({ length: 500 }, (_, iteration) =>
      race(iteration === 7 ? 3 : 0, 500, { iteration }),
    );
    const row = reportTable(summarise(runOf(rare))).rows[0];
    expect(row?.[4]).toBe('flaky <1% (1/500)');
    expect(row?.[5]).toBe('3/250000 lost  0.001% [<0.001, 0.007]');
  });
});
