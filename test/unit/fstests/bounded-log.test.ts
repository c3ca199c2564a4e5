// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { BoundedLog } from '../../../src/fstests/bounded-log.js';

describe('the kept part of a long output', () => {
  it('is all of a short one', () => {
    const log = new BoundedLog(100, 100);
    log.push('one');
    log.push('two');
    expect(log.toString()).toBe('one\ntwo\n');
  });

  it('is beginning and end of a long one, and says how much is missing', () => {
    const log = new BoundedLog(100, 100);
    for (let n = 0; n < 10_000; n++) log.push(`line ${n}`);
    const text = log.toString();
    expect(text).toMatch(/^line 0\n/);
    expect(text).toMatch(/line 9999\n$/);
    expect(text.length).toBeLessThan(300);
    const left = Number(/\[enokey: (\d+) lines left out\]/.exec(text)?.[1]);
    expect(left + text.split('\n').length - 2).toBe(10_000);
  });
});
