// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';

import { load } from 'js-yaml';
import { z } from 'zod';

import { UserError } from '../core/errors.js';

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
  let data: unknown;
  try {
    data = load(await readFile(file, 'utf8'), { filename: file });
  } catch (error) {
    throw new UserError({
      subject: file,
      observed: `cannot be read: ${(error as Error).message.split('\n')[0]}`,
      cause: error,
    });
  }
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new UserError({
    subject: `${file}: ${issue?.path.join('.') ?? ''}`,
    observed: issue?.message ?? 'not valid',
  });
}

/** Milliseconds for one test: its own limit, scaled by the accelerator and by the longer stress phases. */
export function limitOf(limits: Limits, id: string, timeScale: number, timeFactor: number): number {
  return (limits.tests[id] ?? limits.default) * 1000 * timeScale * Math.max(1, timeFactor);
}
