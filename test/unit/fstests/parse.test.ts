// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { BoundedLog } from '../../../src/fstests/keep.js';
import { CheckParser, parseCheck } from '../../../src/fstests/parse.js';
import { cleanLine, oneLine } from '../../../src/fstests/text.js';

describe('parsing check', () => {
  it('takes the time after the dots, not that of an earlier run', () => {
    const line = parseCheck('generic/595  31s ...  28s\n').tests.get('generic/595');
    expect(line).toMatchObject({ status: 'pass', seconds: 28 });
  });

  it('leaves a line that was never finished unknown', () => {
    expect(parseCheck('generic/595  31s ... ').tests.get('generic/595')?.status).toBe('unknown');
    expect(parseCheck('generic/595       ').tests.get('generic/595')?.status).toBe('unknown');
    expect(parseCheck('generic/595').tests.get('generic/595')?.status).toBe('unknown');
  });

  it('reads through colours and carriage returns', () => {
    const text =
      '\u001b[1mgeneric/595\u001b[0m        \u001b[32m28s\u001b[0m\r\nRan: generic/595\r\n\u001b]0;title\u0007Passed all 1 tests\r\n';
    const output = parseCheck(text);
    expect(output.tests.get('generic/595')?.status).toBe('pass');
    expect(output.passedAll).toBe(1);
    expect(output.ran).toEqual(['generic/595']);
  });

  it('takes nothing that is indented for a summary', () => {
    const output = parseCheck(
      'generic/595 - output mismatch (see x)\n    +Passed all 1 tests\n    +Ran: generic/595\nFailures: generic/595\nFailed 1 of 1 tests\n',
    );
    expect(output.passedAll).toBeUndefined();
    expect(output.ran).toEqual([]);
    expect(output.failed).toEqual({ bad: 1, of: 1 });
  });

  it('reads timestamps and sections', () => {
    const output = parseCheck('SECTION       -- a\ngeneric/595 [00:10:11] [00:10:40] 28s\n');
    expect(output.header['SECTION']).toBe('a');
    expect(output.tests.get('generic/595')?.status).toBe('pass');
  });

  it('takes no path or word for a test', () => {
    const output = parseCheck('../../etc/123 28s\n/etc/123 28s\nGeneric/595 28s\ngeneric/5955555 28s\n');
    expect(output.tests.size).toBe(0);
  });

  it('stays small whatever comes', () => {
    const parser = new CheckParser();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 300_000; n++)
      parser.push(`generic/${String(n % 100_000).padStart(3, '0')} - output mismatch`);
    for (let n = 0; n < 300_000; n++) parser.push(`    +${'x'.repeat(500)}`);
    parser.push('y'.repeat(10_000_000));
    const output = parser.end();
    expect(output.tests.size).toBeLessThanOrEqual(5000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 1024 * 1024);
  });
});

describe('text of a guest', () => {
  it('has no control characters left', () => {
    expect(cleanLine('a\u001b[2Jb\u0007\u0000c\u009b1md\tE\u001b]8;;http://x\u001b\\link')).toBe(
      'abc1md\tElink',
    );
    expect(cleanLine('x'.repeat(10_000))).toHaveLength(4096);
    expect(oneLine('a\nb\n\nc')).toBe('a b c');
    expect(oneLine('x'.repeat(500))).toHaveLength(200);
  });
});

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
