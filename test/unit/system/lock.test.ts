// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
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

  it('admit one of many processes that find the same stale lock at the same time', async () => {
    const dir = tempDir();
    const module = path.resolve('src/system/lock.ts');
    const rounds = 40;
    // Every racer tries at the same ticks of the clock, and holds what it gets until the end.
    const start = Date.now() + 6000;
    for (let round = 0; round < rounds; round++)
      writeFileSync(
        path.join(dir, `lock-${round}`),
        JSON.stringify({ pid: 999_999_999, start: '1', boot: 'x', purpose: 'dead' }),
      );
    const script = `import { tryLock } from ${JSON.stringify(module)};
      const got = [];
      for (let round = 0; round < ${rounds}; round++) {
        const at = ${start} + 40 * round;
        await new Promise((resolve) => setTimeout(resolve, at - Date.now() - 4));
        while (Date.now() < at);
        if (await tryLock(${JSON.stringify(dir)} + '/lock-' + round, 'racer')) got.push(round);
      }
      process.stdout.write(JSON.stringify({ got }));
      await new Promise((resolve) => setTimeout(resolve, 3000));`;
    const racers = await Promise.all(
      Array.from({ length: 4 }, () =>
        run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
          cwd: process.cwd(),
        }),
      ),
    );
    const winners = racers.flatMap((racer) => (JSON.parse(racer.stdout) as { got: number[] }).got);
    expect(winners.sort((a, b) => a - b)).toEqual(Array.from({ length: rounds }, (_, round) => round));
    expect(readdirSync(dir).filter((name) => name.endsWith('.takeover'))).toEqual([]);
  }, 60_000);

  it('are taken over although the one that did so before was killed in the middle', async () => {
    const dir = tempDir();
    const file = path.join(dir, 'lock');
    const dead = JSON.stringify({ pid: 999_999_999, start: '1', boot: 'x', purpose: 'dead' });
    writeFileSync(file, dead);
    writeFileSync(`${file}.takeover`, dead);
    const lock = await tryLock(file, 'mine');
    expect(await lockOwner(file)).toMatchObject({ purpose: 'mine' });
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('are not released by one that lost them', async () => {
    const file = path.join(tempDir(), 'lock');
    const lock = await tryLock(file, 'mine');
    const other = spawn('sleep', ['30']);
    writeFileSync(file, JSON.stringify({ ...identify(other.pid!)!, purpose: 'theirs' }));
    await lock?.release();
    expect(await lockOwner(file)).toMatchObject({ purpose: 'theirs' });
    other.kill();
  });

  it('are released when the work throws', async () => {
    const file = path.join(tempDir(), 'lock');
    await expect(withLock(file, 'x', never, () => Promise.reject(new Error('boom')))).rejects.toThrow('boom');
    expect(await lockOwner(file)).toBeUndefined();
  });
});
