// SPDX-License-Identifier: GPL-2.0-only
import type { Variant } from '../config/types.js';

/** Where a kernel's source came from. */
export type TreeOrigin =
  | {
      readonly kind: 'debian';
      /** `linux-source-7.3` */
      readonly package: string;
      /** Debian version, `7.3.4-1~bpo13+1` */
      readonly packageVersion: string;
    }
  | { readonly kind: 'kernel.org'; readonly url: string }
  | { readonly kind: 'user'; readonly path: string };

/** A git repository with a kernel in it, ready for a series to be put on. */
export interface KernelTree {
  /** Absolute git dir (of ours: bare; of the user's: what `git rev-parse --absolute-git-dir` says). */
  readonly repo: string;
  /** Commit that series go onto, full id. */
  readonly commit: string;
  /** What the Makefile at that commit says: `7.3.4`, `7.4.0-rc1`. */
  readonly version: string;
  readonly origin: TreeOrigin;
}

/** A variant's source as one commit: base commit plus its series. */
export interface VariantTree {
  /** Full id. The same input gives the same id on every machine. */
  readonly commit: string;
  /** Full id of the commit's tree object: what the artifact store is keyed by. */
  readonly treeId: string;
  /** For people: `v7.3.4 (linux-source-7.3 7.3.4-1~bpo13+1) + soft (3 patches)`. */
  readonly describe: string;
  /** `make kernelversion` of it, from its Makefile: `7.3.4`. */
  readonly version: string;
  /** Absolute git dir, bare and enokey's own, that can read the commit (objects may be borrowed from the user's tree). */
  readonly repo: string;
}

export interface PrepareOptions {
  readonly variant: Variant;
  /** The user's tree, absolute. Without it, the base's release is imported when it is not there yet. */
  readonly tree?: string;
  /** Commit-ish in the user's tree to put the series onto; default HEAD (which must then be clean). */
  readonly onto?: string;
}

export interface SwitchOptions {
  readonly variantTree: VariantTree;
  /** Name of the base: `v7.3`. */
  readonly base: string;
  readonly profile: string;
}

/*
 * src/tree/prepare.ts:
 *   prepareVariantTree(context: Context, options: PrepareOptions): Promise<VariantTree>
 *     Takes seconds the first time and some 50 ms when the same input was applied before (import aside).
 *     @throws UserError when the tree or a patch is not as it must be, InfraError when the import fails.
 *
 * src/tree/worktree.ts:
 *   buildFolder(context, base, profile): string            <cache>/build/<base>-<profile>; `src` is inside
 *   buildLock(context, base, profile): string              lock file; hold it (withLock) from before switchWorktree until make is done
 *   switchWorktree(context: Context, options: SwitchOptions): Promise<string>
 *     The folder `src` with exactly the commit's files. Files that do not differ keep their mtime. There is no `.git`
 *     in it (the git dir lies beside it), so scripts/setlocalversion finds no repository. Mends what a SIGKILL left.
 */
