// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { readPort } from '../../../src/fstests/port-output.js';
import { portLine as line } from '../../helpers/port-line.js';

describe('what the port says', () => {
  it('passes when both phases kept everything', () => {
    expect(readPort(line(), 0)).toEqual({
      outcome: 'pass',
      summary: 'pass, 1000 appends kept, 20 removals',
      cases: { 'single-threaded': 'kept', 'multi-threaded': 'kept' },
      counts: { attempts: 1050, acknowledged: 1000, lost: 0, wrong: 0 },
      perCase: [
        {
          name: 'multi-threaded',
          verdict: 'kept',
          counts: { attempts: 1050, acknowledged: 1000, lost: 0, wrong: 0, refused: 50, failed: 0 },
          errnos: { open: { ENOKEY: 50 } },
          observations: { bytes_expected: 1000, bytes_found: 1000 },
        },
      ],
      errnos: { open: { ENOKEY: 50 } },
    });
  });

  it('names the phase that failed and counts what was lost', () => {
    const reading = readPort(
      line({ found: 990 }, { 'multi-threaded': ['lost', 'the file has 990 bytes'] }),
      1,
    );
    expect(reading).toMatchObject({
      outcome: 'fail',
      counts: { acknowledged: 1000, lost: 10 },
      cases: { 'single-threaded': 'kept', 'multi-threaded': 'lost' },
    });
    expect(reading.summary).toBe('multi-threaded: lost (the file has 990 bytes)');
  });

  it('takes an append for lost when its byte is missing, and when it is there and wrong', () => {
    const counts = (changes: object) =>
      readPort(line(changes, { 'multi-threaded': ['wrong', 'byte 3 is 0x00'] }), 1).counts;
    expect(counts({ wrong_bytes: 7 })).toMatchObject({ acknowledged: 1000, lost: 7, wrong: 7 });
    // As measured of sync: 27141 missing and 152 wrong of 41017.
    expect(counts({ appended: 41017, found: 13876, wrong_bytes: 152 })).toMatchObject({
      acknowledged: 41017,
      lost: 27293,
      wrong: 152,
    });
    expect(counts({ found: 400, wrong_bytes: 400 })).toMatchObject({ lost: 1000, wrong: 400 });
  });

  it.each([
    ['that nobody could open', { found: -1 }, 'ENOKEY'],
    ['that could not be read to its end', { found: 4096 }, 'EIO'],
    ['with more bytes than appends succeeded', { found: 1003 }, 'wrong'],
    ['with more bytes, some of them wrong', { found: 1003, wrong_bytes: 5 }, 'wrong'],
  ])('counts nothing of a file %s', (_what, changes, verdict) => {
    const reading = readPort(line(changes, { 'multi-threaded': [verdict] }), 1);
    expect(reading.outcome).toBe('fail');
    expect(reading.cases['multi-threaded']).toBe(verdict);
    expect(reading).not.toHaveProperty('counts');
    expect(reading).not.toHaveProperty('perCase');
  });

  it('is inconclusive when the race met no removed key, or nothing went through', () => {
    expect(readPort(line({ refused: 0, errno: { open: {}, write: {} } }), 5).outcome).toBe('inconclusive');
    expect(readPort(line({ appended: 0, found: 0 }), 5).outcome).toBe('inconclusive');
    expect(readPort(line({ appended: 0, found: 0 }), 0).outcome).toBe('infra');
  });

  it('passes a notrun on with its reason', () => {
    expect(readPort(line({ type: 'notrun', reason: 'no encryption here' }), 4)).toMatchObject({
      outcome: 'notrun',
      summary: 'notrun: no encryption here',
    });
  });

  it.each([
    ['a pass with exit 1', line(), 1],
    ['a pass without an exit status', line(), undefined],
    ['a failure with exit 0', line({}, { 'single-threaded': ['lost'] }), 0],
    ['a notrun with exit 0', line({ type: 'notrun' }), 0],
    ['two lines', line() + line(), 0],
    ['nothing', '', 0],
    ['garbage', '\u0000\u0001', 0],
    ['kept with bytes missing', line({ found: 999 }), 0],
    ['kept with wrong bytes', line({ wrong_bytes: 1 }), 0],
    ['more wrong bytes than bytes', line({ found: 9, wrong_bytes: 10 }, { 'multi-threaded': ['wrong'] }), 1],
    ['a cut-off line', line().slice(0, 80), 0],
    ['negative counts', line({ appended: -5 }), 0],
    ['a verdict with escapes', line({}, { 'single-threaded': ['\u001b[31m'] }), 1],
    ['an error', line({ type: 'error', reason: 'mkdir: EEXIST' }), 3],
  ])('takes %s for a fault of the machinery', (_what, stdout, exit) => {
    expect(readPort(stdout, exit).outcome).toBe('infra');
  });
});
