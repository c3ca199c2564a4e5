// SPDX-License-Identifier: GPL-2.0-only
import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { InfraError, UserError } from '../core/errors.js';
import { applyPatches, type Applied } from '../series/apply.js';
import { collectPatches } from '../series/collect.js';
import { inspectPatches, type Patch } from '../series/inspect.js';
import { Git } from '../system/git.js';
import { withScratch } from '../system/scratch.js';
import { importTree } from './imported.js';
import { isRelease, parseMakefile, parseVersion } from './makefile.js';
import type { KernelTree, PrepareOptions, VariantTree } from './types.js';
import { inspectUserTree, type UserTree } from './user-tree.js';
import { openWorkbench } from './workbench.js';

/** A kernel to put series on, and the repository of ours in which that happens. */
export interface Ground {
  readonly tree: KernelTree;
  /** Set when the tree is the user's. */
  readonly user?: UserTree;
  /** Absolute git dir of a bare repository of ours that can read the tree's commit. */
  readonly repo: string;
}

export interface FindGroundOptions {
  readonly variant: Variant;
  readonly tree?: string;
  readonly onto?: string;
  readonly requireClean: boolean;
}

/** The tree that is meant: the user's, or the imported one (imported now if need be). @throws UserError, InfraError */
export async function findGround(context: Context, options: FindGroundOptions): Promise<Ground> {
  const { variant, tree, onto } = options;
  const { signal } = context;
  if (tree !== undefined) {
    const user = await inspectUserTree({ tree, onto, requireClean: options.requireClean, signal });
    requireRelease(user, variant);
    return { tree: user, user, repo: await openWorkbench(context, user) };
  }
  const imported = await importTree(context, { base: variant.base });
  if (onto === undefined) return { tree: imported, repo: imported.repo };
  const git = new Git(imported.repo, { owned: true, gitDir: imported.repo, signal });
  const commit = await git.commit(onto);
  if (commit === undefined) throw new UserError({ subject: imported.repo, observed: `no commit ${onto}` });
  const version = parseMakefile((await git.ask('show', `${commit}:Makefile`)) ?? '')?.text ?? 'unknown';
  const at = { ...imported, commit, version };
  requireRelease(at, variant);
  return { tree: at, repo: imported.repo };
}

function requireRelease(tree: KernelTree, { name, base }: Variant): void {
  const found = parseVersion(tree.version);
  if (found && isRelease(found, base.version)) return;
  const where = tree.origin.kind === 'user' ? tree.origin.path : tree.repo;
  throw new UserError({
    subject: `${where} (${tree.commit.slice(0, 12)})`,
    observed: `Linux ${tree.version}`,
    expected: `${base.version}, since variant ${name} is for base ${base.name}`,
    next: 'name a commit of that release with --onto, or leave --tree out to use the one that enokey imports',
  });
}

/** The variant's patches, read and checked. */
export async function readPatches(
  context: Context,
  variant: Variant,
  repo: string,
  scratch: string,
): Promise<Patch[]> {
  const git = new Git(repo, { owned: true, gitDir: repo, signal: context.signal });
  const patches: Patch[] = [];
  for (const source of variant.series) {
    patches.push(...(await inspectPatches(git, await collectPatches(source, scratch, context.signal))));
  }
  return patches;
}

/** Puts the variant's series onto the ground, in our repository. Remembered, so that the second time is fast. */
export async function applyVariant(
  context: Context,
  variant: Variant,
  ground: Ground,
): Promise<Applied & { readonly patches: readonly Patch[] }> {
  return withScratch(context, 'series', async (scratch) => {
    const patches = await readPatches(context, variant, ground.repo, scratch);
    const title = `${variant.name} onto ${ground.tree.version}`;
    return {
      ...(await applyPatches(context, { repo: ground.repo, base: ground.tree.commit, patches, title })),
      patches,
    };
  });
}

/** What a tree is called before its series: `v7.3.4 (linux-source-7.3 7.3.4-1~bpo13+1)`. */
export function describeTree(tree: KernelTree): string {
  const { origin } = tree;
  const from =
    origin.kind === 'debian'
      ? `${origin.package} ${origin.packageVersion}`
      : origin.kind === 'user'
        ? `commit ${tree.commit.slice(0, 12)}`
        : 'kernel.org';
  return `v${tree.version} (${from})`;
}

/** See types.ts. */
export async function prepareVariantTree(context: Context, options: PrepareOptions): Promise<VariantTree> {
  const { variant } = options;
  const ground = await findGround(context, { ...options, requireClean: options.onto === undefined });
  const { commit, treeId, patches } = await applyVariant(context, variant, ground);
  const git = new Git(ground.repo, { owned: true, gitDir: ground.repo, signal: context.signal });
  const version = parseMakefile((await git.ask('show', `${commit}:Makefile`)) ?? '');
  if (!version)
    throw new InfraError({ subject: ground.repo, observed: `no kernel version at commit ${commit}` });
  const count = `${patches.length} patch${patches.length === 1 ? '' : 'es'}`;
  const describe = `${describeTree(ground.tree)}${patches.length > 0 ? ` + ${variant.name} (${count})` : ''}`;
  return { commit, treeId, describe, version: version.text, repo: ground.repo };
}
