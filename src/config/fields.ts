// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';

import { OUTCOMES, type Outcome } from '../core/outcome.js';
import { FSTESTS_NAME, isFstestsName } from '../fstests/names.js';
import { isProbe, PROBE_TESTS } from '../probe/catalog.js';
import { isMeant } from '../probe/test-names.js';
import { didYouMean } from './suggest.js';

/** File systems that enokey can make, mount and test. */
export const FILESYSTEMS = ['btrfs', 'ext4', 'f2fs'] as const;

/** Verdicts of a probe's case, see vm/probe/README.md; an errno name is accepted as well. */
export const VERDICTS = ['kept', 'lost', 'refused', 'allowed', 'unsupported', 'inconclusive'] as const;

function kind(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return `${typeof value} ${JSON.stringify(value)}`;
}

/** A mapping with exactly these keys; another one is an error that guesses which was meant. */
export function mapping<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') {
        return (issue as unknown as { keys: string[] }).keys
          .map((key) => `unknown key "${key}"${didYouMean(key, Object.keys(shape))}`)
          .join(', ');
      }
      return `a mapping is wanted, not ${kind(issue.input)}`;
    },
  });
}

/** A non-empty string. Numbers are refused: `7.10` is 7.1 in YAML unless it is quoted. */
export const text = z
  .string({
    error: (issue) =>
      issue.input === undefined
        ? 'is missing'
        : typeof issue.input === 'number'
          ? `a string is wanted: write "${issue.input}" in quotes`
          : `a string is wanted, not ${kind(issue.input)}`,
  })
  .min(1, 'is empty');

export const flag = z.boolean({ error: (issue) => `true or false is wanted, not ${kind(issue.input)}` });

function wholeNumber(least: number) {
  return z
    .number({ error: (issue) => `a number is wanted, not ${kind(issue.input)}` })
    .refine((value) => Number.isSafeInteger(value) && value >= least, {
      error: (issue) => `a whole number of at least ${least} is wanted, not ${String(issue.input)}`,
    });
}

export const count = wholeNumber(1);
export const natural = wholeNumber(0);

export function list<T extends z.ZodType>(item: T) {
  return z.array(item, { error: (issue) => `a list is wanted, not ${kind(issue.input)}` });
}

/** A mapping from names that match `pattern` to values. */
export function table<T extends z.ZodType>(pattern: RegExp, name: string, value: T) {
  const key = z.string().regex(pattern);
  return z.record(key, value, {
    error: (issue) =>
      issue.code === 'invalid_key' ? `is not ${name}` : `a mapping is wanted, not ${kind(issue.input)}`,
  });
}

function unknownWord(word: unknown, known: readonly string[]): string {
  return typeof word === 'string'
    ? `unknown word "${word}"${didYouMean(word, known)}, known are ${known.join(', ')}`
    : `a string is wanted, not ${kind(word)}`;
}

export const filesystem = z.enum(FILESYSTEMS, { error: (issue) => unknownWord(issue.input, FILESYSTEMS) });

/** One word of `known` or a list of them; always a list afterwards. */
function words<T extends string>(known: readonly T[], accepts: (word: string) => boolean = () => false) {
  return z.unknown().transform((value, context): readonly T[] => {
    const all: unknown[] = Array.isArray(value) ? value : [value];
    if (all.length === 0) context.addIssue({ code: 'custom', message: 'an empty list says nothing' });
    for (const word of all) {
      if (typeof word === 'string' && ((known as readonly string[]).includes(word) || accepts(word)))
        continue;
      context.addIssue({ code: 'custom', message: unknownWord(word, known) });
    }
    return all as T[];
  });
}

export const outcomes = words<Outcome>(OUTCOMES);
export const verdicts = words<string>(VERDICTS, (word) => /^E[A-Z0-9]+$/.test(word));

/** A table whose keys are tests: a probe must exist. Which tests fstests has shows when its tree is there. */
export function testTable<T extends z.ZodType>(pattern: RegExp, name: string, value: T) {
  return table(pattern, name, value).superRefine((tests, context) => {
    for (const test of Object.keys(tests).filter((key) => isProbe(key) && !PROBE_TESTS.includes(key))) {
      const message = `unknown probe "${test}"${didYouMean(test, PROBE_TESTS)}, known are ${PROBE_TESTS.join(', ')}`;
      context.addIssue({ code: 'custom', path: [test], message });
    }
  });
}

/** What a name that means no probe is compared with, to suggest one. */
const PROBE_NAMES = [...PROBE_TESTS, ...PROBE_TESTS.map((test) => test.replace('probe/', '')), 'probes'];

const meansProbe = (name: string): boolean => PROBE_TESTS.some((test) => isMeant(name, test));

/** One test, or all probes, as in a list of tests: `generic/595`, `open-fd`, `probes`. */
export const meantTests = text.refine((name) => isFstestsName(name) || meansProbe(name), {
  error: ({ input }) =>
    `unknown test "${String(input)}"${didYouMean(String(input), PROBE_NAMES)}, known are generic/NNN, probes, ${PROBE_TESTS.join(', ')}`,
});

/** Safe as a file name, a branch name and a part of `uname -r`; no `@`, which `VARIANT@N` needs. */
export const VARIANT_NAME = /^[a-z0-9](?:[a-z0-9_-]|\.(?!\.|lock$|$))*$/;
/**
 * A probe, or a test of fstests in a folder that one of our file systems runs: which tests fstests has does not show
 * here, but of `genric/595` or `xfs/001` there would never be a cell.
 */
export const TEST_NAME = new RegExp(
  `^probe/[a-z][a-z0-9-]*$|^(?=(?:${['generic', ...FILESYSTEMS].join('|')})/)${FSTESTS_NAME.source}`,
);
