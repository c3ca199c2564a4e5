// SPDX-License-Identifier: GPL-2.0-only
import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { ConsoleTail, splitStamp, stripControls, untangle } from '../../../src/guest/console-lines.js';
import { tempDir } from '../../helpers/temp.js';

describe('stripControls', () => {
  it.each([
    ['colours and cursor moves', '\x1b[1;31mred\x1b[0m\x1b[2J', 'red'],
    ['window titles', 'a\x1b]0;evil\x07b\x1b]0;evil\x1b\\c', 'abc'],
    ['C1 controls', 'a\u009b31mb', 'a31mb'],
    ['carriage returns, bells, backspaces', 'a\r\x07b\x08', 'ab'],
    ['direction overrides', 'a\u202eb', 'ab'],
    ['nothing of plain text', '\tüß €', '\tüß €'],
  ])('removes %s', (_what, text, plain) => expect(stripControls(text)).toBe(plain));
});

describe('lines of a console', () => {
  it('tells the kernel by its timestamp, with or without a caller', () => {
    expect(splitStamp('[    1.234567] text')).toEqual({ stamped: true, text: 'text' });
    expect(splitStamp('[  123.234567][  T12] text')).toEqual({ stamped: true, text: 'text' });
    expect(splitStamp('[  123.234567][    C1]  text')).toEqual({ stamped: true, text: ' text' });
    expect(splitStamp('text [1.2]')).toEqual({ stamped: false, text: 'text [1.2]' });
  });

  it('breaks a line where a message of the kernel starts in its middle', () => {
    expect(untangle('login: [    3.000001] BUG: a[    3.000002] b')).toEqual([
      'login: ',
      '[    3.000001] BUG: a',
      '[    3.000002] b',
    ]);
  });

  it('gives whole lines only, however the file grows, and characters that were torn', async () => {
    const file = path.join(tempDir('console'), 'console.log');
    const tail = new ConsoleTail(file);
    expect(await tail.read()).toEqual([]);
    const euro = Buffer.from('a €\r\nb');
    writeFileSync(file, euro.subarray(0, 3));
    expect(await tail.read()).toEqual([]);
    appendFileSync(file, euro.subarray(3));
    expect(await tail.read()).toEqual(['a €']);
    expect(tail.offset).toBe(euro.length);
    expect(tail.flush()).toEqual(['b']);
    expect(tail.flush()).toEqual([]);
  });

  it('cuts a line without an end instead of holding it all', async () => {
    const file = path.join(tempDir('console'), 'console.log');
    writeFileSync(file, 'x'.repeat(1_000_000));
    const lines = await new ConsoleTail(file).read();
    expect(lines.length).toBeGreaterThan(0);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(4096);
  });
});
