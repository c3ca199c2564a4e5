// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, mkdtemp, rm, writeFile, access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { claimGuest, releaseGuest, type GuestRecord } from '../../../src/guest/registry.js';
import { clean, CLEANABLE, type CleanResult } from '../../../src/run/clean.js';
import type { Machinery } from '../../../src/run/needs.js';
import { useCache } from '../../../src/system/cache-users.js';
import { bootId, identify } from '../../../src/system/identity.js';
import { tryLock, type Lock } from '../../../src/system/lock.js';
import { fakeContext, fakeMachinery } from '../../helpers/fake-machinery.js';
import { planFake, startFake } from '../../helpers/fake-run.js';

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

  it("keeps the same while a run in a folder of the user's makes its kernels, and no longer", async () => {
    const context = fakeContext(root);
    const run = path.join(root, 'my run');
    const used = await Promise.all([
      put('cache', 'artifacts', 'k1', 'vmlinux'),
      put('cache', 'images', 'i1', 'root.ext4'),
      put('cache', 'fstests', 'disks', 'f1.img'),
    ]);
    const kinds = ['artifacts', 'images', 'fstests'] as const;
    const whole = fakeMachinery();
    let cleaned: CleanResult | undefined;
    // By somebody with another state folder and the same cache.
    const elsewhere = { ...context, dirs: { ...context.dirs, state: path.join(root, 'other state') } };
    const machinery: Machinery = {
      ...whole,
      kernel: async (...args) => {
        cleaned = await clean(elsewhere, { kinds, dryRun: false });
        return whole.kernel(...args);
      },
    };
    const plan = await planFake({ variants: ['stock'], filesystems: ['ext4'], tests: ['parked'] });
    await startFake(context, machinery, plan, undefined, run);
    expect(cleaned?.removed).toEqual([]);
    expect(cleaned?.kept).toContainEqual({
      path: path.dirname(used[0]),
      reason: `process ${process.pid} runs a matrix in ${run}`,
    });
    const after = await clean(context, { kinds, dryRun: false });
    expect([after.kept, await Promise.all(used.map(there))]).toEqual([[], [false, false, false]]);
  });

  it('stops removing when a run begins meanwhile', async () => {
    const context = fakeContext(root);
    await put('cache', 'artifacts', 'k1', 'vmlinux');
    await put('cache', 'artifacts', 'k2', 'vmlinux');
    let use: Promise<Lock> | undefined;
    const signal = {
      // Asked before each removal.
      get aborted() {
        use ??= useCache(context.dirs.cache, 'runs a matrix in /somewhere');
        return false;
      },
    } as AbortSignal;
    const result = await clean({ ...context, signal }, { kinds: ['artifacts'], dryRun: false });
    expect([result.removed.length, result.kept.length]).toEqual([1, 1]);
    await (await use)?.release();
  });

  it('removes what killed runs said they use, and heeds none of it', async () => {
    const artifact = await put('cache', 'artifacts', 'k1', 'vmlinux');
    const dead = await put('cache', 'users', `${DEAD_PID}-0123abcd.lock`);
    const owner = { pid: DEAD_PID, start: '1', boot: bootId(), purpose: 'runs a matrix in /gone' };
    await writeFile(dead, JSON.stringify(owner));
    const dry = await clean(fakeContext(root), { kinds: [], dryRun: true });
    expect([dry.removed.map((entry) => entry.path), await there(dead)]).toEqual([[dead], true]);
    await clean(fakeContext(root), { kinds: ['artifacts'], dryRun: false });
    expect(await Promise.all([artifact, dead].map(there))).toEqual([false, false]);
  });

  it('keeps the disks of a live guest that no run has', async () => {
    const context = fakeContext(root);
    const probe = await put('cache', 'probe', 'p1', 'enokey-probe');
    const disk = await put('cache', 'fstests', 'disks', 'f1.img');
    const tree = await put('cache', 'fstests', 'trees', 'Makefile');
    const self = identify(process.pid)!;
    const record: GuestRecord = {
      ...{ version: 1, name: 'g1', state: 'running', owner: self, qemu: self, detached: false },
      ...{ ephemeral: false, label: 'stock', release: '7.3.4', buildId: 'ab', vmlinux: '/v', rootfs: '/r' },
      ...{ accelerator: { name: 'tcg', reason: '', timeScale: 15 }, cpus: 1, memoryMiB: 512, kernelArgs: [] },
      ...{ disks: [{ name: 'fstests', sizeBytes: 1, path: disk }], workDir: '/w' },
      ...{ console: '/c', qmpSocket: '/q', sshPort: 1, hostKey: 'k', clientKey: 'k', startedAt: '' },
    };
    await claimGuest(context, record);
    await clean(context, { kinds: ['probes', 'fstests'], dryRun: false });
    expect(await Promise.all([probe, disk, tree].map(there))).toEqual([false, true, false]);
    await releaseGuest(context, record);
  });
});
