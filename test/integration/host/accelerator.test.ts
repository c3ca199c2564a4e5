// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { probeAccelerators, selectAccelerator } from '../../../src/host/accelerator.js';
import { PAYLOAD_CODE } from '../../../src/host/payload.js';
import { probeAccelerator } from '../../../src/host/probe.js';
import { testContext } from '../../helpers/context.js';
import { tempDir } from '../../helpers/temp.js';

describe('payload', () => {
  it('is payload.s, assembled', () => {
    const dir = tempDir('payload');
    const source = path.resolve(import.meta.dirname, '../../../src/host/payload.s');
    execFileSync('as', ['--64', '-o', path.join(dir, 'p.o'), source]);
    execFileSync('ld', [
      '-m',
      'elf_x86_64',
      '-Ttext',
      '0x100000',
      '--oformat',
      'binary',
      '-o',
      path.join(dir, 'p.bin'),
      path.join(dir, 'p.o'),
    ]);
    expect(readFileSync(path.join(dir, 'p.bin')).toString('hex')).toBe(PAYLOAD_CODE.toString('hex'));
  });
});

describe('probeAccelerator', () => {
  it('boots the payload on TCG: the control that shows that the payload is sound', async () => {
    const workDir = tempDir('probe');
    const result = await probeAccelerator('tcg', { workDir, deadlineMs: 20_000 });
    expect(result).toMatchObject({
      usable: true,
      detail: expect.stringMatching(/booted in \d+ ms/) as string,
    });
    expect(readdirSync(workDir)).toEqual([]);
  });

  it('reports a CPU that does not run it, with how far it came, within the deadline', async () => {
    // A 32-bit CPU cannot enter long mode: it stops exactly there, and QEMU does not exit by itself.
    const result = await probeAccelerator('tcg', {
      workDir: tempDir('probe'),
      deadlineMs: 1500,
      cpu: 'pentium3',
    });
    expect(result.usable).toBe(false);
    expect(result.detail).toMatch(/long mode/);
    expect(result.durationMs).toBeLessThan(4000);
  });

  it('reports what QEMU says when it does not start', async () => {
    const result = await probeAccelerator('tcg', {
      workDir: tempDir('probe'),
      deadlineMs: 5000,
      cpu: 'no-such-cpu',
    });
    expect(result).toMatchObject({
      usable: false,
      detail: expect.stringMatching(/exited with 1.*no-such-cpu/) as string,
    });
  });
});

describe('selectAccelerator', () => {
  it('decides within 10 s, says why once, and then reads its verdict', async () => {
    const context = testContext();
    const began = performance.now();
    const first = await selectAccelerator(context);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(first.reason).toMatch(/^kvm: /);
    expect(first.timeScale).toBe(first.name === 'tcg' ? 15 : 1);
    expect(context.events.filter(({ type }) => type === 'note')).toHaveLength(first.name === 'tcg' ? 1 : 0);
    expect(await selectAccelerator(context)).toEqual(first);
    expect(context.events.filter(({ type }) => type === 'note')).toHaveLength(first.name === 'tcg' ? 1 : 0);
    expect((await probeAccelerators(context)).fresh).toBe(false);
  });

  it('refuses a forced accelerator that does not work, naming the reason', async () => {
    const context = testContext();
    const { kvm } = await probeAccelerators(context);
    if (kvm.usable) expect((await selectAccelerator(context, 'kvm')).name).toBe('kvm');
    else
      await expect(selectAccelerator(context, 'kvm')).rejects.toMatchObject({
        exitCode: 2,
        message: `--accel kvm: ${kvm.detail}`,
      });
    expect((await selectAccelerator(context, 'tcg')).name).toBe('tcg');
  });

  it('probes again when the verdict is damaged or of another boot of the host', async () => {
    const context = testContext();
    await probeAccelerators(context);
    const file = path.join(context.dirs.cache, 'host/accelerator.json');
    for (const text of [
      '{',
      JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), key: 'old' }),
    ]) {
      writeFileSync(file, text);
      expect((await probeAccelerators(context)).fresh).toBe(true);
    }
  });
});
