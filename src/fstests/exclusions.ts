// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';

import { UserError } from '../core/errors.js';
import { parseTestName } from './names.js';

/** A test that is not to run, and why. */
export interface Exclusion {
  readonly test: string;
  readonly reason: string;
  /** `FILE:LINE` */
  readonly from: string;
}

/**
 * An exclusion file: a test a line with its reason behind `#`, e.g. `generic/368  # needs hardware-wrapped keys`.
 * Empty lines and lines that begin with `#` are comments. A line without a reason is an error: nobody knows a
 * year later why it is there.
 */
export function parseExclusions(text: string, file: string): Exclusion[] {
  return text.split('\n').flatMap((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return [];
    const from = `${file}:${index + 1}`;
    const hash = line.indexOf('#');
    const test = (hash < 0 ? line : line.slice(0, hash)).trim();
    const reason = hash < 0 ? '' : line.slice(hash + 1).trim();
    if (!parseTestName(test)) {
      throw new UserError({
        subject: from,
        observed: `${JSON.stringify(test)} is not the name of a test`,
        expected: 'generic/368  # reason',
      });
    }
    if (reason === '') {
      throw new UserError({
        subject: from,
        observed: `${test} is excluded without a reason`,
        expected: `${test}  # reason`,
      });
    }
    return [{ test, reason, from }];
  });
}

/** @throws UserError when a file cannot be read or has a bad line. */
export async function readExclusions(files: readonly string[]): Promise<Exclusion[]> {
  const lists = await Promise.all(
    files.map(async (file) => {
      try {
        return parseExclusions(await readFile(file, 'utf8'), file);
      } catch (error) {
        if (error instanceof UserError) throw error;
        throw new UserError({
          subject: file,
          observed: `cannot be read: ${(error as Error).message}`,
          cause: error,
        });
      }
    }),
  );
  return lists.flat();
}

/** Splits tests into those that run and those that a file excludes. */
export function applyExclusions(
  tests: readonly string[],
  exclusions: readonly Exclusion[],
): { readonly run: readonly string[]; readonly excluded: readonly Exclusion[] } {
  const byTest = new Map(exclusions.map((exclusion) => [exclusion.test, exclusion]));
  return {
    run: tests.filter((test) => !byTest.has(test)),
    excluded: tests.flatMap((test) => byTest.get(test) ?? []),
  };
}
