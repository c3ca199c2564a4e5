// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { isRelease, parseMakefile, parseVersion } from '../../../src/tree/makefile.js';

const makefile = (extra: string, sublevel = '4'): string =>
  `# SPDX\nVERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = ${sublevel}\nEXTRAVERSION =${extra}\nNAME = X\n`;

describe("a kernel's Makefile", () => {
  it.each([
    ['', '7.3.4'],
    [' -rc2', '7.3.4-rc2'],
  ])('with EXTRAVERSION%j is %s', (extra, text) => {
    expect(parseMakefile(makefile(extra))?.text).toBe(text);
    expect(parseVersion(text)).toEqual(parseMakefile(makefile(extra)));
  });

  it.each(['', 'all:\n\ttrue\n', 'VERSION = 1.2\nPATCHLEVEL = 3\nEXTRAVERSION =\n', 'VERSION = 7\n'])(
    'is not %j',
    (text) => {
      expect(parseMakefile(text)).toBeUndefined();
    },
  );

  it.each([
    ['7.3.0', '7.3', true],
    ['7.3.4', '7.3', true],
    ['7.3.4-custom', '7.3', true],
    ['7.3.0-rc1', '7.3', false],
    ['7.30.0', '7.3', false],
    ['8.3.0', '7.3', false],
    ['7.3.4', '7.3.4', true],
    ['7.3.5', '7.3.4', false],
  ])('%s for base %s: %s', (found, wanted, answer) => {
    const version = parseVersion(found);
    expect(version && isRelease(version, wanted)).toBe(answer);
  });
});
