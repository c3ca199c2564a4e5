// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, mkdtemp, rm, writeFile, access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { clean } from '../../../src/run/clean.js';
import { tryLock } from '../../../src/system/lock.js';
import { fakeContext } from '../../helpers/fake-machinery.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'enokey clean '));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(...parts: string[]): Promise<string> {
  const file = path.join(root, ...parts);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, 'x'.repeat(5000));
  return file;
}

const there = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** Above pid_max of any Linux. */
const DEAD_PID = 4_194_999;

describe('clean', () => {
  it('removes only what dead processes left when nothing is named', async () => {
    const artifact = await put('cache', 'artifacts', 'k1', 'vmlinux');
    const dead = await put('cache', 'artifacts', `.k2.tmp-${DEAD_PID}-0123abcd`, 'vmlinux');
    const mine = await put('cache', 'artifacts', `.k3.tmp-${process.pid}-0123abcd`, 'vmlinux');
    const disk = await put('state', 'runs', 'r1', 'guests', 'g1-stock', 'scratch.img');
    const plan = await put('state', 'runs', 'r1', 'plan.json');
    const result = await clean(fakeContext(root), { kinds: [], dryRun: false });
    expect(result.removed.map(({ kind }) => kind)).toEqual(['leftover', 'leftover']);
    expect(await Promise.all([artifact, dead, mine, disk, plan].map(there))).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
    expect(result.freeable.artifacts).toBeGreaterThan(0);
  });

  it('changes nothing with --dry-run', async () => {
    const artifact = await put('cache', 'artifacts', 'k1', 'vmlinux');
    const result = await clean(fakeContext(root), { kinds: ['artifacts'], dryRun: true });
    expect(result.removed).toMatchObject([{ kind: 'artifacts', path: path.dirname(artifact) }]);
    expect(result.removed[0]?.bytes).toBeGreaterThan(4000);
    expect(await there(artifact)).toBe(true);
  });

  it('never touches what a live process locks, and says whose it is', async () => {
    const repo = await put('cache', 'tree', 'v7.3.git', 'HEAD');
    const lock = await tryLock(path.join(root, 'cache', 'tree', 'v7.3.lock'), 'imports a tree');
    const result = await clean(fakeContext(root), { kinds: ['trees'], dryRun: false });
    expect(await there(repo)).toBe(true);
    expect(result.kept[0]?.reason).toBe(`process ${process.pid} imports a tree`);
    await lock?.release();
    await clean(fakeContext(root), { kinds: ['trees'], dryRun: false });
    expect(await there(repo)).toBe(false);
  });

  it('keeps kernels and images while a run is going on, and that run', async () => {
    const artifact = await put('cache', 'artifacts', 'k1', 'vmlinux');
    const live = await put('state', 'runs', 'live', 'guests', 'g1', 'scratch.img');
    const finished = await put('state', 'runs', 'finished', 'plan.json');
    const lock = await tryLock(path.join(root, 'state', 'runs', 'live', 'lock'), 'runs a matrix');
    await clean(fakeContext(root), { kinds: ['artifacts', 'runs'], dryRun: false });
    expect(await Promise.all([artifact, live, finished].map(there))).toEqual([true, true, false]);
    await lock?.release();
  });
});
