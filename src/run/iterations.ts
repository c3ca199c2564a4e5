// SPDX-License-Identifier: GPL-2.0-only
import { UserError } from '../core/errors.js';

/** More than this is a slip of the finger. */
const MAX_ITERATIONS = 100_000;

/** How often tests run: each test, and those that are named otherwise. */
export interface Iterations {
  readonly iterations?: number;
  /** Test -> how often it runs; absent when no test is named. */
  readonly testIterations?: Readonly<Record<string, number>>;
}

/** A number of iterations: 1 .. 100000. @throws UserError */
export function requireIterations(what: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= MAX_ITERATIONS) return value;
  throw new UserError({
    subject: what,
    observed: String(value),
    expected: `a whole number, 1 to ${MAX_ITERATIONS}`,
  });
}

/**
 * What `-n` was given: `5`, `generic/595=20`, or both with a comma between them. Names are as they were written.
 * @throws UserError
 */
export function parseIterations(text: string): Iterations {
  let iterations: number | undefined;
  const named = new Map<string, number>();
  for (const part of text.split(',').map((one) => one.trim())) {
    const at = part.lastIndexOf('=');
    const test = part.slice(0, Math.max(0, at)).trim();
    const value = part.slice(at + 1).trim();
    const number = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    const twice = at < 0 ? iterations !== undefined : named.has(test);
    if (Number.isNaN(number) || twice || at === 0) {
      throw new UserError({
        subject: 'iterations',
        observed: twice ? `${text}: ${test || 'the number of all tests'} is there twice` : text,
        expected: 'N, TEST=N or both, comma-separated: 5,generic/595=20',
      });
    }
    if (at < 0) iterations = requireIterations('iterations', number);
    else named.set(test, requireIterations(`iterations of ${test}`, number));
  }
  return {
    ...(iterations === undefined ? {} : { iterations }),
    ...(named.size > 0 ? { testIterations: Object.fromEntries(named) } : {}),
  };
}

/** How `-n` says it. */
export function iterationsText(
  iterations: number,
  testIterations: Iterations['testIterations'] = {},
): string {
  return [
    String(iterations),
    ...Object.entries(testIterations).map(([test, count]) => `${test}=${count}`),
  ].join(',');
}

/**
 * The iteration of a test that runs in a round, if one does: a test that runs less often than there are rounds has its
 * iterations spread evenly, the first in the first round, so that a run that is cut short has its share of each.
 * @returns 0 .. count - 1
 */
export function iterationInRound(round: number, rounds: number, count: number): number | undefined {
  const before = Math.ceil((round * count) / rounds);
  return Math.ceil(((round + 1) * count) / rounds) > before ? before : undefined;
}
