// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { parseFigures } from '../../../bench/xfs-io.js';

const REPORT = '8388608,2048,0:00:00.02,400000000.000,100000.000';
const before = '1 0 16 0 2 0 32 0 0 0 0 0 0 0 0 0 0';
const after = '9 0 116 0 9 0 16416 0 0 0 0 0 0 0 0 0 0';

describe('parseFigures', () => {
  it('reads the time of a call and what the device moved', () => {
    expect(parseFigures(`append ${REPORT} ${before} ${after}\n`).get('append')).toEqual({
      nsPerCall: 10_000,
      bytes: 8388608,
      calls: 2048,
      deviceRead: 100 * 512,
      deviceWritten: 16384 * 512,
    });
  });

  it.each([
    ['an error of xfs_io', `append pwrite: No space left on device ${before} ${after}`],
    ['no report', `append ${before} ${after}`],
    ['no counters', `append ${REPORT}`],
    ['a report of nothing', `append 0,0,0:00:00.00,-nan,-nan ${before} ${after}`],
    ['a name that was there before', `a ${REPORT} ${before} ${after}\na ${REPORT} ${before} ${after}`],
  ])('refuses %s', (_, text) => {
    expect(() => parseFigures(text)).toThrow('not a line of measure');
  });
});
