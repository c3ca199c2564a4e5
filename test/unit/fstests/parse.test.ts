// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { CheckParser, parseCheck } from '../../../src/fstests/parse.js';

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
