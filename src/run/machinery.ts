// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg, release, totalmem } from 'node:os';

import { EnokeyError, InterruptedError } from '../core/errors.js';
import type { Profile } from '../kernel/types.js';
import type { TestDriver } from './driver.js';
import type { BootAttempt, Machinery } from './needs.js';

function cpuModel(): string {
  try {
    return (
      /^model name\s*:\s*(.+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim() ?? 'unknown CPU'
    );
  } catch {
    return 'unknown CPU';
  }
}

/**
 * The real world for a run: kernels, image and guests of this host. Every domain is loaded when it is first
 * needed, so that a refused plan costs nothing.
 */
export async function hostMachinery(version: string): Promise<Machinery> {
  return {
    version,
    async kernel(context, variant, plan) {
      const { buildKernel } = await import('../kernel/build.js');
      const { artifact } = await buildKernel(context, {
        variant,
        profile: plan.profile as Profile,
        tree: plan.tree,
      });
      return artifact;
    },
    async image(context) {
      const { ensureImage } = await import('../image/index.js');
      return ensureImage(context);
    },
    async accelerator(context, wanted) {
      const { selectAccelerator } = await import('../host/accelerator.js');
      return selectAccelerator(context, wanted === 'auto' ? undefined : wanted);
    },
    async qemuVersion(context) {
      const [{ QEMU }, { runOrThrow }] = await Promise.all([
        import('../host/probe.js'),
        import('../system/process.js'),
      ]);
      const { stdout } = await runOrThrow(QEMU, ['--version'], { signal: context.signal });
      return stdout.split('\n', 1)[0]?.trim() ?? QEMU;
    },
    async drivers(context, plan) {
      const { isProbe } = await import('../probe/catalog.js');
      const drivers: TestDriver[] = [];
      if (plan.tests.some(isProbe)) {
        const [{ ensureProbeBinary }, { ProbeDriver }] = await Promise.all([
          import('../probe/binary.js'),
          import('./probe-driver.js'),
        ]);
        drivers.push(new ProbeDriver(await ensureProbeBinary(context), context.dirs.shipped));
      }
      if (plan.fstests) {
        const [{ fstestsDrivers }, { ensureImage }] = await Promise.all([
          import('../fstests/index.js'),
          import('../image/index.js'),
        ]);
        drivers.push(
          ...(await fstestsDrivers(context, plan.tests, plan.fstests, () => ensureImage(context))),
        );
      }
      return drivers;
    },
    async boot(context, spec): Promise<BootAttempt> {
      const { bootGuest, BootError } = await import('../guest/index.js');
      try {
        return { guest: await bootGuest(context, spec, { label: spec.release }) };
      } catch (error) {
        if (context.signal.aborted) throw new InterruptedError();
        if (error instanceof BootError) return { outcome: error.outcome, reason: error.message };
        // A full disk or a missing program fails every further boot alike: the run ends instead.
        if (error instanceof EnokeyError) throw error;
        return { outcome: 'infra', reason: error instanceof Error ? error.message : String(error) };
      }
    },
    host: () => ({
      cpu: cpuModel(),
      cpus: availableParallelism(),
      memoryMiB: Math.round(totalmem() / 2 ** 20),
      kernel: release(),
    }),
    hostLoad: () => Math.round((loadavg()[0] ?? 0) * 100) / 100,
    now: () => new Date(),
    monotonic: () => performance.now(),
  };
}
