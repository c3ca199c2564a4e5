// SPDX-License-Identifier: GPL-2.0-only
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { runTree } from '../../helpers/fstests-run.js';
import { tempDir } from '../../helpers/temp.js';

const REPORT = 'unreferenced object 0xffff888004a3b000 (size 1024):\n  comm "xfs_io", pid 321\n';

describe('memory that a test leaked', () => {
  it('makes it fail, with the report kept', async () => {
    const { reading, filesDir } = await runTree(tempDir(), 'honest', { leaked: () => REPORT });
    expect(reading).toMatchObject({ outcome: 'fail', summary: 'memory leak, see kmemleak.txt' });
    expect(readFileSync(path.join(filesDir, 'kmemleak.txt'), 'utf8')).toBe(REPORT);
  });

  it('stands before what else went wrong', async () => {
    const { reading } = await runTree(tempDir(), 'ansi', { leaked: () => REPORT });
    expect(reading?.summary).toMatch(/^memory leak, see kmemleak.txt; ./);
  });

  it('is not there when the detector says nothing', async () => {
    let scans = 0;
    const { reading, filesDir } = await runTree(tempDir(), 'honest', { leaked: () => (scans++, '') });
    expect(reading).toMatchObject({ outcome: 'pass', summary: 'pass, 3 s' });
    expect(scans).toBe(1);
    expect(existsSync(path.join(filesDir, 'kmemleak.txt'))).toBe(false);
  });

  it('is not looked for after a test that did not run', async () => {
    let scans = 0;
    const { reading } = await runTree(tempDir(), 'notrun', { leaked: () => (scans++, REPORT) });
    expect(reading?.outcome).toBe('notrun');
    expect(scans).toBe(0);
  });
});
