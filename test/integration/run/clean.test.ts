// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, mkdtemp, rm, writeFile, access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { claimGuest, releaseGuest, type GuestRecord } from '../../../src/guest/registry.js';
import { clean, CLEANABLE } from '../../../src/run/clean.js';
import { identify } from '../../../src/system/identity.js';
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

  it('keeps everything but finished runs while a run is going on', async () => {
    const used = await Promise.all([
      put('cache', 'artifacts', 'k1', 'vmlinux'),
      put('cache', 'images', 'i1', 'rootfs'),
      put('cache', 'trees', 'v7.3', 'Makefile'),
      put('cache', 'probe', 'p1', 'enokey-probe'),
      put('cache', 'port', 'n1', 'generic-595'),
      put('cache', 'fstests', 'disks', 'f1.img'),
    ]);
    const live = await put('state', 'runs', 'live', 'guests', 'g1', 'scratch.img');
    const finished = await put('state', 'runs', 'finished', 'plan.json');
    const lock = await tryLock(path.join(root, 'state', 'runs', 'live', 'lock'), 'runs a matrix');
    const result = await clean(fakeContext(root), { kinds: CLEANABLE, dryRun: false });
    expect(await Promise.all([...used, live].map(there))).toEqual([...used, live].map(() => true));
    expect(await there(finished)).toBe(false);
    expect(result.kept).toContainEqual({
      path: path.dirname(used[3]),
      reason: `process ${process.pid} runs a matrix`,
    });
    await lock?.release();
    await clean(fakeContext(root), { kinds: ['probes', 'fstests'], dryRun: false });
    expect(await Promise.all(used.map(there))).toEqual([true, true, true, false, false, false]);
  });

  it("keeps the same while a run in a folder of the user's is going on, and the disks of any live guest", async () => {
    const context = fakeContext(root);
    const run = path.join(root, 'my run');
    const probe = await put('cache', 'probe', 'p1', 'enokey-probe');
    const disk = await put('cache', 'fstests', 'disks', 'f1.img');
    const tree = await put('cache', 'fstests', 'trees', 'Makefile');
    const self = identify(process.pid)!;
    const record: GuestRecord = {
      ...{ version: 1, name: 'g1', state: 'running', owner: self, qemu: self, detached: false },
      ...{ ephemeral: false, label: 'stock', release: '7.3.4', buildId: 'ab', vmlinux: '/v', rootfs: '/r' },
      ...{ accelerator: { name: 'tcg', reason: '', timeScale: 15 }, cpus: 1, memoryMiB: 512, kernelArgs: [] },
      ...{ disks: [{ name: 'fstests', sizeBytes: 1, path: disk }], workDir: path.join(run, 'guests', 'g1') },
      ...{ console: '/c', qmpSocket: '/q', sshPort: 1, hostKey: 'k', clientKey: 'k', startedAt: '' },
    };
    await claimGuest(context, record);
    const lock = await tryLock(path.join(run, 'lock'), 'runs a matrix');
    await clean(context, { kinds: ['probes', 'fstests'], dryRun: false });
    expect(await Promise.all([probe, disk, tree].map(there))).toEqual([true, true, true]);
    await lock?.release();
    await clean(context, { kinds: ['probes', 'fstests'], dryRun: false });
    expect(await Promise.all([probe, disk, tree].map(there))).toEqual([false, true, false]);
    await releaseGuest(context, record);
  });
});
