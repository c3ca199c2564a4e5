// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { parseProbeOutput, parseProgress, type Asked } from '../../../src/probe/parse.js';
import { errorOf, readError, readResult } from '../../../src/probe/reading.js';
import { jsonLines, probeCase, probeResult, probeStart } from '../../helpers/probe-output.js';

const RACE: Asked = { probe: 'race-append', seed: 1, cases: ['race'], unit: 'write' };
const start = probeStart('race-append', 1);

function reasonFor(output: string, asked = RACE): string {
  const parsed = parseProbeOutput(output, asked);
  return parsed.kind === 'garbage' ? parsed.reason : `believed: ${parsed.kind}`;
}

function output(changes: Record<string, unknown> = {}, lineChanges: Record<string, unknown> = {}): string {
  return jsonLines(start, probeResult('race-append', 1, [probeCase(changes)], lineChanges));
}

describe('the output of a probe', () => {
  it('is believed when it is complete and adds up', () => {
    const parsed = parseProbeOutput(output(), RACE);
    expect(parsed.kind).toBe('result');
  });

  it('may have keys that this version does not know', () => {
    expect(parseProbeOutput(output({ later: { x: 1 } }, { also: [] }), RACE).kind).toBe('result');
  });

  it.each([
    ['nothing', '', /printed nothing/],
    ['no newline at its end', output().slice(0, -1), /cut off/],
    ['a result cut in the middle', `${output().slice(0, -200)}`, /cut off/],
    ['a result cut in the middle, newline added', `${output().slice(0, -200)}\n`, /line 2 is not JSON/],
    ['no result', jsonLines(start), /result line is missing/],
    ['no start', jsonLines(probeResult('race-append', 1, [probeCase()])), /without a start/],
    ['two starts', jsonLines(start, start), /second start/],
    ['lines after the result', output() + jsonLines(start), /lines after the result/],
    ['garbage before the result', jsonLines(start) + 'segfault\n' + jsonLines({}), /line 2 is not JSON/],
    ['an array', '[1]\n', /not an object/],
    ['null', 'null\n', /not an object/],
    ['an unknown type', jsonLines({ type: 'greeting' }), /unknown type/],
    ['control characters', '\u001b[31m\n', /not JSON/],
    ['a line longer than any probe prints', `${' '.repeat(300 * 1024)}\n`, /line 1 has/],
    ['more output than any probe prints', `${'{}\n'.repeat(3_000_000)}`, /more than/],
    ['another schema', jsonLines({ ...start, schema: 2 }), /schema/],
    ['another probe', jsonLines(probeStart('race-held', 1)), /from probe race-held/],
    ['another seed', jsonLines(probeStart('race-append', 2)), /seed 2/],
    ['another seed in the result', output({}, { seed: 3 }), /seed 3/],
  ])('is garbage with %s', (_, text, reason) => {
    expect(reasonFor(text)).toMatch(reason);
  });

  it.each([
    ['more lost than acknowledged', { verdict: 'lost', lost: 101 }, /101 lost of 100 acknowledged/],
    ['losses called kept', { lost: 1 }, /kept with 1 lost/],
    [
      'wrong bytes called inconclusive',
      { verdict: 'inconclusive', wrong: 1 },
      /inconclusive with 0 lost and 1 wrong/,
    ],
    ['a loss without one', { verdict: 'lost' }, /lost with 0 lost/],
    ['attempts that do not add up', { attempts: 111 }, /attempts do not add up/],
    ['negative counts', { acknowledged: -1 }, /acknowledged/],
    ['fractions', { acknowledged: 99.5 }, /acknowledged/],
    ['numbers beyond 2^53', { acknowledged: 2 ** 60 }, /acknowledged/],
    ['text for a number', { lost: '0' }, /lost/],
    ['a missing number', { lost: undefined }, /lost/],
    [
      'kept without its positive control',
      { positive_controls: [{ name: 'refusal-seen', happened: false, detail: '' }] },
      /refusal-seen did not happen/,
    ],
    ['kept without any positive control', { positive_controls: [] }, /without a positive control/],
    ['unsupported with attempts', { verdict: 'unsupported' }, /unsupported with 110 attempts/],
    ['kept with nothing acknowledged', { acknowledged: 0, attempts: 10 }, /without anything acknowledged/],
    ['a case that was not asked for', { name: 'gap=none' }, /race is not answered/],
    ['a case name that is a path', { name: '../../etc' }, /name/],
    ['an unknown verdict', { verdict: 'fine' }, /verdict/],
    [
      'more overlaps than removals',
      { removal: { ...(probeCase()['removal'] as object), overlapped: 11 } },
      /overlapped/,
    ],
  ])('is garbage with %s', (_, changes, reason) => {
    expect(reasonFor(output(changes as Record<string, unknown>))).toMatch(reason);
  });

  it('is garbage when totals or the verdict disagree with the cases', () => {
    expect(
      reasonFor(
        output({}, { totals: { attempts: 1, acknowledged: 1, refused: 0, failed: 0, lost: 0, wrong: 0 } }),
      ),
    ).toMatch(/totals.attempts/);
    expect(reasonFor(output({}, { verdict: 'refused' }))).toMatch(/gravest case is kept/);
  });

  it('is garbage when a case is missing or there twice', () => {
    const asked: Asked = { probe: 'mmap', seed: 1, cases: ['dirty-before', 'store-after'], unit: 'store' };
    const one = probeCase({ name: 'dirty-before' });
    const text = (cases: Record<string, unknown>[]): string =>
      jsonLines(probeStart('mmap', 1), probeResult('mmap', 1, cases));
    expect(reasonFor(text([one]), asked)).toMatch(/store-after is not answered/);
    expect(reasonFor(text([one, one]), asked)).toMatch(/twice/);
  });

  it('counts removals that took the key and failed all the same', () => {
    const asked: Asked = { probe: 'parked', seed: 1, cases: ['write'], unit: 'write' };
    const lost = probeCase({
      name: 'write',
      verdict: 'lost',
      reason: 'x',
      attempts: 5,
      acknowledged: 5,
      refused: 0,
      lost: 5,
      removal: { ...(probeCase()['removal'] as object), count: 0, failed: 5, refused_seen: 5, overlapped: 0 },
    });
    const text = jsonLines(probeStart('parked', 1), probeResult('parked', 1, [lost]));
    expect(parseProbeOutput(text, asked)).toMatchObject({ kind: 'result' });
  });

  it('is one verdict for all attempts, but for races', () => {
    const asked: Asked = { probe: 'parked', seed: 1, cases: ['write'], unit: 'write' };
    const text = (changes: Record<string, unknown>): string =>
      jsonLines(
        probeStart('parked', 1),
        probeResult('parked', 1, [probeCase({ name: 'write', attempts: 5, refused: 0, ...changes })]),
      );
    expect(reasonFor(text({ acknowledged: 1, failed: 4 }), asked)).toMatch(/only 1 of 5 attempts were ack/);
    expect(reasonFor(text({ acknowledged: 4, refused: 1 }), asked)).toMatch(/only 4 of 5/);
    expect(reasonFor(text({ verdict: 'refused', acknowledged: 0, refused: 4, failed: 1 }), asked)).toMatch(
      /refused, but only 4 of 5/,
    );
    expect(parseProbeOutput(text({ acknowledged: 5 }), asked).kind).toBe('result');
  });

  it('may lose files that nobody could read: of reads, losses are bounded by attempts', () => {
    const asked: Asked = { probe: 'read-after', seed: 1, cases: ['cached'], unit: 'read' };
    const lost = probeCase({
      name: 'cached',
      verdict: 'lost',
      reason: 'x',
      attempts: 5,
      acknowledged: 0,
      refused: 5,
      lost: 5,
    });
    expect(
      parseProbeOutput(jsonLines(probeStart('read-after', 1), probeResult('read-after', 1, [lost])), asked)
        .kind,
    ).toBe('result');
  });
});

describe('a reading', () => {
  const reading = (changes: Record<string, unknown>) => {
    const parsed = parseProbeOutput(output(changes), RACE);
    if (parsed.kind !== 'result') throw new Error(parsed.kind === 'garbage' ? parsed.reason : 'error');
    return readResult(parsed.result);
  };

  it('is a failure when something acknowledged is lost, whatever the controls say', () => {
    const lost = reading({
      verdict: 'lost',
      reason: '3 of 100',
      lost: 3,
      positive_controls: [{ name: 'refusal-seen', happened: false, detail: '' }],
    });
    expect(lost).toMatchObject({
      outcome: 'fail',
      cases: { race: 'lost' },
      counts: { lost: 3, acknowledged: 100 },
    });
  });

  it('is a failure when bytes come back wrong', () => {
    expect(reading({ verdict: 'lost', reason: 'x', wrong: 1 }).outcome).toBe('fail');
  });

  it('is inconclusive, not a pass, when the positive control did not happen', () => {
    const seen = reading({ verdict: 'inconclusive', reason: 'no overlap' });
    expect(seen).toMatchObject({ outcome: 'inconclusive', summary: 'no overlap' });
  });

  it('keeps errnos, removals and cases', () => {
    expect(reading({})).toMatchObject({
      outcome: 'pass',
      errnos: { open: { ENOKEY: 10 } },
      removal: {
        count: 10,
        overlapped: 4,
        latencyUs: { median: 300, p99: 900, max: 950 },
        statusFlags: { NONE: 6, FILES_BUSY: 4 },
      },
      cases: { race: 'kept' },
    });
  });

  it('has no __proto__ among its errnos', () => {
    const seen = reading({ errno: JSON.parse('{"open":{"__proto__":1,"EIO":1}}') as unknown });
    expect(Object.keys(seen.errnos?.['open'] ?? {})).toEqual(['EIO']);
    expect(Object.getPrototypeOf(seen.errnos?.['open'])).toBe(Object.prototype);
  });

  it('passes over what the file system cannot be asked, unless that is everything', () => {
    const none = { attempts: 0, acknowledged: 0, refused: 0, verdict: 'unsupported', positive_controls: [] };
    const asked: Asked = { probe: 'paths', seed: 1, cases: ['clone', 'truncate'], unit: 'write' };
    const read = (...cases: Record<string, unknown>[]) => {
      const parsed = parseProbeOutput(
        jsonLines(probeStart('paths', 1), probeResult('paths', 1, cases)),
        asked,
      );
      if (parsed.kind !== 'result') throw new Error(JSON.stringify(parsed));
      return readResult(parsed.result);
    };
    const clone = probeCase({ ...none, name: 'clone', reason: 'EOPNOTSUPP' });
    expect(read(clone, probeCase({ name: 'truncate', attempts: 100, refused: 0 }))).toMatchObject({
      outcome: 'pass',
      summary: 'clone unsupported, truncate kept 100/100',
      cases: { clone: 'unsupported', truncate: 'kept' },
    });
    expect(read(clone, probeCase({ ...none, name: 'truncate' }))).toMatchObject({ outcome: 'notrun' });
  });

  it('has no control characters from the guest', () => {
    expect(reading({ verdict: 'inconclusive', reason: 'a\u001b[2Jb\nc' }).summary).toBe('ab c');
  });
});

describe('a probe that could not run', () => {
  const error = (errno: string | null) => {
    const parsed = parseProbeOutput(
      jsonLines({
        type: 'error',
        schema: 1,
        probe: 'race-append',
        phase: 'setup',
        subject: 'd',
        observed: 'o',
        expected: null,
        next: null,
        errno,
      }),
      RACE,
    );
    if (parsed.kind !== 'error') throw new Error(parsed.kind);
    return readError(parsed.error);
  };

  it('is notrun where the kernel has no encryption, else the machinery failed', () => {
    expect(error('EOPNOTSUPP').outcome).toBe('notrun');
    expect(error('ENODEV').outcome).toBe('notrun');
    expect(error('EIO').outcome).toBe('infra');
    expect(error(null).outcome).toBe('infra');
  });
});

describe('a probe that did not end by itself', () => {
  it.each([
    ['deadline', true],
    ['signal', false],
  ])('by %s: stuck is %s', (reason, stuck) => {
    const parsed = parseProbeOutput(
      jsonLines(start, probeResult('race-append', 1, [], { verdict: 'error', reason, phase: 'remove-key' })),
      RACE,
    );
    if (parsed.kind !== 'result') throw new Error(parsed.kind);
    expect(errorOf(parsed.result)).toEqual({
      stuck,
      reason: `the probe ended early: ${reason} in phase remove-key`,
    });
  });
});

describe('parseProgress', () => {
  it('reads progress and nothing else', () => {
    const line = {
      type: 'progress',
      schema: 1,
      probe: 'race-append',
      phase: 'race',
      elapsed_ms: 1,
      attempts: 2,
      acknowledged: 1,
      removals: 3,
    };
    expect(parseProgress(JSON.stringify(line))).toMatchObject({ acknowledged: 1, removals: 3 });
    expect(parseProgress(JSON.stringify(start))).toBeUndefined();
    expect(parseProgress('{"progress"')).toBeUndefined();
  });
});
