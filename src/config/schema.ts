// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';

import {
  count,
  filesystem,
  flag,
  list,
  mapping,
  meantTests,
  natural,
  outcomes,
  table,
  TEST_NAME,
  testTable,
  text,
  VARIANT_NAME,
  verdicts,
} from './fields.js';

/**
 * The two YAML files as they are written. The field comments are their reference: meaning, what a relative path
 * is relative to, default.
 */

const variantName = 'a variant name (lower case letters, digits, ".", "_", "-")';
const testName = 'a test name (probe/NAME, generic/NNN)';

/** Reads `value` with one of several schemas, chosen by looking at it, and keeps the issues' paths. */
function chosen<T>(choose: (value: unknown) => z.ZodType<T>) {
  return z.unknown().transform((value, context): T => {
    const result = choose(value).safeParse(value);
    if (result.success) return result.data;
    for (const { path, message } of result.error.issues) {
      context.addIssue({ code: 'custom', path: [...path], message });
    }
    return z.NEVER;
  });
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A folder of `git format-patch` files, or an mbox. Relative to the folder of the YAML file. */
const patchPath = mapping({ path: text });
const commitRange = mapping({
  /** Kernel git tree; default: the `tree` that is used anyway. Relative to the folder of the YAML file. */
  tree: text.optional(),
  /** `A..B`: the commits of B that are not in A, oldest first. Merges are refused. */
  commits: text.regex(/^[^\s.][^\s]*?\.\.[^\s.][^\s]*$/, 'a range of commits is wanted: A..B'),
});

export type SeriesSpec = { readonly path: string } | { readonly tree?: string; readonly commits: string };
const oneSource = chosen<SeriesSpec>((value) => {
  if (typeof value === 'string') return text.transform((path) => ({ path }));
  return isMapping(value) && ('commits' in value || 'tree' in value) ? commitRange : patchPath;
});
/** `series: DIR`, `series: {path: ...}`, `series: {commits: A..B}`, or a list of those, applied in order. */
const series = chosen<readonly SeriesSpec[]>((value) =>
  Array.isArray(value) ? list(oneSource) : oneSource.transform((source) => [source]),
);

const fullExpectation = mapping({
  /** One outcome, or a list of which any will do. */
  outcome: outcomes.optional(),
  /** Case of a probe -> one verdict, or a list of which any will do. */
  cases: table(/^[^\s]+$/, 'the name of a case', verdicts).optional(),
  /** Observation of a probe (`syncfs_errors`) -> the number that each case that has it must show. */
  observations: table(/^[a-z][a-zA-Z_]*$/, 'the name of an observation', natural).optional(),
  /** Why, where it is not obvious. Shown by `enokey variants NAME`. */
  reason: text.optional(),
});
export type ExpectationSpec = z.infer<typeof fullExpectation>;
/** `probe/x: pass` is short for `probe/x: {outcome: pass}`. */
const expectation = chosen<ExpectationSpec>((value) =>
  isMapping(value) ? fullExpectation : outcomes.transform((outcome) => ({ outcome })),
);

const namedTests = testTable(TEST_NAME, testName, expectation);
const filesystemContract = chosen<{ use: readonly string[]; tests: Record<string, ExpectationSpec> }>(
  (value) => {
    if (typeof value === 'string') return text.transform((name) => ({ use: [name], tests: {} }));
    return z.unknown().transform((input, context) => {
      const { use = [], ...tests } = isMapping(input) ? input : { use: [] };
      const names = (Array.isArray(use) ? use : [use]) as unknown[];
      const readNames = list(text).safeParse(names);
      const readTests = namedTests.safeParse(isMapping(input) ? tests : input);
      for (const issue of [
        ...(readNames.error?.issues ?? []).map((found) => ({ ...found, path: ['use', ...found.path] })),
        ...(readTests.error?.issues ?? []),
      ]) {
        context.addIssue({ code: 'custom', path: [...issue.path], message: issue.message });
      }
      return { use: readNames.data ?? [], tests: readTests.data ?? {} };
    });
  },
);

/** File system or `all` -> what is promised: test -> expectation, with `use:` to start from named contracts. */
const contract = table(
  /^(?:btrfs|ext4|f2fs|all)$/,
  'a file system (btrfs, ext4, f2fs, all)',
  filesystemContract,
).default({});
export type ContractSpec = z.infer<typeof contract>;

/** What is different while only the first N patches of a series are applied (`VARIANT@N`). */
const prefix = mapping({
  /** One line for tables, in the place of the variant's own. */
  title: text.optional(),
  /** Tests that are promised something else; all others as in the variant's contract. */
  contract,
});

const variant = mapping({
  /** Name of a base. */
  base: text,
  /** Put the base's own series below this one; default true. */
  withBase: flag.default(true),
  /** One line for tables. */
  title: text,
  /** The variant's own patches; default none. */
  series: series.default([]),
  /** File system -> mount options, as after `-o`. */
  mountOptions: table(/^(?:btrfs|ext4|f2fs)$/, 'a file system (btrfs, ext4, f2fs)', text).default({}),
  /** Words for the end of the kernel's command line. */
  kernelArgs: list(text.regex(/^\S+$/, 'one word without spaces is wanted')).default([]),
  /** What it is measured on when nothing else is asked for; default all three. */
  filesystems: list(filesystem).min(1, 'is empty').default(['btrfs', 'ext4', 'f2fs']),
  /** Folder below fstests-overrides/ with this semantics' versions of tests. */
  overrides: text.regex(/^[\w.-]+$/, 'the name of a folder below fstests-overrides/ is wanted').optional(),
  contract,
  /** Number of patches -> what `VARIANT@N` promises instead. */
  prefixes: table(/^(?:0|[1-9]\d{0,5})$/, 'a number of patches', prefix).default({}),
});
export type VariantSpec = z.infer<typeof variant>;

const base = mapping({
  /** Release that the tree's Makefile must name, in quotes: "7.3" accepts 7.3 and 7.3.4, not 7.3.0-rc1. */
  version: text.regex(/^\d+\.\d+(?:\.\d+)?$/, 'a kernel release is wanted, like "7.3"'),
  /** Debian's source package of it, for `enokey tree`. */
  debianPackage: text
    .regex(/^linux-source-\d+\.\d+$/, 'a package is wanted, like linux-source-7.3')
    .optional(),
  /** Folder of the base series, used once there are patches in it. Relative to the folder of the YAML file. */
  series: text.optional(),
});
export type BaseSpec = z.infer<typeof base>;

const definitions = {
  /** Kernel releases that series are written for. */
  bases: table(VARIANT_NAME, 'the name of a base', base).default({}),
  /** Named contracts for one file system, for `contract: {ext4: NAME}` and `use: NAME`. */
  contracts: table(VARIANT_NAME, 'the name of a contract', namedTests).default({}),
  variants: table(VARIANT_NAME, variantName, variant).default({}),
};

/** patches/variants.yaml */
export const variantsFile = mapping(definitions);

/** enokey.yaml. Relative paths are relative to its folder. */
export const userFile = mapping({
  ...definitions,
  /** Kernel git tree to put series on; default: the release that enokey imports. */
  tree: text.optional(),
  /** fstests: a folder, or URL[@REF]. */
  fstests: text.optional(),
  /** Trees, kernels, images; default ENOKEY_CACHE or the XDG cache. */
  cache: text.optional(),
  /** Where runs are kept, in a folder `runs`; default ENOKEY_STATE or the XDG state folder. */
  runs: text.optional(),
  /** Parallel compile jobs; default the number of CPUs. */
  jobs: count.optional(),
  /** Iterations of each test in a matrix. */
  iterations: count.optional(),
  /** Build profile: `default`, or `debug` with KASAN and lockdep. */
  profile: z.enum(['default', 'debug'], { error: 'default or debug is wanted' }).optional(),
  /** File systems of a matrix; default those of each variant. */
  filesystems: list(filesystem).min(1, 'is empty').optional(),
  /** Tests of a matrix; default all probes. */
  tests: list(text.regex(TEST_NAME, `is not ${testName}`))
    .min(1, 'is empty')
    .optional(),
  /** Probe -> extra arguments, see vm/probe/README.md. */
  probeArgs: testTable(/^probe\/[a-z][a-z0-9-]*$/, 'the name of a probe (probe/NAME)', list(text)).default(
    {},
  ),
  /** Cells to leave out of a matrix; a key that is not there matches everything. */
  exclude: list(
    mapping({
      /** As it is named in the matrix: `soft`, `soft@2`. */
      variant: text.optional(),
      filesystem: filesystem.optional(),
      /** `generic/595`, `probe/open-fd` or `open-fd`, `probes` for all of them. */
      test: meantTests.optional(),
      reason: text.optional(),
    }),
  ).default([]),
});
export type UserFile = z.infer<typeof userFile>;
export type DefinitionsFile = z.infer<typeof variantsFile>;
