// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';

import { qmpOnce } from '../../src/guest/qmp.js';
import { findGuest } from '../../src/guest/registry.js';
import type { RunningGuest } from '../../src/guest/running.js';
import { isAlive } from '../../src/system/identity.js';
import { e2eContext, e2eGuest, e2eKernel, shell } from './support/guest.js';

const crash = (guest: RunningGuest, kind: string) =>
  shell(guest, `echo ${kind} > /sys/kernel/debug/provoke-crash/DIRECT; echo survived`);
/** Deadlines short enough for a test: what is tested is what happens when they pass. */
const impatient = { limits: { silenceMs: 8000 } };

describe('supervision of a real guest', () => {
  it('makes a panic an oops, keeps its trace, and names source lines', async () => {
    const guest = await e2eGuest();
    const result = await shell(guest, 'echo before; echo c > /proc/sysrq-trigger; echo after');
    expect(result).toMatchObject({
      outcome: 'oops',
      reason: expect.stringMatching(/^Kernel panic - not syncing: sysrq triggered crash/) as string,
    });
    expect(result.exec).toMatchObject({ exitCode: undefined, stdout: 'before\n' });
    const report = result.reports.join('\n');
    expect(report).toMatch(/Call Trace/);
    expect(report).toMatch(/sysrq_handle_crash\+0x[0-9a-f]+\/0x[0-9a-f]+ \(drivers\/tty\/sysrq\.c:\d+\)/);
    expect(report).toMatch(/Kernel Offset: disabled$/);
    expect(readFileSync(guest.console, 'utf8').slice(result.consoleFrom, result.consoleTo)).toMatch(
      /sysrq triggered crash[\s\S]*Kernel Offset/,
    );
    expect(guest.alive).toBe(false);
    expect((await shell(guest, 'true')).outcome).toBe('oops');
  });

  it('makes an oops one although the shell that caused it only dies', async () => {
    const guest = await e2eGuest();
    const result = await crash(guest, 'EXCEPTION');
    expect(result).toMatchObject({
      outcome: 'oops',
      reason: expect.stringMatching(/^BUG: kernel NULL pointer dereference/) as string,
    });
    expect(result.reports[0]).toMatch(/lkdtm_EXCEPTION\+.* \(drivers\/misc\/lkdtm\/bugs\.c:\d+\)/);
    expect(result.reports[0]).toMatch(/end trace/);
  });

  it('marks the work in which a WARN came, lets it end, and does not mark the next', async () => {
    const guest = await e2eGuest();
    const result = await crash(guest, 'WARNING');
    expect(result.outcome).toBeUndefined();
    expect(result).toMatchObject({ marks: ['warn'], exec: { exitCode: 0, stdout: 'survived\n' } });
    expect(result.reports).toHaveLength(1);
    expect(result.reports[0]).toMatch(/cut here[\s\S]*WARNING: [\s\S]*lkdtm_WARNING[\s\S]*end trace/);
    expect(await shell(guest, 'true')).toMatchObject({ marks: [], reports: [] });
  });

  it('calls a command that overruns its limit a hang and keeps what was blocked', async () => {
    const guest = await e2eGuest();
    const result = await guest.exec(['sleep', '1000'], { limitMs: 3000 });
    expect(result).toMatchObject({ outcome: 'hang', exec: { timedOut: true, exitCode: undefined } });
    expect(result.reason).toMatch(/did not end within 3\.0 s/);
    expect(result.reports.join('\n')).toMatch(
      /sysrq: Show Blocked State[\s\S]*Show backtrace of all active CPUs/,
    );
  });

  it('calls a paused machine a hang after its deadline', async () => {
    const guest = await e2eGuest({}, impatient);
    const { qmpSocket } = await findGuest(e2eContext(), guest.name);
    const began = performance.now();
    const running = guest.exec(['sleep', '600'], { limitMs: 300_000 });
    await qmpOnce(qmpSocket, 'stop');
    const result = await running;
    expect(result).toMatchObject({
      outcome: 'hang',
      reason: expect.stringMatching(/did not answer for 8\.0 s; QEMU: paused/) as string,
    });
    expect(performance.now() - began).toBeLessThan(60_000);
    expect(result.reports.join('\n')).toMatch(/RIP=ffffffff/);
  });

  it('calls a stopped QEMU a hang, and can end it', async () => {
    const guest = await e2eGuest({}, impatient);
    const { qemu } = await findGuest(e2eContext(), guest.name);
    const running = guest.exec(['sleep', '600'], { limitMs: 300_000 });
    process.kill(qemu?.pid ?? 0, 'SIGSTOP');
    expect(await running).toMatchObject({
      outcome: 'hang',
      reason: expect.stringMatching(/QEMU: no answer/) as string,
    });
    await guest.stop();
    // Not kill(pid, 0): a dead child answers that until node has reaped it.
    expect(qemu && isAlive(qemu)).toBe(false);
  });

  it('calls a guest whose QEMU was killed lost', async () => {
    const guest = await e2eGuest();
    const { qemu } = await findGuest(e2eContext(), guest.name);
    const running = guest.exec(['sleep', '600'], { limitMs: 300_000 });
    process.kill(qemu?.pid ?? 0, 'SIGKILL');
    expect(await running).toMatchObject({
      outcome: 'lost',
      reason: 'QEMU was ended by SIGKILL',
      exec: { exitCode: undefined },
    });
    expect(guest.alive).toBe(false);
  });

  it('calls a guest that resets itself lost, not passed', async () => {
    const guest = await e2eGuest();
    const result = await shell(guest, 'echo b > /proc/sysrq-trigger; sleep 100');
    expect(result).toMatchObject({
      outcome: 'lost',
      reason: expect.stringMatching(/reset or powered off/) as string,
    });
  });

  it('calls a session that is lost beside a live guest infra', async () => {
    const guest = await e2eGuest();
    const result = await shell(guest, 'kill -9 $PPID; sleep 100');
    expect(result).toMatchObject({ outcome: 'infra', exec: { exitCode: undefined } });
  });
});

describe('supervision of a debug kernel', () => {
  // On a new machine scripts/test is still compiling it.
  beforeAll(() => e2eKernel('debug'), 40 * 60_000);

  it('marks KASAN and lockdep reports, each in its own work', async () => {
    const guest = await e2eGuest({}, { profile: 'debug' });
    const kasan = await crash(guest, 'WRITE_AFTER_FREE');
    expect(kasan.marks).toEqual(['kasan']);
    expect(kasan.reports[0]).toMatch(
      /BUG: KASAN: slab-use-after-free in lkdtm_WRITE_AFTER_FREE\+\S+ \(drivers\/misc\/lkdtm\/heap\.c:\d+\)/,
    );
    expect(kasan.reports[0]).toMatch(/Freed by task/);
    expect(kasan).toMatchObject({ exec: { exitCode: 0, stdout: 'survived\n' } });

    // Returns to user space with a spinlock held: lockdep's business only.
    const lockdep = await crash(guest, 'SPINLOCKUP');
    expect(lockdep.marks).toContain('lockdep');
    expect(lockdep.reports.join('\n')).toMatch(
      /lock held when returning to user space|scheduling while atomic/,
    );
  });
});
