// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';

import { CORE_SCHEMA, load, YAMLException } from 'js-yaml';
import type { z } from 'zod';

import { UserError } from '../core/errors.js';

/** `variants.mine.series[0].path`; empty for the document itself. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/**
 * Reads a YAML 1.2 file (core schema: no dates, no merge keys, a key twice is an error). An empty file, or one
 * with only comments, is an empty mapping.
 * @throws UserError that names the file, and the line of a syntax error.
 */
export async function readYaml(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const observed =
      code === 'ENOENT'
        ? 'no such file'
        : code === 'EISDIR'
          ? 'is a folder'
          : `cannot be read: ${code ?? String(error)}`;
    throw new UserError({ subject: file, observed, expected: 'a YAML file', cause: error });
  }
  if (/^(?:\s*(?:#.*)?(?:\n|$))*$/.test(text)) return {};
  try {
    return load(text, { filename: file, schema: CORE_SCHEMA });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = error.mark ? `:${error.mark.line + 1}:${error.mark.column + 1}` : '';
    throw new UserError({
      subject: `${file}${line}`,
      observed: `not valid YAML: ${error.reason}`,
      cause: error,
    });
  }
}

/** Checks parsed YAML against a schema. @throws UserError with the first problem: `file: field: what is wrong`. */
export function checkYaml<T>(file: string, data: unknown, schema: z.ZodType<T>): T {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  // A misspelt key is also missing under its right name: what was written explains more than what was not.
  const { issues } = result.error;
  const issue = issues.find(({ message }) => message.startsWith('unknown key')) ?? issues[0];
  const field = fieldPath(issue?.path ?? []);
  const more = result.error.issues.length - 1;
  throw new UserError({
    subject: field === '' ? file : `${file}: ${field}`,
    observed:
      (issue?.message ?? 'invalid') + (more > 0 ? `, and ${more} more problem${more > 1 ? 's' : ''}` : ''),
  });
}
