// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { PortDriver } from '../../../src/fstests/port-driver.js';
import type { ExecResult, Guest } from '../../../src/guest/types.js';
import type { Reading } from '../../../src/probe/types.js';
import { cellContext, runTree } from '../../helpers/fstests-run.js';
import { portLine } from '../../helpers/port-line.js';
import { tempDir } from '../../helpers/temp.js';

/** The folder of a test whose results come as an archive that must not be unpacked. */
function withBadArchive(): string {
  const dir = tempDir();
  const results = path.join(dir, 'guest-work', 'generic-595.0');
  mkdirSync(results, { recursive: true });
  writeFileSync(path.join(dir, 'evil'), 'evil');
  const archive = path.join(results, 'answer-with.tar');
  execFileSync('tar', ['-c', '-f', archive, '-C', dir, '--transform', 's,evil,../../escaped,', 'evil']);
  return dir;
}

describe('work after a test of fstests that fails', () => {
  it('leaves a failure as it is when the files do not come back', async () => {
    const { reading } = await runTree(withBadArchive(), 'ansi');
    expect(reading?.outcome).toBe('fail');
    expect(reading?.summary).toMatch(/output mismatch; the result files could not be brought back: ./);
  });

  it('leaves a notrun as it is, too', async () => {
    const { reading } = await runTree(withBadArchive(), 'notrun');
    expect(reading?.outcome).toBe('notrun');
    expect(reading?.summary).toMatch(/^notrun: .*; the result files could not be brought back: ./);
  });

  it('takes the proof of a pass', async () => {
    const { reading } = await runTree(withBadArchive(), 'honest');
    expect(reading).toMatchObject({
      outcome: 'infra',
      summary: expect.stringMatching(/^the result files could not be brought back: /) as string,
    });
  });

  it('is the search for leaks, which takes only that of a pass', async () => {
    const failed = await runTree(tempDir(), 'ansi', { leaked: () => ({ exitCode: 1 }) });
    expect(failed.reading?.outcome).toBe('fail');
    expect(failed.reading?.summary).toMatch(/; kmemleak: exit 1$/);
    const passed = await runTree(tempDir(), 'honest', { leaked: () => ({ exitCode: 1 }) });
    expect(passed.reading).toEqual({ outcome: 'infra', summary: 'kmemleak: exit 1', cases: {} });
  });
});

/** What the port prints of a race in which `found` of 1000 appends were in the file. */
const raceOf = (found: number): string =>
  portLine({ found }, { 'multi-threaded': [found === 1000 ? 'kept' : 'lost'] });

/** The port of generic/595 in a guest whose check of the file system ends as told. */
async function runPort(found: number, fsck: Partial<ExecResult>): Promise<Reading | undefined> {
  const filesDir = tempDir('port');
  const answer = (exec: Partial<ExecResult>) => ({
    ...{ marks: [], reports: [], consoleFrom: 0, consoleTo: 0 },
    exec: { exitCode: 0, signal: undefined, stdout: '', stderr: '', timedOut: false, durationMs: 1, ...exec },
  });
  const guest = {
    spec: { accelerator: { timeScale: 1 } },
    console: path.join(filesDir, 'none'),
    exec: async (argv: readonly string[]) => {
      if (argv.includes('--fstype'))
        return answer({ exitCode: found === 1000 ? 0 : 1, stdout: raceOf(found) });
      return answer(argv.some((word) => /e2fsck/.test(word)) ? fsck : {});
    },
  } as unknown as Guest;
  const binary = { key: '', dir: '', file: '' };
  const driver = new PortDriver({ binary, limits: { default: 1, tests: {} }, timeFactor: 1, shipped: '' });
  const { reading } = await driver.run(guest, cellContext('generic/595 (port)', filesDir));
  return reading;
}

describe('a check after the port of generic/595 that was killed', () => {
  const killed = { exitCode: undefined, signal: 'KILL' };

  it('leaves a loss as it is', async () => {
    expect(await runPort(990, killed)).toMatchObject({
      outcome: 'fail',
      summary: 'multi-threaded: lost; fsck of ext4: KILL',
      counts: { lost: 10 },
    });
  });

  it('takes the proof of a pass', async () => {
    expect(await runPort(1000, {})).toMatchObject({ outcome: 'pass' });
    expect(await runPort(1000, killed)).toEqual({
      outcome: 'infra',
      summary: 'fsck of ext4: KILL',
      cases: {},
    });
  });
});
