// SPDX-License-Identifier: GPL-2.0-only
import { UserError } from '../core/errors.js';
import { isFstestsName } from '../fstests/names.js';
import { isProbe, type Effort } from '../probe/catalog.js';
import { selectTestIterations, selectTests, type MatrixOptions } from './request.js';
import type { Environment, RunPlan } from './types.js';
import { variantDifferences } from './variant-record.js';

/** What a command line says of a run that it resumes; undefined means "as planned". */
export interface Restated extends Omit<MatrixOptions, 'exclude' | 'fstests'> {
  readonly fstests?: RestatedFstests;
}

/** What the flags for tests of fstests say. */
export interface RestatedFstests {
  /** `DIR|URL[@REF]`, DIR absolute. */
  readonly source?: string;
  readonly timeFactor?: number;
  readonly groups?: readonly string[];
  /** Files. */
  readonly exclude?: readonly string[];
}

/** Contracts and conditions of variants that a refusal names; where more differ, it says how many. */
const MAX_NAMED = 6;

function same(a: unknown, b: unknown): boolean {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return [...(value as unknown[])].sort();
    return typeof value === 'object' && value !== null ? Object.entries(value).sort() : value;
  };
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function shown(value: unknown): string {
  if (value === undefined) return 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.join(',');
  if (typeof value !== 'object' || value === null) return `${value as string | number}`;
  return Object.entries(value)
    .map(([name, one]) => `${name}=${String(one)}`)
    .join(',');
}

/** Plans of older versions have it in their command line alone. */
function effortOf({ effort, command }: RunPlan): Effort {
  return effort ?? (/ --quick(?: |$)/.test(command) ? 'quick' : 'normal');
}

/**
 * Refuses flags that ask for something else than the run was made for.
 * @throws UserError with what was planned, or for a name that does not exist
 */
export function checkRestated(plan: RunPlan, restated: Restated): void {
  const { fstests = {} } = restated;
  const subject = `run ${plan.id}`;
  const chooser = fstests.groups ? '-g' : fstests.exclude ? '--exclude' : undefined;
  if (chooser !== undefined) {
    throw new UserError({
      subject,
      observed: `has its tests already, ${chooser} chooses those of a new run`,
      next: `leave ${chooser} out to resume it as planned, or start a new run without --resume`,
    });
  }
  // Whether fstests has a test does not matter here: one that is not in the plan is refused as such.
  const named = [...(restated.tests ?? []), ...Object.keys(restated.testIterations ?? {})];
  const others = [...plan.tests.filter((test) => !isProbe(test)), ...named.filter(isFstestsName)];
  const tests = restated.tests && selectTests(restated.tests, others);
  const testIterations = selectTestIterations(restated.testIterations, plan.tests, others);
  const values: readonly (readonly [what: string, planned: unknown, asked: unknown])[] = [
    ['variants', plan.variants, restated.variants],
    ['file systems', plan.filesystems, restated.filesystems],
    ['tests', plan.tests, tests],
    ['iterations', plan.iterations, restated.iterations],
    ['iterations of tests', plan.testIterations, testIterations],
    ['seed', plan.seed, restated.seed],
    ['profile', plan.profile, restated.profile],
    ['tree', plan.tree ?? 'as imported', restated.tree],
    ['accelerator', plan.accelerator, restated.accelerator],
    ['effort', effortOf(plan), restated.effort],
    ['fresh guests', plan.freshGuest, restated.freshGuest],
    ['CPUs of a guest', plan.guest.cpus, restated.guestCpus],
    ['memory of a guest (MiB)', plan.guest.memoryMiB, restated.guestMemoryMiB],
    ['fstests', plan.fstests?.asked ?? (plan.fstests?.source && 'upstream'), fstests.source],
    ['time factor', plan.fstests?.timeFactor, fstests.timeFactor],
  ];
  for (const [what, planned, asked] of values) {
    if (asked === undefined || same(asked, planned)) continue;
    throw new UserError({
      subject,
      observed: `was planned with ${what} ${shown(planned)}, not ${shown(asked)}`,
      next: 'leave the flag out to resume it as planned, or start a new run without --resume',
    });
  }
}

/** An image of one recipe comes with the packages of the day on which it was made. */
function imageDifferences(then: Environment['image'], now: Environment['image']): string[] {
  const differs = (what: string, a: unknown, b: unknown): string =>
    `${what} was ${shown(a)}, is now ${shown(b)}`;
  if (then.key !== now.key) return [differs('the image', then.key, now.key)];
  const named = Object.keys({ ...then.packages, ...now.packages })
    .filter((name) => then.packages[name] !== now.packages[name])
    .map((name) => differs(`${name} in the image`, then.packages[name], now.packages[name]));
  // Older versions recorded no more than what reports name.
  if (named.length > 0 || then.contents === undefined || then.contents === now.contents) return named;
  return [differs('the list of packages in the image', then.contents, now.contents)];
}

/** What differs between the conditions of a run and those of now, in words; empty when it may go on. */
export function differences(then: Environment, now: Environment): string[] {
  const found: string[] = [];
  const compare = (what: string, a: unknown, b: unknown): void => {
    if (!same(a, b)) found.push(`${what} was ${shown(a)}, is now ${shown(b)}`);
  };
  for (const kernel of then.kernels) {
    const today = now.kernels.find((one) => one.variant === kernel.variant);
    if (kernel.treeId !== today?.treeId)
      compare(`the source of ${kernel.variant}`, kernel.treeId, today?.treeId);
    else if (kernel.configHash !== today.configHash)
      compare(`the config of ${kernel.variant}`, kernel.configHash, today.configHash);
    else compare(`the kernel of ${kernel.variant}`, kernel.artifactKey, today.artifactKey);
  }
  if (then.variants) {
    const variants = variantDifferences(then.variants, now.variants ?? []);
    found.push(...variants.slice(0, MAX_NAMED));
    if (variants.length > MAX_NAMED) found.push(`${variants.length - MAX_NAMED} more of the variants`);
  }
  found.push(...imageDifferences(then.image, now.image));
  compare('the probes', then.probes, now.probes);
  compare('fstests', then.fstests?.commit, now.fstests?.commit);
  if (then.fstests?.overrides !== undefined)
    compare('the overrides of fstests', then.fstests.overrides, now.fstests?.overrides);
  if (then.port !== undefined) compare('the port of generic/595', then.port, now.port);
  compare('QEMU', then.qemu, now.qemu);
  compare('the accelerator', then.accelerator.name, now.accelerator.name);
  compare('the host CPU', then.host.cpu, now.host.cpu);
  return found;
}

/** @throws UserError naming everything that differs. */
export function checkSameConditions(id: string, then: Environment, now: Environment): void {
  const found = differences(then, now);
  if (found.length === 0) return;
  const imageIsNew = then.image.key === now.image.key && imageDifferences(then.image, now.image).length > 0;
  throw new UserError({
    subject: `run ${id}`,
    observed: `cannot go on under other conditions: ${found.join('; ')}`,
    next: imageIsNew
      ? 'the image was made anew and the earlier one is gone: start a new run without --resume'
      : 'restore them, or start a new run without --resume',
  });
}
