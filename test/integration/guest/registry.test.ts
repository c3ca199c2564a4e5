// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

import {
  checkGuestName,
  claimGuest,
  findGuest,
  guestDir,
  listGuests,
  qmpSocketPath,
  releaseGuest,
  sweepGuests,
  updateRecord,
  type GuestRecord,
} from '../../../src/guest/registry.js';
import { identify, isAlive, type ProcessIdentity } from '../../../src/system/identity.js';
import { testContext, type TestContext } from '../../helpers/context.js';

function self(): ProcessIdentity {
  const identity = identify(process.pid);
  if (!identity) throw new Error('not in /proc');
  return identity;
}
/** This process's identity with another start time: what a dead process leaves in a record. */
const dead = (): ProcessIdentity => ({ ...self(), start: '1' });

/** A real process in the place of QEMU. */
function sleeper(...argv: string[]): ProcessIdentity {
  const child = spawn('sleep', ['600', ...argv], { detached: true, stdio: 'ignore', argv0: argv[0] });
  const { pid } = child;
  const identity = pid === undefined ? undefined : identify(pid);
  if (!identity || pid === undefined) throw new Error('sleep did not start');
  onTestFinished(() => void child.kill('SIGKILL'));
  return identity;
}

function record(context: TestContext, name: string, more: Partial<GuestRecord> = {}): GuestRecord {
  const workDir = path.join(context.dirs.cache, 'guests', name);
  mkdirSync(workDir, { recursive: true });
  return {
    version: 1,
    name,
    state: 'running',
    owner: self(),
    qemu: self(),
    detached: false,
    ephemeral: true,
    label: 'stock (default)',
    release: '7.3.4',
    buildId: 'ab',
    vmlinux: '/v',
    rootfs: '/r',
    accelerator: { name: 'tcg', reason: '', timeScale: 15 },
    cpus: 1,
    memoryMiB: 512,
    kernelArgs: [],
    disks: [],
    workDir,
    console: path.join(workDir, 'console.log'),
    qmpSocket: qmpSocketPath(context, name),
    sshPort: 1,
    hostKey: 'ssh-ed25519 A',
    clientKey: 'k',
    startedAt: new Date().toISOString(),
    ...more,
  };
}

describe('guest names', () => {
  it.each(['', '.', '..', '.x', '-x', 'a/b', 'a b', 'a\n', 'x'.repeat(65)])('refuses %j', (name) => {
    expect(() => checkGuestName(name)).toThrow(/not usable/);
  });
  it.each(['stock', 'soft@2', 'a.b_c-1'])('takes %s', (name) =>
    expect(() => checkGuestName(name)).not.toThrow(),
  );

  it('refuses a socket path that the kernel would cut', () => {
    const context = testContext();
    expect(() =>
      qmpSocketPath({ ...context, dirs: { ...context.dirs, runtime: `/tmp/${'x'.repeat(90)}` } }, 'g'),
    ).toThrow(/107/);
  });
});

describe('registry', () => {
  it('gives a name to one of many that want it at once', async () => {
    const context = testContext({ dir: undefined });
    const claims = await Promise.allSettled(
      Array.from({ length: 8 }, () => claimGuest(context, record(context, 'g'))),
    );
    expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const refused = claims.find((claim) => claim.status === 'rejected');
    expect(refused?.reason).toMatchObject({
      exitCode: 2,
      message: 'guest g: a guest with this name is running',
    });
    expect(readdirSync(path.dirname(guestDir(context, 'g')))).toEqual(['g']);
  });

  it('lists live guests and forgets those released', async () => {
    const context = testContext();
    const one = record(context, 'one');
    await claimGuest(context, one);
    await claimGuest(context, record(context, 'two', { startedAt: '2000-01-01T00:00:00Z' }));
    expect((await listGuests(context)).map(({ name }) => name)).toEqual(['two', 'one']);
    await releaseGuest(context, one);
    expect(existsSync(one.workDir)).toBe(false);
    await expect(findGuest(context, 'one')).rejects.toMatchObject({
      exitCode: 2,
      message: 'guest one: not running (expected one of two)',
    });
  });

  it('keeps private keys private', async () => {
    const context = testContext();
    const one = record(context, 'one');
    await claimGuest(context, one);
    await updateRecord(context, { ...one, state: 'running' });
    const { stat } = await import('node:fs/promises');
    expect((await stat(path.join(guestDir(context, 'one'), 'guest.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(guestDir(context, 'one'))).mode & 0o777).toBe(0o700);
  });

  it('ends what a killed owner left, and only that', async () => {
    const context = testContext();
    const [orphan, kept, left] = [sleeper(), sleeper(), sleeper()];
    await claimGuest(context, record(context, 'orphan', { owner: dead(), qemu: orphan }));
    await claimGuest(
      context,
      record(context, 'booting', { owner: dead(), qemu: left, detached: true, state: 'starting' }),
    );
    await claimGuest(context, record(context, 'detached', { owner: dead(), qemu: kept, detached: true }));
    await claimGuest(context, record(context, 'gone', { owner: dead(), qemu: dead(), detached: true }));
    await claimGuest(context, record(context, 'mine'));
    expect((await sweepGuests(context)).sort()).toEqual(['booting', 'gone', 'orphan']);
    expect([isAlive(orphan), isAlive(left), isAlive(kept)]).toEqual([false, false, true]);
    expect((await listGuests(context)).map(({ name }) => name).sort()).toEqual(['detached', 'mine']);
    expect(existsSync(path.join(context.dirs.cache, 'guests/orphan'))).toBe(false);
    expect(readdirSync(path.join(context.dirs.runtime, 'guests')).sort()).toEqual(['detached', 'mine']);
  });

  it('finds by its pid file a QEMU whose owner died before it could write it down', async () => {
    const context = testContext();
    const claim = record(context, 'early', {
      owner: dead(),
      qemu: undefined,
      state: 'starting',
      detached: true,
    });
    await claimGuest(context, claim);
    const child = spawn('sh', ['-c', 'sleep 600 # "$1"', 'sh', claim.qmpSocket], {
      detached: true,
      stdio: 'ignore',
    });
    const qemu = identify(child.pid ?? 0);
    if (!qemu) throw new Error('did not start');
    onTestFinished(() => void child.kill('SIGKILL'));
    writeFileSync(path.join(guestDir(context, 'early'), 'pid'), `${qemu.pid}\n`);
    expect(await sweepGuests(context)).toEqual(['early']);
    expect(isAlive(qemu)).toBe(false);
  });

  it('does not signal a process that merely has a pid from a stale file', async () => {
    const context = testContext();
    const stranger = sleeper();
    await claimGuest(
      context,
      record(context, 'early', { owner: dead(), qemu: undefined, state: 'starting' }),
    );
    writeFileSync(path.join(guestDir(context, 'early'), 'pid'), `${stranger.pid}\n`);
    await sweepGuests(context);
    expect(isAlive(stranger)).toBe(true);
  });

  it('clears claims that were never completed once they are old', async () => {
    const context = testContext();
    const dir = path.join(context.dirs.runtime, 'guests', '.g.tmp-1-aa');
    mkdirSync(dir, { recursive: true });
    await sweepGuests(context);
    expect(existsSync(dir)).toBe(true);
    utimesSync(dir, 1, 1);
    await sweepGuests(context);
    expect(existsSync(dir)).toBe(false);
  });
});
