// SPDX-License-Identifier: GPL-2.0-only
import type { Context } from '../core/context.js';
import { Git } from '../system/git.js';
import type { VariantTree } from '../tree/types.js';
import { sha256 } from './key.js';

/**
 * What a .config is computed from: the Kconfig files, the programs and scripts that read them and ask the compiler,
 * the Makefiles that name the release and the compiler's flags, and the configurations that targets start with.
 */
const SOURCES =
  /(^|\/)Kconfig[^/]*$|^(scripts|kernel\/configs)\/|^arch\/[^/]+\/(tools|configs)\/|^(arch\/[^/]+\/)?Makefile[^/]*$/;

/** True for a path in a kernel tree, relative to it, that a .config may depend on. */
export function decidesConfig(file: string): boolean {
  return SOURCES.test(file);
}

/** Hex SHA-256 over names and contents of what decides a .config: trees with one value get one .config. */
export async function configSources(context: Context, tree: VariantTree): Promise<string> {
  const git = new Git(tree.repo, { owned: true, gitDir: tree.repo, signal: context.signal });
  const { stdout } = await git.must(['ls-tree', '-r', '-z', tree.treeId]);
  const entries = stdout.split('\0').filter((entry) => decidesConfig(entry.slice(entry.indexOf('\t') + 1)));
  return sha256(entries.join('\0'));
}
