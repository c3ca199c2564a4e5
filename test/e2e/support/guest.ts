// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished } from 'vitest';

import { loadSettings } from '../../../src/config/index.js';
import { bootGuest, type BootOptions } from '../../../src/guest/boot.js';
import type { RunningGuest } from '../../../src/guest/running.js';
import type { GuestSpec, SupervisedResult } from '../../../src/guest/types.js';
import { selectAccelerator } from '../../../src/host/accelerator.js';
import { ensureImage } from '../../../src/image/index.js';
import { buildKernel } from '../../../src/kernel/build.js';
import type { Profile } from '../../../src/kernel/types.js';
import { e2eContext, REPOSITORY } from './context.js';

export { e2eContext, REPOSITORY };

type Kernel = Pick<GuestSpec, 'vmlinux' | 'release' | 'buildId'>;
const kernels = new Map<string, Promise<Kernel>>();

/**
 * The kernel of a variant from the store, built when it is not there. ENOKEY_E2E_VMLINUX (and, for the debug
 * profile, ENOKEY_E2E_VMLINUX_DEBUG) name one that was built by hand instead. ENOKEY_E2E_INSTEAD=VARIANT=OTHER, with
 * OTHER from the file ENOKEY_E2E_CONFIG, runs what is written for VARIANT on OTHER: see test/seeded-bugs.
 */
export function e2eKernel(profile: Profile = 'default', variant = 'stock'): Promise<Kernel> {
  const byHand = process.env[profile === 'debug' ? 'ENOKEY_E2E_VMLINUX_DEBUG' : 'ENOKEY_E2E_VMLINUX'];
  const key = `${profile}/${variant}`;
  let kernel = kernels.get(key);
  if (!kernel) {
    kernel = byHand ? Promise.resolve(kernelByHand(byHand)) : buildStored(profile, variant);
    kernels.set(key, kernel);
  }
  return kernel;
}

async function buildStored(profile: Profile, name: string): Promise<Kernel> {
  const file = process.env['ENOKEY_E2E_CONFIG'];
  const settings = await loadSettings({ cwd: REPOSITORY, packageRoot: REPOSITORY, ...(file && { file }) });
  const [replaced, other] = process.env['ENOKEY_E2E_INSTEAD']?.split('=') ?? [];
  const variant = await settings.resolve(name === replaced && other ? other : name);
  const { artifact } = await buildKernel(e2eContext(), { variant, profile });
  return artifact;
}

function kernelByHand(vmlinux: string): Kernel {
  const notes = execFileSync('readelf', ['-n', vmlinux], { encoding: 'utf8' });
  const banner = execFileSync('strings', ['-n', '12', vmlinux], { encoding: 'utf8', maxBuffer: 1e9 });
  const release = /^Linux version (\d\S+)/m.exec(banner)?.[1];
  const buildId = /Build ID: ([0-9a-f]+)/.exec(notes)?.[1];
  if (!release || !buildId) throw new Error(`${vmlinux}: no release or no build id`);
  return { vmlinux, release, buildId };
}

export async function e2eRootfs(): Promise<string> {
  return process.env['ENOKEY_E2E_ROOTFS'] ?? (await ensureImage(e2eContext())).rootfs;
}

let serial = 0;

/**
 * A spec of a guest with a work folder that goes when the test ends; of a test that was killed, with the next
 * `withScratch`, which finds it by its name.
 */
export async function e2eSpec(
  more: Partial<GuestSpec> = {},
  profile: Profile = 'default',
  variant = 'stock',
): Promise<GuestSpec> {
  const context = e2eContext();
  const name = `e2e-${process.pid}-${++serial}`;
  const scratch = path.join(context.dirs.cache, 'tmp');
  mkdirSync(scratch, { recursive: true });
  const workDir = mkdtempSync(path.join(scratch, `e2e work-${process.pid}-`));
  onTestFinished(() => rm(workDir, { recursive: true, force: true }));
  return {
    name,
    ...(await e2eKernel(profile, variant)),
    rootfs: await e2eRootfs(),
    disks: [],
    accelerator: await selectAccelerator(context),
    cpus: 2,
    memoryMiB: profile === 'debug' ? 2048 : 1024,
    kernelArgs: [],
    workDir,
    ...more,
  };
}

/** A booted guest that is stopped when the test ends. */
export async function e2eGuest(
  more: Partial<GuestSpec> = {},
  options: BootOptions & { profile?: Profile; variant?: string } = {},
): Promise<RunningGuest> {
  const spec = await e2eSpec(more, options.profile, options.variant);
  const guest = await bootGuest(e2eContext(), spec, options);
  onTestFinished(() => guest.stop());
  return guest;
}

/** Runs a shell script in the guest; `limitMs` at time scale 1. */
export function shell(guest: RunningGuest, script: string, limitMs = 6000): Promise<SupervisedResult> {
  return guest.exec(['bash', '-c', script], { limitMs: limitMs * guest.spec.accelerator.timeScale });
}
