// SPDX-License-Identifier: GPL-2.0-only
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

import { InfraError } from '../../../src/core/errors.js';
import { RunningGuest } from '../../../src/guest/running.js';
import type { GuestRecord } from '../../../src/guest/registry.js';
import { ConsoleWatch } from '../../../src/guest/watch.js';
import { SshConnection } from '../../../src/ssh/index.js';
import type { Exit } from '../../../src/system/daemon.js';
import { identify } from '../../../src/system/identity.js';
import { testContext, type TestContext } from '../../helpers/context.js';
import { tempDir } from '../../helpers/temp.js';
import { sshServer, type Handler } from '../ssh/server.js';

const CORPUS = path.resolve(import.meta.dirname, '../../fixtures/console');
const OOPS = 'BUG: kernel NULL pointer dereference, address: 0000000000000000';

interface Running {
  readonly guest: RunningGuest;
  readonly context: TestContext;
  /** Puts a console log of the corpus on the console. */
  readonly say: (name: string) => void;
  /** Ends what stands for QEMU, and the session with it. */
  readonly kill: () => Promise<Exit>;
}

/** Everything of a running guest but QEMU: an SSH server of this process, a console, and a process to end. */
async function running(handle: Handler = succeed): Promise<Running> {
  const context = testContext();
  const workDir = tempDir('guest');
  const console = path.join(workDir, 'console.log');
  writeFileSync(console, '');
  const server = await sshServer(handle);
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = new Promise<Exit>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined })),
  );
  const identity = identify(child.pid ?? 0);
  if (!identity) throw new Error('sleep did not start');
  const watch = new ConsoleWatch(console);
  watch.start();
  onTestFinished(() => watch.stop());
  const spec = {
    name: 'g',
    vmlinux: '/nowhere/vmlinux',
    release: '7.3.4',
    buildId: 'ab',
    rootfs: '/nowhere/root',
    disks: [],
    accelerator: { name: 'tcg', reason: '', timeScale: 1 } as const,
    cpus: 1,
    memoryMiB: 128,
    kernelArgs: [],
    workDir,
  };
  const qmpSocket = path.join(workDir, 'qmp');
  const guest = new RunningGuest({
    context,
    spec,
    record: { ...spec, console, qmpSocket, ephemeral: false } as unknown as GuestRecord,
    daemon: { identity, exited },
    watch,
    connection: await SshConnection.connect(server.target),
    target: server.target,
    limits: {
      bootMs: 5000,
      handshakeMs: 1000,
      silenceMs: 2000,
      quietMs: 100,
      lateMs: 1000,
      choreMs: 300,
    },
    bootTimes: { initMs: 1, readyMs: 1, sshMs: 1, firstCommandMs: 1 },
    qemuSaid: async () => undefined,
    forget: () => undefined,
  });
  onTestFinished(() => guest.stop());
  return {
    guest,
    context,
    say: (name) => appendFileSync(console, readFileSync(path.join(CORPUS, `${name}.log`))),
    async kill() {
      child.kill('SIGKILL');
      for (const socket of server.sockets) socket.destroy();
      return exited;
    },
  };
}

const succeed: Handler = (channel) => {
  channel.exit(0);
  channel.end();
};

const done = { limitMs: 5000 };

describe('what a guest reports while nothing runs in it', () => {
  it('is nothing when its kernel is quiet', async () => {
    const { guest } = await running();
    await guest.exec(['true'], done);
    const { consoleFrom, consoleTo, ...incident } = await guest.unread();
    expect(incident).toEqual({ marks: [], reports: [] });
    expect([consoleFrom, consoleTo]).toEqual([0, 0]);
    expect(guest.alive).toBe(true);
  });

  it('is told once, and not again by the next piece of work', async () => {
    const { guest, say } = await running();
    await guest.exec(['true'], done);
    say('kasan');
    const incident = await guest.unread();
    expect(incident.outcome).toBeUndefined();
    expect(incident.marks).toEqual(['kasan']);
    expect(await guest.unread()).toMatchObject({ marks: [], reports: [] });
    expect(await guest.exec(['true'], done)).toMatchObject({ marks: [], reports: [] });
  });

  it('is an oops when its kernel died, and every later work says the same', async () => {
    const { guest, say } = await running();
    await guest.exec(['true'], done);
    say('oops-null');
    const incident = await guest.unread();
    expect(incident).toMatchObject({ outcome: 'oops', reason: OOPS });
    expect(incident.reports.join()).toContain('lkdtm_EXCEPTION');
    expect(guest.alive).toBe(false);
    expect(await guest.exec(['true'], done)).toMatchObject({ outcome: 'oops', reason: OOPS });
  });

  it('is not lost with QEMU, whose end is told when the console has no reason for it', async () => {
    const { guest, kill, say } = await running();
    say('warn');
    await kill();
    expect(await guest.unread()).toMatchObject({
      outcome: 'lost',
      reason: 'QEMU was ended by SIGKILL',
      marks: ['warn'],
    });
  });

  it('is told after it was stopped, which is no incident', async () => {
    const { guest, say } = await running();
    await guest.exec(['true'], done);
    say('lockdep-circular');
    await guest.stop();
    const incident = await guest.unread();
    expect(incident.outcome).toBeUndefined();
    expect(incident.marks).toEqual(['lockdep']);
  });

  it('is an oops after it was stopped too, also when the user interrupts', async () => {
    const { guest, context, say } = await running();
    say('oops-null');
    context.abort();
    await guest.stop();
    expect(await guest.unread()).toMatchObject({ outcome: 'oops', reason: OOPS });
  });
});

describe('an oops', () => {
  it('is what work on a stopped guest says, when that had one', async () => {
    const { guest, say } = await running();
    say('oops-null');
    await guest.stop();
    expect(await guest.exec(['true'], done)).toMatchObject({ outcome: 'oops', reason: OOPS });
  });

  it('that comes late takes the place of the hang that it explains', async () => {
    const { guest, say } = await running(() => undefined);
    expect((await guest.exec(['sleep', '100'], { limitMs: 100 })).outcome).toBe('hang');
    say('oops-null');
    expect(await guest.unread()).toMatchObject({ outcome: 'oops', reason: OOPS });
  });
});

const tell =
  (bytes: Buffer | string): Handler =>
  (channel) => {
    channel.write(bytes);
    channel.exit(0);
    channel.end();
  };

describe('a full disk of the host', () => {
  const full = expect.objectContaining({
    observed: 'the disk is full',
    next: expect.stringMatching(/free space there/) as string,
  }) as object;

  async function failureOf(work: Promise<unknown>): Promise<InfraError> {
    const error: unknown = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof InfraError)) throw new Error('expected an InfraError', { cause: error });
    return error;
  }

  // Every write to /dev/full meets a full disk: full(4).
  it.each([
    ['a short output', 'result\n'],
    ['a long one', Buffer.alloc(1024 * 1024, 'x')],
  ])('is named when %s of a command cannot be kept', async (_, bytes) => {
    const { guest } = await running(tell(bytes));
    const error = await failureOf(guest.exec(['cat'], { ...done, stdoutFile: '/dev/full' }));
    expect(error.failure).toEqual(full);
    expect(error.failure.subject).toBe('/dev');
  });

  it('is named when files of the guest do not fit', async (test) => {
    const disk = path.join(tempDir('small'), 'disk');
    mkdirSync(disk);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', disk]).status !== 0)
      return test.skip('this user may not mount a tmpfs');
    onTestFinished(() => void spawnSync('umount', [disk]));
    const source = tempDir('results');
    writeFileSync(path.join(source, 'full'), Buffer.alloc(1024 * 1024));
    const { stdout } = spawnSync('tar', ['-c', '-f', '-', '-C', source, '.'], { maxBuffer: 4 * 1024 ** 2 });
    const { guest } = await running(tell(stdout));
    const to = path.join(disk, 'results');
    const error = await failureOf(guest.pull('/results', to, 16 * 1024 ** 2));
    expect(error.failure).toEqual(full);
    expect(error.failure.subject).toBe(to);
  });
});
