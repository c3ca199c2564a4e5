// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { parseDisk } from '../../../src/guest/launch.js';

describe('parseDisk', () => {
  it.each([
    ['a=512', 512],
    ['scratch=1K', 1024],
    ['scratch=16M', 16 * 1024 ** 2],
    ['s.c-r_1=4G', 4 * 1024 ** 3],
    ['a=1T', 1024 ** 4],
  ])('reads %s', (text, sizeBytes) =>
    expect(parseDisk(text)).toEqual({ name: text.split('=')[0], sizeBytes }),
  );

  it.each([
    '',
    'a',
    'a=',
    'a=0',
    'a=-1',
    'a=1.5G',
    'a=100',
    '=1G',
    'a b=1G',
    'a,b=1G',
    `${'x'.repeat(21)}=1G`,
    'a=1Q',
    'a=99999999999T',
  ])('refuses %j', (text) => expect(() => parseDisk(text)).toThrow(/NAME=SIZE/));
});
