// SPDX-License-Identifier: GPL-2.0-only
import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { UserError } from '../core/errors.js';
import { buildKernel, findKernel, type BuildOptions } from './build.js';
import type { Artifact } from './types.js';

export interface BuildAllOptions extends Omit<BuildOptions, 'variant'> {
  /** `VARIANT` or `VARIANT@N`, in the order in which they are built. */
  readonly names: readonly string[];
  /** @throws UserError for an unknown name or an `@N` beyond the series. */
  readonly resolve: (name: string) => Promise<Variant>;
  /** Build after every patch of each variant's own series, or of the base series where it has none. */
  readonly each?: boolean;
  /** Build nothing. */
  readonly dryRun?: boolean;
  readonly jobs?: number;
}

export interface BuildReport {
  readonly variant: string;
  /** What happened, or with `dryRun` what would. */
  readonly state: 'built' | 'in the store' | 'would be built';
  readonly artifact?: Artifact;
  /** Milliseconds in make, and objects made. */
  readonly buildMs: number;
  readonly objects: number;
}

/** A series longer than this is a mistake in counting, not a series. */
const MOST_PATCHES = 1000;

/**
 * Builds several variants one after the other: they share a folder.
 * All names are resolved before anything is built, so that a typo in the last costs no build of the first.
 */
export async function buildAll(context: Context, options: BuildAllOptions): Promise<BuildReport[]> {
  const { jobs, names, resolve, each, dryRun, ...rest } = options;
  if (jobs !== undefined && jobs < 1) {
    throw new UserError({
      subject: '--jobs',
      observed: String(jobs),
      expected: 'a whole number of at least 1',
    });
  }
  const here = jobs === undefined ? context : { ...context, jobs };
  const variants: Variant[] = [];
  for (const name of names) variants.push(...(each ? await eachPatch(name, resolve) : [await resolve(name)]));
  const reports: BuildReport[] = [];
  for (const variant of variants) {
    if (dryRun) {
      const artifact = await findKernel(here, { ...rest, variant });
      const state = artifact ? 'in the store' : 'would be built';
      reports.push({ variant: variant.name, state, artifact, buildMs: 0, objects: 0 });
      continue;
    }
    const { artifact, fromStore, buildMs, objects } = await buildKernel(here, { ...rest, variant });
    const state = fromStore ? 'in the store' : 'built';
    reports.push({ variant: variant.name, state, artifact, buildMs, objects });
  }
  return reports;
}

/** `V@1`, `V@2`, ... up to the whole series; the variant alone when it has none. */
async function eachPatch(name: string, resolve: BuildAllOptions['resolve']): Promise<Variant[]> {
  if (name.includes('@')) {
    throw new UserError({
      subject: `variant ${name}`,
      observed: '--each with @N',
      expected: 'the name alone',
    });
  }
  const whole = await resolve(name);
  if (whole.series.length === 0) return [whole];
  const steps: Variant[] = [];
  for (let count = 1; count <= MOST_PATCHES; count++) {
    try {
      steps.push(await resolve(`${name}@${count}`));
    } catch (error) {
      // The first number beyond the series ends it; with none before it, the error is another one.
      if (!(error instanceof UserError) || count === 1) throw error;
      return steps;
    }
  }
  throw new UserError({ subject: `variant ${name}`, observed: `more than ${MOST_PATCHES} patches` });
}
