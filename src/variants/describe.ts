// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';

import { parseVariantName } from '../config/resolve.js';
import type { Contract, Settings, Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { EnokeyError, InterruptedError } from '../core/errors.js';
import { collectPatches, sourceName } from '../series/collect.js';
import { parsePatchMail, type PatchMail } from '../series/patch.js';
import { withScratch } from '../system/scratch.js';
import { findImported } from '../tree/imported.js';
import { applyVariant, findGround } from '../tree/prepare.js';

export interface PatchSummary {
  readonly name: string;
  readonly subject: string;
  readonly author: string;
  readonly files: readonly string[];
  readonly insertions: number;
  readonly deletions: number;
}

/** What a series does to one file, all its patches added up, like `git format-patch --stat` of each. */
export interface FileStat {
  readonly path: string;
  /** How many of the patches touch it. */
  readonly patches: number;
  readonly insertions: number;
  readonly deletions: number;
}

/** Whether the series goes onto the tree: `unknown` when there is no tree to try it on. */
export type Applies = 'yes' | 'no' | 'unknown';

export interface VariantSummary {
  readonly name: string;
  readonly title: string;
  readonly base: string;
  readonly filesystems: readonly string[];
  readonly sources: readonly string[];
  readonly patches: readonly PatchSummary[];
  /** By path. */
  readonly diffstat: readonly FileStat[];
  readonly mountOptions: Readonly<Record<string, string>>;
  readonly kernelArgs: readonly string[];
  readonly overrides?: string;
  readonly contract: Contract;
  readonly definedIn: string;
  readonly applies: Applies;
  /** What is wrong with it, one line each. */
  readonly problems: readonly string[];
}

export interface DescribeOptions {
  readonly settings: Settings;
  /** Default all. */
  readonly names?: readonly string[];
  /** Try the series on this tree's HEAD; default the imported release, if it has been imported. */
  readonly tree?: string;
}

/** Describes variants; what is wrong with one is a problem of its, and no reason not to show the others. */
export async function describeVariants(
  context: Context,
  options: DescribeOptions,
): Promise<VariantSummary[]> {
  const summaries: VariantSummary[] = [];
  for (const name of options.names ?? options.settings.variantNames) {
    const variant = await said(() => options.settings.resolve(name));
    if ('problem' in variant) {
      // A name that was asked for and does not exist is the caller's mistake, not a variant with a problem.
      if (!options.settings.variantNames.includes(parseVariantName(name).name)) throw variant.error;
      summaries.push(broken(name, variant.problem));
      continue;
    }
    summaries.push(await describe(context, variant.value, options.tree));
  }
  return summaries;
}

async function describe(context: Context, variant: Variant, tree?: string): Promise<VariantSummary> {
  const problems: string[] = [];
  const read = await said(() =>
    withScratch(context, 'describe', (scratch) => readAll(context, variant, scratch)),
  );
  if ('problem' in read) problems.push(read.problem);
  const mails = 'problem' in read ? [] : read.value;
  let applies: Applies = 'unknown';
  if (tree !== undefined || (await findImported(context, variant.base))) {
    const tried = await said(async () =>
      applyVariant(context, variant, await findGround(context, { variant, tree, requireClean: false })),
    );
    applies = 'problem' in tried ? 'no' : 'yes';
    if ('problem' in tried && !problems.includes(tried.problem)) problems.push(tried.problem);
  }
  return {
    name: variant.name,
    title: variant.title,
    base: variant.base.name,
    filesystems: variant.filesystems,
    sources: variant.series.map(sourceName),
    patches: mails.map(({ files, ...patch }) => ({ ...patch, files: files.map((file) => file.path) })),
    diffstat: diffstat(mails.flatMap(({ files }) => files)),
    mountOptions: variant.mountOptions,
    kernelArgs: variant.kernelArgs,
    overrides: variant.overrides,
    contract: variant.contract,
    definedIn: variant.definedIn,
    applies,
    problems,
  };
}

/** Adds up what patches do to each file. */
export function diffstat(changes: readonly Omit<FileStat, 'patches'>[]): FileStat[] {
  const stats = new Map<string, FileStat>();
  for (const { path, insertions, deletions } of changes) {
    const sum = stats.get(path) ?? { path, patches: 0, insertions: 0, deletions: 0 };
    stats.set(path, {
      path,
      patches: sum.patches + 1,
      insertions: sum.insertions + insertions,
      deletions: sum.deletions + deletions,
    });
  }
  return [...stats.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

type NamedMail = PatchMail & { readonly name: string };

async function readAll(context: Context, variant: Variant, scratch: string): Promise<NamedMail[]> {
  const all: NamedMail[] = [];
  for (const source of variant.series) {
    for (const { name, path: file } of await collectPatches(source, scratch, context.signal)) {
      all.push({ name, ...parsePatchMail(await readFile(file, 'utf8')) });
    }
  }
  return all;
}

function broken(name: string, problem: string): VariantSummary {
  return {
    name,
    title: '',
    base: '',
    filesystems: [],
    sources: [],
    patches: [],
    diffstat: [],
    mountOptions: {},
    kernelArgs: [],
    contract: {},
    definedIn: '',
    applies: 'no',
    problems: [problem],
  };
}

/** Runs `work`; what the user can mend becomes a sentence, the rest passes. */
async function said<T>(
  work: () => Promise<T>,
): Promise<{ value: T } | { problem: string; error: EnokeyError }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof EnokeyError) || error instanceof InterruptedError || error.exitCode === 70)
      throw error;
    return { problem: error.message, error };
  }
}
