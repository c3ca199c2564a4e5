// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Variant } from '../../src/config/types.js';
import type { Context } from '../../src/core/context.js';
import { RunFolder } from '../../src/run/folder.js';
import { runMatrix, type MatrixResult } from '../../src/run/matrix.js';
import type { Machinery } from '../../src/run/needs.js';
import { planMatrix, type MatrixOptions } from '../../src/run/request.js';
import type { RunPlan } from '../../src/run/types.js';
import { fakeSettings, fakeVariant } from './fake-machinery.js';

export const FAKE_VARIANTS: readonly Variant[] = [fakeVariant('stock'), fakeVariant('soft')];

export function planFake(
  options: MatrixOptions = {},
  variants = FAKE_VARIANTS,
  otherTests: readonly string[] = [],
): Promise<RunPlan> {
  return planMatrix(
    fakeSettings(variants),
    { iterations: 2, seed: 1, effort: 'quick', ...options },
    { now: new Date(), randomSeed: 7, availableMiB: 8192, cpus: 2, otherTests },
  );
}

export function startFake(
  context: Context,
  machinery: Machinery,
  plan: RunPlan | undefined,
  variants = FAKE_VARIANTS,
  dir = path.join(context.dirs.state, 'runs', 'r'),
): Promise<MatrixResult> {
  return runMatrix(context, machinery, {
    folder: new RunFolder(dir),
    plan,
    resolveVariant: (name) => fakeSettings(variants).resolve(name),
  });
}
