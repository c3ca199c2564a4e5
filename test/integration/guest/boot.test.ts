// SPDX-License-Identifier: GPL-2.0-only
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';

import { InfraError, InterruptedError } from '../../../src/core/errors.js';
import { bootGuest, type BootOptions } from '../../../src/guest/boot.js';
import { BootError } from '../../../src/guest/errors.js';
import { mountFilesystems } from '../../../src/guest/launch.js';
import { guestDir } from '../../../src/guest/registry.js';
import type { GuestSpec } from '../../../src/guest/types.js';
import { QEMU } from '../../../src/host/probe.js';
import { testContext, type TestContext } from '../../helpers/context.js';
import { write } from '../../helpers/fake-kernel.js';
import { tempDir } from '../../helpers/temp.js';
import { until } from '../../helpers/until.js';

const PANIC = '[    1.000000] Kernel panic - not syncing: Requested init /none failed (error -2).';

/** Stands for QEMU: writes what it is told on the console and, once it is registered, goes on as it is told. */
function fakeQemu(said: string, then: string): void {
  const dir = tempDir('qemu');
  const file = path.join(dir, QEMU);
  writeFileSync(
    file,
    `#!/bin/bash
while [ $# -gt 0 ]; do
	case $1 in
	-pidfile) record=$(dirname "$2")/guest.json ;;
	file,id=console,path=*) console=\${1#file,id=console,path=} ;;
	esac
	shift
done
echo ${JSON.stringify(said)} >"$console"
until grep -q '"qemu"' "$record"; do :; done
${then}
`,
  );
  chmodSync(file, 0o755);
  const before = process.env['PATH'];
  process.env['PATH'] = `${dir}:${before}`;
  onTestFinished(() => void (process.env['PATH'] = before));
}

let context: TestContext;
let spec: GuestSpec;
beforeEach(() => {
  context = testContext();
  const dir = tempDir('guest');
  write(dir, { vmlinux: 'not a kernel', rootfs: '' });
  spec = {
    name: 'soft',
    vmlinux: path.join(dir, 'vmlinux'),
    release: '7.3.4',
    buildId: 'ab',
    rootfs: path.join(dir, 'rootfs'),
    disks: [{ name: 'scratch', sizeBytes: 1024 ** 2 }],
    accelerator: { name: 'tcg', reason: '', timeScale: 1 },
    cpus: 1,
    memoryMiB: 128,
    kernelArgs: [],
    workDir: path.join(context.dirs.cache, 'guests', 'soft-1'),
  };
});

const logs = (): string[] => {
  const dir = path.join(context.dirs.cache, 'logs');
  return existsSync(dir) ? readdirSync(dir) : [];
};

async function failure(options: BootOptions): Promise<BootError> {
  const error: unknown = await bootGuest(context, spec, options).catch((reason: unknown) => reason);
  if (!(error instanceof BootError)) throw new Error('expected a BootError', { cause: error });
  expect(existsSync(guestDir(context, spec.name))).toBe(false);
  return error;
}

describe('the console of a guest that does not come up', () => {
  it('is kept when its work folder goes with it, and the error names it', async () => {
    fakeQemu(PANIC, 'exit 0');
    const error = await failure({ ephemeral: true });
    expect(error.outcome).toBe('boot-error');
    expect(error.message).toContain('Requested init /none failed');
    expect(error.consoleTail.join('\n')).toContain('Kernel panic');
    expect(error.failure.log).toBe(path.join(context.dirs.cache, 'logs', 'boot-soft.log'));
    expect(readFileSync(error.failure.log ?? '', 'utf8')).toBe(`${PANIC}\n`);
    expect(existsSync(spec.workDir)).toBe(false);
  });

  it('is kept once a name: the last', async () => {
    fakeQemu('first', 'exit 1');
    await failure({ ephemeral: true });
    fakeQemu('second', 'exit 1');
    const error = await failure({ ephemeral: true });
    expect(readFileSync(error.failure.log ?? '', 'utf8')).toBe('second\n');
    expect(logs()).toEqual(['boot-soft.log']);
  });

  it('is not named when it could not be kept', async () => {
    fakeQemu(PANIC, 'exit 0');
    write(context.dirs.cache, { logs: 'no folder' });
    expect((await failure({ ephemeral: true })).failure.log).toBeUndefined();
    expect(existsSync(spec.workDir)).toBe(false);
  });

  it('stays where it is when the work folder does', async () => {
    fakeQemu(PANIC, 'exit 0');
    const error = await failure({});
    expect(error.failure.log).toBe(path.join(spec.workDir, 'console.log'));
    expect(readFileSync(error.failure.log ?? '', 'utf8')).toBe(`${PANIC}\n`);
    expect(logs()).toEqual([]);
  });

  it('goes with a boot that was interrupted', async () => {
    fakeQemu('booting', 'exec sleep 1000');
    const booting = bootGuest(context, spec, { ephemeral: true });
    const refused = expect(booting).rejects.toThrow(InterruptedError);
    await until(() =>
      readFileSync(path.join(guestDir(context, 'soft'), 'guest.json'), 'utf8').includes('"qemu"')
        ? true
        : undefined,
    );
    context.abort();
    await refused;
    expect(logs()).toEqual([]);
    expect(existsSync(spec.workDir)).toBe(false);
    expect(existsSync(guestDir(context, 'soft'))).toBe(false);
  });
});

describe('the console of a guest that cannot mount what it should', () => {
  it('is kept when the guest is stopped, and the error names it', async () => {
    write(spec.workDir, { 'console.log': 'EXT4-fs: bad option\n' });
    const guest = {
      name: 'soft',
      console: path.join(spec.workDir, 'console.log'),
      exec: async (argv: readonly string[]) => {
        const failed = argv[0] === 'mount';
        const exec = { exitCode: failed ? 32 : 0, signal: undefined, stdout: '', stderr: 'bad option\n' };
        const quiet = { marks: [], reports: [], consoleFrom: 0, consoleTo: 0 };
        return { ...quiet, exec: { ...exec, timedOut: false, durationMs: 1 } };
      },
      // As of an ephemeral guest.
      stop: async () => rmSync(spec.workDir, { recursive: true }),
    };
    const error: unknown = await mountFilesystems(context, guest, ['ext4'], { ext4: 'nonsense' }, 1000).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InfraError);
    const { message, failure: told } = error as InfraError;
    expect(message).toBe('guest soft: mount -t ext4 -o nonsense /dev/enokey/ext4 /mnt/ext4: bad option');
    expect(readFileSync(told.log ?? '', 'utf8')).toBe('EXT4-fs: bad option\n');
    expect(existsSync(spec.workDir)).toBe(false);
  });
});
