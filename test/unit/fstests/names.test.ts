// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { UserError } from '../../../src/core/errors.js';
import {
  fileNameOf,
  formatTestName,
  isFstestsName,
  parseTestName,
  requireTestName,
  runsOn,
} from '../../../src/fstests/names.js';

describe('names of fstests tests', () => {
  it.each([
    ['generic/595', { id: 'generic/595', port: false }],
    ['generic/595 [hard]', { id: 'generic/595', port: false, override: 'hard' }],
    ['generic/595 (port)', { id: 'generic/595', port: true }],
    ['ext4/024', { id: 'ext4/024', port: false }],
  ])('reads and writes %s', (text, parsed) => {
    expect(parseTestName(text)).toEqual(parsed);
    expect(formatTestName(requireTestName(text))).toBe(text);
  });

  it.each([
    'probe/open-fd',
    'generic',
    'generic/',
    'generic/59',
    '../595',
    'generic/595 [..]',
    'generic/595 [a b]',
    'generic/595 (port) ',
    '',
  ])('takes %j for something else', (text) => {
    expect(isFstestsName(text)).toBe(false);
    expect(() => requireTestName(text)).toThrow(UserError);
  });

  it('refuses a port that does not exist', () => {
    expect(() => requireTestName('generic/397 (port)')).toThrow(/no port/);
  });

  it('gives each of the three its own file name', () => {
    const names = ['generic/595', 'generic/595 [hard]', 'generic/595 (port)'].map((name) =>
      fileNameOf(requireTestName(name)),
    );
    expect(names).toEqual(['generic-595', 'generic-595-hard', 'generic-595-port']);
  });

  it('keeps tests of one file system off the others', () => {
    expect(runsOn('ext4/024', 'ext4')).toBe(true);
    expect(runsOn('ext4/024', 'f2fs')).toBe(false);
    expect(runsOn('generic/595 [hard]', 'btrfs')).toBe(true);
    expect(runsOn('probe/open-fd', 'btrfs')).toBe(true);
  });
});
