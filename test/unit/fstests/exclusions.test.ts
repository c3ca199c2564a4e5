// SPDX-License-Identifier: GPL-2.0-only
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { applyExclusions, parseExclusions, readExclusions } from '../../../src/fstests/exclusions.js';
import { limitOf, readLimits } from '../../../src/fstests/limits.js';
import { tempDir } from '../../helpers/temp.js';

describe('exclusion files', () => {
  it('takes a test and its reason from each line', () => {
    expect(
      parseExclusions(
        '# why\n\ngeneric/368  # needs wrapped keys\ngeneric/595 [hard] # later\n',
        'known.txt',
      ),
    ).toEqual([
      { test: 'generic/368', reason: 'needs wrapped keys', from: 'known.txt:3' },
      { test: 'generic/595 [hard]', reason: 'later', from: 'known.txt:4' },
    ]);
  });

  it.each([
    ['generic/368\n', /x:1: generic\/368 is excluded without a reason/],
    ['generic/368 #  \n', /without a reason/],
    ['\nnot a test # because\n', /x:2: "not a test" is not the name of a test/],
  ])('refuses %j', (text, message) => {
    expect(() => parseExclusions(text, 'x')).toThrow(message);
  });

  it('keeps what was left out together with its reason', () => {
    const exclusions = parseExclusions('generic/368 # hardware\n', 'f');
    expect(applyExclusions(['generic/595', 'generic/368'], exclusions)).toEqual({
      run: ['generic/595'],
      excluded: exclusions,
    });
  });

  it('names a file that is not there', async () => {
    await expect(readExclusions(['/nowhere/known.txt'])).rejects.toThrow(
      /\/nowhere\/known.txt: cannot be read/,
    );
  });
});

describe('limits', () => {
  it('reads the shipped file and scales a limit by accelerator and TIME_FACTOR', async () => {
    const limits = await readLimits(
      path.resolve(import.meta.dirname, '../../../fstests-overrides/limits.yaml'),
    );
    expect(limitOf(limits, 'generic/595', 1, 1)).toBe(limits.default * 1000);
    expect(limitOf(limits, 'generic/399', 10, 2)).toBe((limits.tests['generic/399'] ?? 0) * 20_000);
    expect(limits.tests['generic/399']).toBeGreaterThan(limits.default);
  });

  it.each([
    ['default: 0\ntests: {}\n', /default/],
    ['default: 5\n', /tests/],
    ['default: 5\ntests: { generic/001: soon }\n', /tests\.generic\/001/],
    ['default: [\n', /cannot be read/],
    ['default: 5\ntests: {}\nmore: 1\n', /more/],
  ])('names file and field of %j', async (text, message) => {
    const file = path.join(tempDir(), 'limits.yaml');
    await writeFile(file, text);
    const error = await readLimits(file).catch((thrown: unknown) => thrown as Error);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain(file);
  });
});
