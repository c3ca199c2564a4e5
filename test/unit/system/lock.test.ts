// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { identify } from '../../../src/system/identity.js';
import { acquireLock, lockOwner, tryLock, withLock } from '../../../src/system/lock.js';
import { run } from '../../../src/system/process.js';
import { tempDir } from '../../helpers/temp.js';

const never = new AbortController().signal;

describe('locks', () => {
  it('are exclusive, tell their owner, and leave nothing when released', async () => {
    const dir = tempDir();
    const file = path.join(dir, 'lock');
    const lock = await tryLock(file, 'build stock');
    expect(lock).toBeDefined();
    expect(await tryLock(file, 'other')).toBeUndefined();
    expect(await lockOwner(file)).toMatchObject({ pid: process.pid, purpose: 'build stock' });
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('are taken over from a dead process, and from a reused pid', async () => {
    const file = path.join(tempDir(), 'lock');
    const me = identify(process.pid)!;
    writeFileSync(file, JSON.stringify({ ...me, start: '1', purpose: 'a process that had our pid' }));
    expect(await lockOwner(file)).toBeUndefined();
    const lock = await tryLock(file, 'mine');
    expect(lock).toBeDefined();
    await lock?.release();
    writeFileSync(file, '{"torn');
    expect(await tryLock(file, 'mine')).toBeDefined();
  });

  it('wait for a live owner, tell about it once, and give up on abort', async () => {
    const file = path.join(tempDir(), 'lock');
    const first = await tryLock(file, 'first');
    const waits: string[] = [];
    const second = acquireLock(file, 'second', never, (owner) => waits.push(owner?.purpose ?? '?'));
    setTimeout(() => void first?.release(), 450);
    await (await second).release();
    expect(waits).toEqual(['first']);
    const controller = new AbortController();
    const held = await tryLock(file, 'held');
    setTimeout(() => controller.abort(), 50);
    await expect(acquireLock(file, 'third', controller.signal)).rejects.toThrow(/interrupted/);
    await held?.release();
  });

  it('admit one of many processes that find the same stale lock', async () => {
    const dir = tempDir();
    const file = path.join(dir, 'lock');
    writeFileSync(file, JSON.stringify({ pid: 999_999_999, start: '1', boot: 'x', purpose: 'dead' }));
    const module = path.resolve('src/system/lock.ts');
    const script = `import { tryLock } from ${JSON.stringify(module)};
      const lock = await tryLock(${JSON.stringify(file)}, 'racer');
      process.stdout.write(lock ? 'got' : 'no');
      await new Promise((resolve) => setTimeout(resolve, 3000));`;
    const racers = await Promise.all(
      Array.from({ length: 4 }, () =>
        run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
          cwd: process.cwd(),
        }),
      ),
    );
    expect(racers.map((racer) => racer.stdout).sort()).toEqual(['got', 'no', 'no', 'no']);
  }, 60_000);

  it('are released when the work throws', async () => {
    const file = path.join(tempDir(), 'lock');
    await expect(withLock(file, 'x', never, () => Promise.reject(new Error('boom')))).rejects.toThrow('boom');
    expect(await lockOwner(file)).toBeUndefined();
  });
});
