// SPDX-License-Identifier: GPL-2.0-only
import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { InfraError } from '../core/errors.js';
import type { Accelerator } from '../host/types.js';
import type { GuestImage } from '../image/types.js';
import type { Artifact } from '../kernel/types.js';
import type { TestDriver } from './driver.js';
import type { Machinery } from './needs.js';
import type { Stopwatch } from './timing.js';
import type { Environment, RunPlan } from './types.js';
import { recordVariant } from './variant-record.js';

/** What a run needs before its first guest. */
export interface Ingredients {
  readonly artifacts: ReadonlyMap<string, Artifact>;
  readonly image: GuestImage;
  readonly accelerator: Accelerator;
  readonly drivers: readonly TestDriver[];
  readonly environment: Environment;
}

/**
 * Gets kernels, image, accelerator and drivers, side by side where they do not wait for each other. The first
 * failure ends the others; it is thrown when all of them have ended, so that nothing runs on behind.
 */
export async function ensureIngredients(
  context: Context,
  machinery: Machinery,
  plan: RunPlan,
  variants: readonly Variant[],
  watch: Stopwatch,
): Promise<Ingredients> {
  const failed = new AbortController();
  const inner: Context = { ...context, signal: AbortSignal.any([context.signal, failed.signal]) };
  let first: { error: unknown } | undefined;
  const part = <T>(phase: string, work: () => Promise<T>): Promise<T | undefined> =>
    watch.time(phase, work).catch((error: unknown) => {
      first ??= { error };
      failed.abort();
      return undefined;
    });
  const [artifacts, image, accelerator, qemu, drivers] = await Promise.all([
    part('kernel', async () => {
      const made = new Map<string, Artifact>();
      // One after the other: they share a worktree, and make uses all jobs by itself.
      for (const variant of variants) made.set(variant.name, await machinery.kernel(inner, variant, plan));
      return made;
    }),
    part('image', () => machinery.image(inner)),
    part('accelerator', () => machinery.accelerator(inner, plan.accelerator)),
    part('qemu', () => machinery.qemuVersion(inner)),
    part('drivers', () => machinery.drivers(inner, plan)),
  ]);
  if (first) throw first.error;
  if (!artifacts || !image || !accelerator || qemu === undefined || !drivers) {
    throw new InfraError({ subject: 'the run', observed: 'an ingredient is missing' });
  }
  const orphan = plan.tests.find((test) => !drivers.some((driver) => driver.owns(test)));
  if (orphan !== undefined)
    throw new InfraError({ subject: `test ${orphan}`, observed: 'nothing here runs it' });
  const environment: Environment = {
    enokey: machinery.version,
    kernels: variants.map((variant) => kernelRecord(variant.name, artifacts.get(variant.name))),
    variants: variants.map((variant) => recordVariant(plan, variant)),
    image: { key: image.key, contents: image.contents, packages: image.packages },
    qemu,
    accelerator: { name: accelerator.name, reason: accelerator.reason },
    host: machinery.host(),
    guest: plan.guest,
    ...drivers.reduce<Partial<Environment>>((all, driver) => ({ ...all, ...driver.environment }), {}),
  };
  return { artifacts, image, accelerator, drivers, environment };
}

function kernelRecord(variant: string, artifact: Artifact | undefined): Environment['kernels'][number] {
  if (!artifact) throw new InfraError({ subject: `kernel of ${variant}`, observed: 'was not made' });
  return {
    variant,
    release: artifact.release,
    commit: artifact.commit,
    treeId: artifact.treeId,
    artifactKey: artifact.key,
    configHash: artifact.configHash,
    compiler: artifact.compiler,
    profile: artifact.profile,
  };
}
