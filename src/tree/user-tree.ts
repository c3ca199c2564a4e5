// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { UserError } from '../core/errors.js';
import { exists } from '../system/files.js';
import { Git, GitError } from '../system/git.js';
import { parseMakefile } from './makefile.js';
import type { KernelTree } from './types.js';

/** A kernel tree of the user, looked at and not touched. */
export interface UserTree extends KernelTree {
  readonly git: Git;
  /** Top of the working tree; the git dir of a bare repository. */
  readonly folder: string;
  readonly bare: boolean;
  /** Shared by all worktrees of the repository. */
  readonly commonDir: string;
  /** The repository's object store. */
  readonly objects: string;
  readonly objectFormat: string;
}

export interface InspectOptions {
  readonly tree: string;
  /** Default HEAD. */
  readonly onto?: string;
  /** Refuse uncommitted changes and operations in progress. */
  readonly requireClean: boolean;
  readonly signal: AbortSignal;
}

/** Files in the git dir that say that something is not finished, and how one leaves it. */
const IN_PROGRESS: readonly [string, string, string][] = [
  ['rebase-apply/applying', 'a git am', 'git am --abort'],
  ['rebase-apply', 'a git rebase', 'git rebase --abort'],
  ['rebase-merge', 'a git rebase', 'git rebase --abort'],
  ['MERGE_HEAD', 'a git merge', 'git merge --abort'],
  ['CHERRY_PICK_HEAD', 'a git cherry-pick', 'git cherry-pick --abort'],
  ['REVERT_HEAD', 'a git revert', 'git revert --abort'],
  ['sequencer', 'a git cherry-pick or revert', 'git cherry-pick --abort'],
  ['BISECT_LOG', 'a git bisect', 'git bisect reset'],
];

/**
 * Looks at the user's tree with commands that write nothing, not even the index.
 * @throws UserError when it is no kernel in git, is dirty, is in the middle of something, or lacks the commit.
 */
export async function inspectUserTree(options: InspectOptions): Promise<UserTree> {
  const { tree, signal } = options;
  if (!(await exists(tree)))
    throw new UserError({ subject: tree, observed: 'no such folder', expected: 'a kernel git tree' });
  const probe = new Git(tree, { owned: false, signal });
  let answers: string[];
  try {
    answers = (
      await probe.read(
        'rev-parse',
        '--path-format=absolute',
        '--is-bare-repository',
        '--git-dir',
        '--git-common-dir',
        '--git-path',
        'objects',
        '--show-object-format',
      )
    ).split('\n');
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new UserError({
      subject: tree,
      observed: error.message.replace(/^git rev-parse: /, ''),
      expected: 'a kernel git tree',
      next: /dubious ownership/.test(error.message)
        ? `git config --global --add safe.directory ${tree}`
        : 'git init and commit the kernel there, or leave --tree out to use the one that enokey imports',
      cause: error,
    });
  }
  const [isBare, gitDir = '', commonDir = '', objects = '', objectFormat = 'sha1'] = answers;
  const bare = isBare === 'true';
  const folder = bare ? gitDir : await probe.read('rev-parse', '--show-toplevel');
  const git = new Git(folder, { owned: false, signal });
  if (options.requireClean) await refuseInProgress(folder, gitDir);
  const ref = options.onto ?? 'HEAD';
  const commit = await git.commit(ref);
  if (commit === undefined) {
    throw new UserError({
      subject: folder,
      observed: `no commit ${ref}`,
      expected: 'a branch, tag or commit of the tree',
    });
  }
  const version = parseMakefile((await git.ask('show', `${commit}:Makefile`)) ?? '');
  if (!version) {
    throw new UserError({
      subject: `${folder} (${ref})`,
      observed: 'no kernel: its Makefile names no VERSION and PATCHLEVEL',
      expected: 'a kernel git tree',
    });
  }
  if (options.requireClean && !bare) await refuseDirty(git, folder);
  const origin = { kind: 'user', path: folder } as const;
  return {
    git,
    folder,
    bare,
    repo: gitDir,
    commonDir,
    objects,
    objectFormat,
    commit,
    version: version.text,
    origin,
  };
}

async function refuseInProgress(folder: string, gitDir: string): Promise<void> {
  for (const [file, what, abort] of IN_PROGRESS) {
    if (!(await exists(path.join(gitDir, file)))) continue;
    throw new UserError({
      subject: folder,
      observed: `${what} is in progress (${file})`,
      expected: 'a tree at rest',
      next: `finish it, or leave it with: git -C ${folder} ${abort}`,
    });
  }
}

async function refuseDirty(git: Git, folder: string): Promise<void> {
  const status = await git.read(
    'status',
    '--porcelain=v1',
    '-z',
    '--untracked-files=no',
    '--ignore-submodules=all',
    '--no-renames',
  );
  const files = status
    .split('\0')
    .filter(Boolean)
    .map((entry) => entry.slice(3));
  if (files.length === 0) return;
  const shown = files.slice(0, 8).join(', ');
  throw new UserError({
    subject: folder,
    observed: `uncommitted changes in ${files.length} file${files.length === 1 ? '' : 's'}: ${shown}${files.length > 8 ? ', ...' : ''}`,
    expected: 'a clean tree',
    next: `git -C ${folder} stash, or commit them`,
  });
}
