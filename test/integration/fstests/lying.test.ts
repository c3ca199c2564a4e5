// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { runTree } from '../../helpers/fstests-run.js';
import { tempDir } from '../../helpers/temp.js';

/** Everything below a folder, relative; links are listed, not followed. */
function everything(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true }).map((entry) => {
    if (!entry.isFile() && !entry.isDirectory()) throw new Error(`${entry.name} is neither file nor folder`);
    return path.relative(dir, path.join(entry.parentPath, entry.name));
  });
}

function textOf(dir: string, name: string): string {
  return readFileSync(path.join(dir, name), 'utf8');
}

describe('a check that lies', () => {
  it('is believed when it does not', async () => {
    const { reading, filesDir } = await runTree(tempDir(), 'honest');
    expect(reading).toMatchObject({ outcome: 'pass', summary: 'pass, 3 s' });
    expect(everything(filesDir).sort()).toEqual([
      'check.out',
      'local.config',
      'results',
      'results/generic',
      'results/generic/595.full',
    ]);
    expect(textOf(filesDir, 'local.config')).toContain('export TIME_FACTOR=1');
  });

  it('with escape sequences is read, and none of them is kept', async () => {
    const { reading, filesDir } = await runTree(tempDir(), 'ansi');
    expect(reading?.outcome).toBe('fail');
    expect(`${textOf(filesDir, 'check.out')}${reading?.summary}`).not.toMatch(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/,
    );
    expect(textOf(filesDir, 'check.out')).toContain('Failures: generic/595');
  });

  it('with 200 MB of output is read to its end in less than 300 MB of memory, and little of it is kept', async () => {
    const dir = tempDir();
    const script = path.resolve(import.meta.dirname, '../../helpers/fstests-flood.ts');
    const out = execFileSync(process.execPath, ['--import', 'tsx', script, dir], {
      encoding: 'utf8',
      timeout: 390_000,
    });
    const { outcome, maxRssMiB } = JSON.parse(out.trim().split('\n').at(-1) ?? '') as {
      outcome: string;
      maxRssMiB: number;
    };
    process.stderr.write(`200 MB of output: ${outcome}, peak ${maxRssMiB} MiB\n`);
    expect(outcome).toBe('pass');
    expect(maxRssMiB).toBeLessThan(300);
    expect(statSync(path.join(dir, 'cell/check.out')).size).toBeLessThan(3 * 1024 * 1024);
  }, 400_000);

  it('with names that lead out of the folder says nothing about the test', async () => {
    const { reading } = await runTree(tempDir(), 'dotdot');
    expect(reading).toMatchObject({ outcome: 'infra' });
    expect(existsSync('/tmp/enokey-escaped')).toBe(false);
  });

  it('with links and devices among its results brings back the rest, lists them, and follows none', async () => {
    const { reading, filesDir } = await runTree(tempDir(), 'links');
    expect(reading?.outcome).toBe('pass');
    expect(everything(path.join(filesDir, 'results')).sort()).toEqual(['generic', 'generic/595.hints']);
    expect(textOf(filesDir, 'left-out.txt')).toMatch(/^l up$/m);
    expect(textOf(filesDir, 'left-out.txt')).toMatch(/^l generic\/595\.out\.bad$/m);
    expect(textOf(filesDir, 'left-out.txt')).not.toContain('root:');
  });

  it('whose archive of results leaves the folder is no result, and nothing is written outside', async () => {
    const dir = tempDir();
    const results = path.join(dir, 'guest-work', 'generic-595.0');
    await mkdir(results, { recursive: true });
    await writeFile(path.join(dir, 'evil'), 'evil');
    execFileSync('tar', [
      '-c',
      '-P',
      '-f',
      path.join(results, 'answer-with.tar'),
      '-C',
      dir,
      '--transform',
      's,evil,../../escaped,',
      'evil',
    ]);
    const { reading } = await runTree(dir, 'honest');
    expect(reading).toMatchObject({ outcome: 'infra' });
    expect(reading?.summary).toMatch(/could not be brought back: .*leaves the folder/);
    expect(existsSync(path.join(dir, 'escaped')) || existsSync(path.join(dir, 'cell', 'escaped'))).toBe(
      false,
    );
  });

  it('without a summary is no result, although it exits 0', async () => {
    const { reading } = await runTree(tempDir(), 'silent');
    expect(reading).toMatchObject({ outcome: 'infra', summary: 'check ended without a summary (exit 0)' });
  });

  it('that says "passed" while the kernel died is an oops', async () => {
    const incident = {
      outcome: 'oops' as const,
      reason: 'Kernel panic - not syncing: sysrq triggered crash',
    };
    const { reading, incident: seen, filesDir } = await runTree(tempDir(), 'panic', { incident });
    expect(seen).toMatchObject(incident);
    expect(reading).toBeUndefined();
    expect(textOf(filesDir, 'check.out')).toContain('Passed all 1 tests');
  });

  it('that counts a notrun as passed is a notrun with its reason', async () => {
    const { reading } = await runTree(tempDir(), 'notrun');
    expect(reading).toMatchObject({
      outcome: 'notrun',
      summary: 'notrun: kernel does not support btrfs encryption',
    });
  });

  it('that never ends is ended at its limit', async () => {
    const { reading } = await runTree(tempDir(), 'endless', { limitSeconds: 1 });
    expect(reading).toMatchObject({ outcome: 'infra', summary: 'generic/595 did not end within its limit' });
  });

  it('with more result bytes than a test may bring back is no result', async () => {
    const { reading } = await runTree(tempDir(), 'deep');
    expect(reading?.outcome).toBe('infra');
    expect(reading?.summary).toMatch(/could not be brought back: .*more than \d+ bytes/);
  });
});
