// SPDX-License-Identifier: GPL-2.0-only
import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { UserError } from '../core/errors.js';
import { findImported } from '../tree/imported.js';
import { applyVariant, describeTree, findGround } from '../tree/prepare.js';
import { planBranch, publishBranch, type BranchState } from '../tree/publish.js';

export interface ApplyVariantOptions {
  readonly variant: Variant;
  /** The user's tree, absolute; default the imported one. */
  readonly tree?: string;
  /** Commit-ish to put the series onto; default the tree's HEAD, or the imported release. */
  readonly onto?: string;
  /** Only say whether it would work. */
  readonly check: boolean;
  readonly force: boolean;
  /** Absolute. */
  readonly worktree?: string;
  readonly checkout: boolean;
}

export interface ApplyReport {
  readonly variant: string;
  readonly branch: string;
  /** What happened to the branch; with `check` what would. */
  readonly state: BranchState;
  readonly checked: boolean;
  /** Top folder of the user's tree, or the imported repository. */
  readonly tree: string;
  readonly onto: { readonly commit: string; readonly describe: string };
  readonly commit: string;
  readonly treeId: string;
  readonly patches: readonly {
    readonly name: string;
    readonly subject: string;
    readonly files: readonly string[];
  }[];
  readonly worktree?: string;
  readonly checkedOut: boolean;
}

/**
 * Puts a variant's series onto a tree as the branch `enokey/VARIANT`. Until everything is known to work nothing of
 * the tree is written; after a refusal it is byte for byte what it was.
 * @throws UserError for a tree that is dirty, busy or of another release, for a patch that is missing, damaged or
 * does not apply, and for a branch that is in the way.
 */
export async function applyToTree(context: Context, options: ApplyVariantOptions): Promise<ApplyReport> {
  const { variant, tree, onto, check } = options;
  if (check && tree === undefined && !(await findImported(context, variant.base))) {
    throw new UserError({
      subject: `base ${variant.base.name}`,
      observed: 'no kernel source yet to check against',
      next: '`enokey tree` imports it; or name a tree of yours with --tree DIR',
    });
  }
  const ground = await findGround(context, { variant, tree, onto, requireClean: true });
  const applied = await applyVariant(context, variant, ground);
  const branch = `enokey/${variant.name}`;
  const publish = { ...options, ground, branch, commit: applied.commit };
  const state = await (check ? planBranch : publishBranch)(context, publish);
  return {
    variant: variant.name,
    branch,
    state,
    checked: check,
    tree: ground.user?.folder ?? ground.repo,
    onto: { commit: ground.tree.commit, describe: describeTree(ground.tree) },
    commit: applied.commit,
    treeId: applied.treeId,
    patches: applied.patches.map(({ name, subject, files }) => ({
      name,
      subject,
      files: files.map((file) => file.path),
    })),
    worktree: check ? undefined : options.worktree,
    checkedOut: !check && options.checkout,
  };
}
