// SPDX-License-Identifier: GPL-2.0-only
import type { Base } from '../config/types.js';
import type { Context } from '../core/context.js';
import { findImported, importedRepo, importTree } from './imported.js';
import { isRelease, parseVersion } from './makefile.js';
import { describeTree } from './prepare.js';
import type { TreeOrigin } from './types.js';
import { inspectUserTree } from './user-tree.js';

export interface TreeReport {
  readonly base?: string;
  /** Git dir of the import, or the user's folder. */
  readonly path: string;
  readonly state: 'imported' | 'present' | 'absent' | 'usable';
  readonly version?: string;
  readonly commit?: string;
  readonly describe?: string;
  readonly files?: number;
  readonly origin?: TreeOrigin;
  /** Names of the bases whose release it is. */
  readonly bases?: readonly string[];
}

export interface EnsureTreeOptions {
  readonly base: Base;
  readonly from?: 'debian' | 'kernel.org';
  readonly again: boolean;
  /** Only say what is there. */
  readonly dryRun: boolean;
}

/** Imports the base's release unless it is there. */
export async function ensureTree(context: Context, options: EnsureTreeOptions): Promise<TreeReport> {
  const { base } = options;
  if (options.dryRun) {
    const there = await findImported(context, base);
    if (!there) return { base: base.name, path: importedRepo(context, base), state: 'absent' };
    const { repo, version, commit, files, origin } = there;
    return {
      base: base.name,
      path: repo,
      state: 'present',
      version,
      commit,
      files,
      origin,
      describe: describeTree(there),
    };
  }
  const tree = await importTree(context, options);
  const { repo, version, commit, files, origin, imported } = tree;
  return {
    base: base.name,
    path: repo,
    state: imported ? 'imported' : 'present',
    version,
    commit,
    files,
    origin,
    describe: describeTree(tree),
  };
}

/** Looks at a tree of the user's: what it is and which bases' series may go onto it. @throws UserError */
export async function checkUserTree(
  context: Context,
  tree: string,
  bases: readonly Base[],
): Promise<TreeReport> {
  const user = await inspectUserTree({ tree, requireClean: true, signal: context.signal });
  const version = parseVersion(user.version);
  return {
    path: user.folder,
    state: 'usable',
    version: user.version,
    commit: user.commit,
    origin: user.origin,
    describe: describeTree(user),
    bases: bases.filter((base) => version && isRelease(version, base.version)).map(({ name }) => name),
  };
}
