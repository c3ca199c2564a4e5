// SPDX-License-Identifier: GPL-2.0-only
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

import { bootGuest } from '../../src/guest/boot.js';
import { BootError } from '../../src/guest/errors.js';
import { guestDir, listGuests, sweepGuests } from '../../src/guest/registry.js';
import { isAlive } from '../../src/system/identity.js';
import { tempDir } from '../helpers/temp.js';
import { until } from '../helpers/until.js';
import { e2eContext, e2eGuest, e2eSpec, REPOSITORY, shell } from './support/guest.js';

describe('a guest', () => {
  it('runs commands, moves files both ways, has its disks and no network, and leaves nothing', async () => {
    const guest = await e2eGuest({
      disks: [
        { name: 'scratch', sizeBytes: 256 * 1024 ** 2 },
        { name: 'a.b-c_d', sizeBytes: 1024 ** 2 },
      ],
    });
    process.stderr.write(`boot times: ${JSON.stringify(guest.bootTimes)}\n`);
    expect(guest.alive).toBe(true);

    const result = await guest.exec(['sh', '-c', 'echo "$A"; cat; echo err >&2; exit 3'], {
      limitMs: 60_000,
      env: { A: "x y'z" },
      input: 'in',
    });
    expect(result).toMatchObject({ marks: [], exec: { exitCode: 3, stdout: "x y'z\nin", stderr: 'err\n' } });
    expect(result.outcome).toBeUndefined();
    expect((await shell(guest, 'kill -SEGV $$')).exec).toMatchObject({ exitCode: undefined, signal: 'SEGV' });

    const sizes = await shell(
      guest,
      'for d in scratch a.b-c_d; do blockdev --getsize64 /dev/enokey/$d; done',
    );
    expect(sizes.exec?.stdout).toBe(`${256 * 1024 ** 2}\n${1024 ** 2}\n`);
    await shell(guest, 'printf hello-host | dd of=/dev/enokey/scratch bs=4096 conv=sync,fsync');
    const disk = guest.diskPath('scratch');
    expect(readFileSync(disk).subarray(0, 10).toString()).toBe('hello-host');
    expect(statSync(disk).blocks * 512).toBeLessThan(64 * 1024 ** 2);

    const from = path.join(tempDir('push'), 'set of files');
    mkdirSync(path.join(from, 'sub'), { recursive: true });
    const bytes = randomBytes(3_000_000);
    writeFileSync(path.join(from, 'sub', 'data'), bytes);
    writeFileSync(path.join(from, 'run'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
    await guest.push(from, '/root/in put');
    expect((await guest.exec(['/root/in put/set of files/run'], { limitMs: 60_000 })).exec?.stdout).toBe(
      'ran\n',
    );
    const back = path.join(tempDir('pull'), 'back');
    await guest.pull('/root/in put', back, 10_000_000);
    expect(readFileSync(path.join(back, 'set of files/sub/data')).equals(bytes)).toBe(true);
    await expect(guest.pull('/root/in put', path.join(back, '2'), 1_000_000)).rejects.toThrow(
      /1000000 bytes/,
    );
    await shell(guest, 'mkdir /root/bad && ln -s /etc/passwd /root/bad/link');
    await expect(guest.pull('/root/bad', path.join(back, '3'), 1e6)).rejects.toThrow(/symbolic link/);

    const server = net.createServer((socket) => socket.end('leak')).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as net.AddressInfo;
    const reach = await shell(guest, `timeout 5 bash -c 'exec 3<>/dev/tcp/10.0.2.2/${port}; cat <&3'`);
    expect(reach.exec?.exitCode).not.toBe(0);
    expect(reach.exec?.stdout).toBe('');

    const [record] = (await listGuests(e2eContext())).filter(({ name }) => name === guest.name);
    await guest.stop();
    expect(guest.alive).toBe(false);
    expect(record?.qemu && isAlive(record.qemu)).toBe(false);
    expect(existsSync(guestDir(e2eContext(), guest.name))).toBe(false);
    expect((await guest.exec(['true'], { limitMs: 1000 })).outcome).toBe('infra');
  });

  it('runs beside others of the same image, each with its own disks, keys and port', async () => {
    const guests = await Promise.all(
      [1, 2].map(() => e2eGuest({ disks: [{ name: 'scratch', sizeBytes: 1024 ** 2 }] })),
    );
    await Promise.all(
      guests.map((guest, at) =>
        shell(guest, `echo guest-${at} > /root/me; printf disk-${at} > /dev/enokey/scratch; sync`),
      ),
    );
    const reads = await Promise.all(
      guests.map((guest) => shell(guest, 'cat /root/me; head -c 6 /dev/enokey/scratch')),
    );
    expect(reads.map((read) => read.exec?.stdout)).toEqual(['guest-0\ndisk-0', 'guest-1\ndisk-1']);
    const ports = (await listGuests(e2eContext()))
      .filter(({ name }) => guests.some((guest) => guest.name === name))
      .map(({ sshPort }) => sshPort);
    expect(new Set(ports).size).toBe(2);
  });

  it('keeps its name to itself', async () => {
    const guest = await e2eGuest();
    await expect(bootGuest(e2eContext(), await e2eSpec({ name: guest.name }))).rejects.toMatchObject({
      exitCode: 2,
    });
    expect((await shell(guest, 'echo still here')).exec?.stdout).toBe('still here\n');
  });

  it('ends with an enokey that is killed, and the next command clears what that left', async () => {
    const spec = await e2eSpec();
    const child = spawn(
      path.join(REPOSITORY, 'node_modules/.bin/tsx'),
      [path.join(REPOSITORY, 'test/e2e/support/hold-guest.ts'), JSON.stringify(spec)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      },
    );
    onTestFinished(() => {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // It has ended.
      }
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const [record] = (await listGuests(e2eContext())).filter(({ name }) => name === spec.name);
    const qemu = record?.qemu;
    if (!record || !qemu) throw new Error('the guest is not registered');
    process.kill(record.owner.pid, 'SIGKILL');
    await until(() => (isAlive(qemu) ? undefined : true));
    expect(await sweepGuests(e2eContext())).toContain(spec.name);
    expect(existsSync(guestDir(e2eContext(), spec.name))).toBe(false);
    expect(existsSync(spec.workDir)).toBe(false);
  });
});

describe('a guest that does not come up', () => {
  const boot = async (...parts: Parameters<typeof e2eSpec>): Promise<BootError> => {
    const spec = await e2eSpec(...parts);
    const error: unknown = await bootGuest(e2eContext(), spec).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(existsSync(guestDir(e2eContext(), spec.name))).toBe(false);
    expect(readdirSync(spec.workDir)).toContain('console.log');
    if (!(error instanceof BootError)) throw new Error('expected a BootError', { cause: error });
    return error;
  };

  it('is a boot-error with the panic when init is missing', async () => {
    const error = await boot({ kernelArgs: ['init=/nonexistent'] });
    expect(error).toMatchObject({ outcome: 'boot-error', exitCode: 69 });
    expect(error.message).toMatch(/Kernel panic - not syncing: Requested init \/nonexistent failed/);
    expect(error.reports.join('\n')).toMatch(/Call Trace/);
    expect(error.consoleTail.length).toBeGreaterThan(5);
  });

  it('is a boot-error with the panic when the root disk is not there', async () => {
    const error = await boot({ kernelArgs: ['root=/dev/vdz'] });
    expect(error.outcome).toBe('boot-error');
    expect(error.message).toMatch(/Unable to mount root fs/);
  });

  it('is a boot-error after its deadline when nothing ever listens', async () => {
    const spec = await e2eSpec({ kernelArgs: ['init=/bin/bash'] });
    const booting = bootGuest(e2eContext(), spec, { limits: { bootMs: 20_000, handshakeMs: 3000 } });
    await expect(booting).rejects.toMatchObject({
      outcome: 'boot-error',
      message: expect.stringMatching(/no SSH session within 20 s/) as string,
    });
  });

  it("is a boot-error with QEMU's words when the kernel is none", async () => {
    const file = path.join(tempDir('kernel'), 'vmlinux');
    writeFileSync(file, 'not a kernel');
    const error = await boot({ vmlinux: file });
    expect(error).toMatchObject({
      outcome: 'boot-error',
      message: expect.stringMatching(/QEMU exited with 1/) as string,
    });
  });

  it('is infra, never a result, when another kernel runs than was asked for', async () => {
    const release = await boot({ release: '7.3.4-other' });
    expect(release).toMatchObject({
      outcome: 'infra',
      message: expect.stringMatching(/the guest runs .*, not 7\.3\.4-other/) as string,
    });
    const buildId = await boot({ buildId: 'a'.repeat(40) });
    expect(buildId).toMatchObject({
      outcome: 'infra',
      message: expect.stringMatching(/build id is [0-9a-f]{40}, not a{40}/) as string,
    });
  });
});
