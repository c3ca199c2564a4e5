// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import type { Incident } from '../../../src/guest/types.js';
import { mergeIncidents, silencesDetectors, withFailedChore } from '../../../src/run/incidents.js';
import { withoutOldLeaks } from '../../../src/run/leak-check.js';

const incident = (more: Partial<Incident> = {}): Incident => ({
  marks: [],
  reports: [],
  consoleFrom: 0,
  consoleTo: 0,
  ...more,
});

describe('incidents as one', () => {
  it('end as the first that ended the guest, unless the kernel died', () => {
    const hang = incident({ outcome: 'hang', reason: 'no end' });
    const lost = incident({ outcome: 'lost', reason: 'gone' });
    const oops = incident({ outcome: 'oops', reason: 'BUG' });
    expect(mergeIncidents([incident(), hang, lost])).toMatchObject({ outcome: 'hang', reason: 'no end' });
    expect(mergeIncidents([hang, lost, oops])).toMatchObject({ outcome: 'oops', reason: 'BUG' });
  });

  it('have every mark and report once', () => {
    const seen = incident({ marks: ['kasan'], reports: ['[1] a'], consoleFrom: 5, consoleTo: 9 });
    const again = incident({
      marks: ['kasan', 'warn'],
      reports: ['[1] a', '[2] a'],
      consoleFrom: 3,
      consoleTo: 7,
    });
    expect(mergeIncidents([seen, again])).toMatchObject({
      marks: ['kasan', 'warn'],
      reports: ['[1] a', '[2] a'],
      consoleFrom: 3,
      consoleTo: 9,
    });
  });
});

describe('detectors of a kernel', () => {
  it('are silenced by their own reports, not by those of a file system', () => {
    expect(silencesDetectors(['btrfs', 'kasan'])).toBe(true);
    expect(silencesDetectors(['lockdep'])).toBe(true);
    expect(silencesDetectors(['warn'])).toBe(true);
    expect(silencesDetectors(['btrfs', 'fscrypt', 'ext4', 'f2fs'])).toBe(false);
  });
});

describe('a chore that failed', () => {
  it('takes a pass, and leaves everything else with the reason behind it', () => {
    const reading = { summary: 'seen', cases: { a: 'kept' } } as const;
    expect(withFailedChore({ ...reading, outcome: 'pass' }, 'why')).toEqual({
      outcome: 'infra',
      summary: 'why',
      cases: {},
    });
    for (const outcome of ['fail', 'inconclusive', 'notrun', 'infra'] as const) {
      expect(withFailedChore({ ...reading, outcome }, 'why')).toEqual({
        ...reading,
        outcome,
        summary: 'seen; why',
      });
    }
  });
});

describe('leaks from before the first test', () => {
  const found = '[    9.000000] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)';
  const warning = [
    '[   10.000000] WARNING: CPU: 0 PID: 1 at fs/x.c:1 f+0x1/0x2',
    '[   10.100000]  f+0x1/0x2',
  ];

  it('are no report', () => {
    const seen = incident({ marks: ['warn'], reports: [found], consoleTo: 4 });
    expect(withoutOldLeaks(seen)).toEqual(incident({ consoleTo: 4 }));
  });

  it('do not hide one', () => {
    const report = warning.join('\n');
    const seen = incident({ marks: ['warn', 'ext4'], reports: [found, report] });
    expect(withoutOldLeaks(seen)).toEqual(incident({ marks: ['warn'], reports: [report] }));
    const without = incident({ marks: ['warn'], reports: [report] });
    expect(withoutOldLeaks(without)).toBe(without);
  });
});
