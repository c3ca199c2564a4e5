// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { FstestsDriver } from '../../src/fstests/driver.js';
import { readLimits } from '../../src/fstests/limits.js';
import { ensurePortBinary } from '../../src/fstests/port-binary.js';
import { PortDriver } from '../../src/fstests/port-driver.js';
import type { CellReading, TestDriver } from '../../src/run/driver.js';
import type { Guest } from '../../src/guest/types.js';
import { cellContext, treeBuild, TREES } from '../helpers/fstests-run.js';
import { tempDir } from '../helpers/temp.js';
import { enokey } from './support/cli.js';
import { e2eContext, e2eGuest, REPOSITORY } from './support/guest.js';

/** A checkout or URL of fstests; nothing of it is in this repository. */
const FSTESTS = process.env['ENOKEY_FSTESTS'];
const NEEDS = FSTESTS === undefined ? ' (skipped: ENOKEY_FSTESTS names no fstests checkout)' : '';

interface Journal {
  readonly results: readonly {
    test: string;
    filesystem: string;
    outcome: string;
    detail?: string;
    guest: string;
  }[];
}

function runCell(
  driver: TestDriver,
  guest: Guest,
  filesystem: string,
  test: string,
  filesDir: string,
): Promise<CellReading> {
  mkdirSync(filesDir, { recursive: true });
  return driver.run(guest, {
    ...cellContext(test, filesDir, filesystem),
    timeScale: guest.spec.accelerator.timeScale,
    signal: e2eContext().signal,
  });
}

const limitsFile = path.join(REPOSITORY, 'fstests-overrides/limits.yaml');

describe('the port of generic/595', () => {
  it('passes on ext4 and f2fs, and is notrun where the kernel has no encryption', async () => {
    const context = e2eContext();
    const driver = new PortDriver({
      binary: await ensurePortBinary(context),
      limits: await readLimits(limitsFile),
      timeFactor: 1,
      shipped: REPOSITORY,
    });
    const guest = await e2eGuest({ disks: driver.disks });
    const dir = tempDir('port');
    for (const filesystem of ['ext4', 'f2fs']) {
      await driver.prepare(guest, filesystem);
      const { reading, incident } = await runCell(
        driver,
        guest,
        filesystem,
        'generic/595 (port)',
        path.join(dir, filesystem),
      );
      expect(incident.outcome).toBeUndefined();
      expect(reading, JSON.stringify(reading)).toMatchObject({
        outcome: 'pass',
        cases: { 'single-threaded': 'kept', 'multi-threaded': 'kept' },
      });
      expect(reading?.counts?.acknowledged).toBeGreaterThan(100);
      expect(reading?.errnos?.['open']?.['ENOKEY']).toBeGreaterThan(0);
    }
    await driver.prepare(guest, 'btrfs');
    const { reading } = await runCell(driver, guest, 'btrfs', 'generic/595 (port)', path.join(dir, 'btrfs'));
    expect(reading).toMatchObject({
      outcome: 'notrun',
      summary: expect.stringMatching(/does not support/) as string,
    });
  });
});

/** The driver of a tree below test/fixtures/fstests/trees, packed as a built fstests is. */
async function treeDriver(tree: string): Promise<FstestsDriver> {
  const dir = tempDir(`${tree} tree`);
  const built = path.join(dir, 'built.tar');
  const disk = path.join(dir, 'fstests.ext4');
  execFileSync('tar', ['-cf', built, '-C', path.join(TREES, tree), '.']);
  execFileSync('bash', [
    path.join(REPOSITORY, 'vm/fstests/pack.sh'),
    built,
    path.join(REPOSITORY, 'fstests-overrides'),
    disk,
  ]);
  return new FstestsDriver({
    build: treeBuild(tree, disk),
    limits: await readLimits(limitsFile),
    timeFactor: 1,
    manifestFile: path.join(REPOSITORY, 'fstests-overrides/common/overrides.yaml'),
  });
}

/** generic/595 of such a tree in a guest of its own. */
async function runTree(tree: string) {
  const driver = await treeDriver(tree);
  const guest = await e2eGuest({ disks: driver.disks });
  await driver.prepare(guest, 'ext4');
  const filesDir = path.join(tempDir(tree), 'cell');
  return { guest, filesDir, ...(await runCell(driver, guest, 'ext4', 'generic/595', filesDir)) };
}

describe('check in a guest', () => {
  it('that says "passed" while the kernel panics is an oops, with what it said and the panic in the files', async () => {
    const { guest, filesDir, incident } = await runTree('panic');
    expect(incident.outcome).toBe('oops');
    expect(incident.reason).toMatch(/panic.*sysrq/i);
    expect(guest.alive).toBe(false);
    expect(readFileSync(path.join(filesDir, 'console.log'), 'utf8')).toContain('sysrq triggered crash');
    expect(existsSync(path.join(filesDir, 'check.out'))).toBe(true);
  });

  it('finds the devices of dmsetup, which nobody but dmsetup makes there', async () => {
    const { filesDir, reading } = await runTree('mapper');
    expect(reading, readFileSync(path.join(filesDir, 'check.out'), 'utf8')).toMatchObject({
      outcome: 'pass',
    });
  });
});

describe.skipIf(FSTESTS === undefined)(`real fstests${NEEDS}`, () => {
  const run = async (
    args: readonly string[],
  ): Promise<{ code: number | null; journal: Journal; stdout: string }> => {
    const dir = path.join(tempDir('fstests run'), 'run');
    const { code, stdout, stderr } = await enokey([
      'test',
      'stock',
      ...args,
      '--fstests',
      FSTESTS ?? '',
      '--run',
      dir,
      '--json',
    ]);
    expect([0, 1], stderr).toContain(code);
    return { code, journal: JSON.parse(stdout) as Journal, stdout };
  };

  it('agrees with the port about generic/595 on the same kernel, in one guest', async () => {
    const { code, journal } = await run(['generic/595', 'generic/595 (port)', '--fs', 'ext4,f2fs']);
    expect(code).toBe(0);
    expect(journal.results.map((cell) => `${cell.filesystem} ${cell.test} ${cell.outcome}`).sort()).toEqual([
      'ext4 generic/595 (port) pass',
      'ext4 generic/595 pass',
      'f2fs generic/595 (port) pass',
      'f2fs generic/595 pass',
    ]);
    expect(new Set(journal.results.map((cell) => cell.guest)).size).toBe(1);
  });

  it('is notrun on a btrfs without encryption, says why, and exits 1', async () => {
    const { code, journal, stdout } = await run(['generic/595', 'generic/397', '--fs', 'btrfs']);
    expect(code).toBe(1);
    for (const cell of journal.results) {
      expect(cell).toMatchObject({
        outcome: 'notrun',
        detail: expect.stringMatching(/kernel does not support btrfs encryption/) as string,
      });
    }
    expect(stdout).toMatch(/every cell is notrun/);
  });
});
