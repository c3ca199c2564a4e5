// SPDX-License-Identifier: GPL-2.0-only
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { Context } from '../src/core/context.js';
import { bootGuest } from '../src/guest/boot.js';
import type { RunningGuest } from '../src/guest/running.js';
import type { DiskSpec, GuestSpec } from '../src/guest/types.js';
import { selectAccelerator } from '../src/host/accelerator.js';
import { ensureImage } from '../src/image/index.js';
import { buildKernel } from '../src/kernel/build.js';
import { benchContext } from './context.js';

/** Deadline of one script in a guest, at time scale 1. */
const SCRIPT_MS = 60_000;

let serial = 0;

/** See GuestSpec; one CPU when instructions are counted. */
export type GuestOptions = Partial<Pick<GuestSpec, 'countInstructions' | 'kernelArgs'>>;

async function bootBench(
  context: Context,
  kernel: Pick<GuestSpec, 'vmlinux' | 'release' | 'buildId'>,
  disks: readonly DiskSpec[],
  workDir: string,
  { countInstructions = false, kernelArgs = [] }: GuestOptions,
): Promise<RunningGuest> {
  return bootGuest(context, {
    name: `bench-${process.pid}-${++serial}`,
    vmlinux: kernel.vmlinux,
    release: kernel.release,
    buildId: kernel.buildId,
    rootfs: (await ensureImage(context)).rootfs,
    disks,
    accelerator: await selectAccelerator(context),
    cpus: countInstructions ? 1 : 2,
    memoryMiB: 1024,
    kernelArgs,
    countInstructions,
    workDir,
  });
}

/** Runs `work` in fresh guests, one for each of the variants' kernels, which are stopped afterwards. */
export async function withGuests<T>(
  variants: readonly string[],
  disks: readonly DiskSpec[],
  work: (guests: RunningGuest[]) => Promise<T>,
  options: GuestOptions = {},
): Promise<T> {
  const { context, settings } = await benchContext();
  const workDir = await mkdtemp(path.join(tmpdir(), 'enokey-bench-'));
  const guests: RunningGuest[] = [];
  try {
    // All kernels first: a compiler beside a guest would be measured with it.
    const kernels = [];
    for (const name of variants) {
      const variant = await settings.resolve(name);
      kernels.push((await buildKernel(context, { variant, profile: 'default' })).artifact);
    }
    for (const [index, kernel] of kernels.entries())
      guests.push(await bootBench(context, kernel, disks, path.join(workDir, String(index)), options));
    return await work(guests);
  } finally {
    await Promise.all(guests.map((guest) => guest.stop()));
    await rm(workDir, { recursive: true, force: true });
  }
}

/** Runs `work` in a fresh guest of the stock kernel, which is stopped afterwards. */
export async function withGuest<T>(
  disks: readonly DiskSpec[],
  work: (guest: RunningGuest) => Promise<T>,
): Promise<T> {
  return withGuests(['stock'], disks, ([guest]) => work(guest as RunningGuest));
}

/** What a shell script in the guest writes on stdout. @throws when it does not exit 0 or the kernel complains. */
export async function shell(guest: RunningGuest, script: string, input?: Uint8Array): Promise<string> {
  const result = await guest.exec(['bash', '-c', script], {
    limitMs: SCRIPT_MS * guest.spec.accelerator.timeScale,
    ...(input && { input }),
  });
  if (result.exec?.exitCode === 0 && result.reports.length === 0) return result.exec.stdout;
  const said = result.reason ?? result.reports[0] ?? result.exec?.stderr;
  throw new Error(`${guest.spec.release}: ${script}: exit ${result.exec?.exitCode}: ${said}`);
}
