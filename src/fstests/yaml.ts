// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';

import { load } from 'js-yaml';
import type { z } from 'zod';

import { UserError } from '../core/errors.js';

/** Reads a YAML file of fstests-overrides/ and checks it. @throws UserError naming file and field */
export async function readChecked<T>(file: string, schema: z.ZodType<T>): Promise<T> {
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
