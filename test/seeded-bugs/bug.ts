// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';
import { z } from 'zod';

import { list, mapping, text } from '../../src/config/fields.js';
import { checkYaml, readYaml } from '../../src/config/yaml.js';
import { MARKS, OUTCOMES } from '../../src/core/outcome.js';

/** What must be seen for a bug to count as caught; bugs.yaml says what each means. */
const says = { says: text.optional() };
const sign = z.union([
  mapping({ case: text, verdict: text, ...says }),
  mapping({ mark: z.enum(MARKS), ...says }),
  mapping({ outcome: z.enum(OUTCOMES), ...says }),
  mapping({ detail: text, ...says }),
  mapping({ failed: text }),
]);
export type Sign = z.infer<typeof sign>;

const common = {
  patch: text.regex(/^\d\d-[a-z]/, 'NN-VARIANT-WHAT is wanted'),
  profile: z.enum(['default', 'debug']).default('default'),
  sign,
};
const entry = z.union([
  mapping({ ...common, test: text, args: list(text).default([]) }),
  mapping({ ...common, e2e: mapping({ file: text, tests: text }) }),
]);
const bugsFile = mapping({ bugs: list(entry) });

/** One deliberate bug: a patch on top of a variant, and the test that has to catch it. */
export type Bug = z.infer<typeof entry> & {
  /** The variant whose whole series is below the patch. */
  readonly variant: string;
  /** The name of the variant with the bug: `seeded-01`. */
  readonly name: string;
};

/** Which of `variants` a patch's name says it is for: `12-prep-write-x` is for prep-write. The longest wins. */
export function variantOf(patch: string, variants: readonly string[]): string | undefined {
  const rest = patch.slice('NN-'.length);
  return variants.filter((variant) => rest.startsWith(`${variant}-`)).sort((a, b) => b.length - a.length)[0];
}

/** Reads bugs.yaml. @throws UserError for a field that is wrong, Error for a patch that names no variant. */
export async function readBugs(file: string, variants: readonly string[]): Promise<readonly Bug[]> {
  const { bugs } = checkYaml(file, await readYaml(file), bugsFile);
  return bugs.map((bug) => {
    const variant = variantOf(bug.patch, variants);
    if (variant === undefined) throw new Error(`${file}: ${bug.patch}: names none of ${variants.join(', ')}`);
    return { ...bug, variant, name: `seeded-${bug.patch.slice(0, 2)}` };
  });
}

/** The bugs that words name: all of a patch's name, its number, or the name of a variant. Without words, all. */
export function selectBugs(bugs: readonly Bug[], words: readonly string[]): readonly Bug[] {
  if (words.length === 0) return bugs;
  const matches = (bug: Bug, word: string): boolean =>
    [bug.patch, bug.patch.slice(0, 2), bug.name, bug.variant].includes(path.basename(word, '.patch'));
  const unknown = words.find((word) => !bugs.some((bug) => matches(bug, word)));
  if (unknown !== undefined) throw new Error(`${unknown}: no such bug`);
  return bugs.filter((bug) => words.some((word) => matches(bug, word)));
}

/** How a test is shown in tables. */
export function testOf(bug: Bug): string {
  return 'test' in bug ? bug.test : `e2e ${bug.e2e.file.replace('.test.ts', '')}`;
}
