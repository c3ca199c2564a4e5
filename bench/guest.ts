// SPDX-License-Identifier: GPL-2.0-only
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { bootGuest } from '../src/guest/boot.js';
import type { RunningGuest } from '../src/guest/running.js';
import type { DiskSpec } from '../src/guest/types.js';
import { selectAccelerator } from '../src/host/accelerator.js';
import { ensureImage } from '../src/image/index.js';
import { buildKernel } from '../src/kernel/build.js';
import { benchContext } from './context.js';

let serial = 0;

/** Runs `work` in a fresh guest of the stock kernel, which is stopped afterwards. */
export async function withGuest<T>(
  disks: readonly DiskSpec[],
  work: (guest: RunningGuest) => Promise<T>,
): Promise<T> {
  const { context, settings } = await benchContext();
  const [{ artifact }, image, accelerator] = [
    await buildKernel(context, { variant: await settings.resolve('stock'), profile: 'default' }),
    await ensureImage(context),
    await selectAccelerator(context),
  ];
  const workDir = await mkdtemp(path.join(tmpdir(), 'enokey-bench-'));
  try {
    const guest = await bootGuest(context, {
      name: `bench-${process.pid}-${++serial}`,
      vmlinux: artifact.vmlinux,
      release: artifact.release,
      buildId: artifact.buildId,
      rootfs: image.rootfs,
      disks,
      accelerator,
      cpus: 2,
      memoryMiB: 1024,
      kernelArgs: [],
      workDir,
    });
    try {
      return await work(guest);
    } finally {
      await guest.stop();
    }
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
