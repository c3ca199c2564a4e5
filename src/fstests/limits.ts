// SPDX-License-Identifier: GPL-2.0-only

import { z } from 'zod';
import { readChecked } from './yaml.js';

const schema = z.strictObject({
  default: z.number().int().min(1),
  tests: z.record(z.string(), z.number().int().min(1)),
});

/** Seconds that a test may take where nothing is emulated. */
export interface Limits {
  readonly default: number;
  readonly tests: Readonly<Record<string, number>>;
}

/** Reads fstests-overrides/limits.yaml. @throws UserError naming file and field */
export async function readLimits(file: string): Promise<Limits> {
  return readChecked(file, schema);
}

/** Milliseconds for one test: its own limit, scaled by the accelerator and by the longer stress phases. */
export function limitOf(limits: Limits, id: string, timeScale: number, timeFactor: number): number {
  return (limits.tests[id] ?? limits.default) * 1000 * timeScale * Math.max(1, timeFactor);
}
