// SPDX-License-Identifier: GPL-2.0-only
import { UserError } from '../core/errors.js';
import type { Environment, RunPlan } from './types.js';

/** What a resume may be told again; undefined means "as planned". */
export interface Restated {
  readonly variants?: readonly string[];
  readonly filesystems?: readonly string[];
  readonly tests?: readonly string[];
  readonly iterations?: number;
  readonly testIterations?: Readonly<Record<string, number>>;
  readonly seed?: number;
  readonly profile?: string;
  readonly tree?: string;
  readonly accelerator?: string;
}

function same(a: unknown, b: unknown): boolean {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return [...(value as unknown[])].sort();
    return typeof value === 'object' && value !== null ? Object.entries(value).sort() : value;
  };
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, one]) => `${name}=${String(one)}`)
    .join(',');
}

/** Refuses flags that ask for something else than the run was made for. @throws UserError */
export function checkRestated(plan: RunPlan, restated: Restated): void {
  for (const [name, value] of Object.entries(restated)) {
    const planned = plan[name as keyof Restated];
    if (value === undefined || same(value, planned)) continue;
    throw new UserError({
      subject: `run ${plan.id}`,
      observed: `was planned with ${name} ${shown(planned)}, not ${shown(value)}`,
      next: 'leave the flag out to resume it as planned, or start a new run without --resume',
    });
  }
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
  compare('the image', then.image.key, now.image.key);
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
  throw new UserError({
    subject: `run ${id}`,
    observed: `cannot go on under other conditions: ${found.join('; ')}`,
    next: 'restore them, or start a new run without --resume',
  });
}
