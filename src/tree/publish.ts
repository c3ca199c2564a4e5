// SPDX-License-Identifier: GPL-2.0-only
import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { BugError, InfraError, UserError } from '../core/errors.js';
import { Git, GitError } from '../system/git.js';
import { openPipe } from '../system/pipe.js';
import type { Ground } from './prepare.js';

export interface PublishOptions {
  readonly ground: Ground;
  readonly branch: string;
  /** Full id; its objects are in the ground's repository. */
  readonly commit: string;
  /** Replace a branch that is at another commit. */
  readonly force: boolean;
  /** New worktree for the branch, absolute. */
  readonly worktree?: string;
  /** Check the branch out in the tree itself. */
  readonly checkout: boolean;
}

/** What would happen, or has happened, to the branch. */
export type BranchState = 'created' | 'replaced' | 'unchanged';

interface Target {
  readonly git: Git;
  readonly folder: string;
}

function targetOf(context: Context, { user, repo }: Ground): Target {
  if (user) return { git: user.git, folder: user.folder };
  return { git: new Git(repo, { owned: true, gitDir: repo, signal: context.signal }), folder: repo };
}

/**
 * Says what publishing would do, and refuses what it must not do. Changes nothing.
 * @throws UserError when the branch, the worktree's folder or the checkout is in the way.
 */
export async function planBranch(context: Context, options: PublishOptions): Promise<BranchState> {
  const { ground, branch, commit } = options;
  const { git, folder } = targetOf(context, ground);
  if ((await git.commit('refs/heads/enokey')) !== undefined) {
    throw new UserError({
      subject: folder,
      observed: `a branch "enokey" is in the way of ${branch}: git cannot have both`,
      next: `git -C ${folder} branch -m enokey SOME-OTHER-NAME`,
    });
  }
  if (options.checkout && ground.user?.bare !== false) {
    throw new UserError({
      subject: folder,
      observed: 'has no working tree to switch',
      next: 'use --worktree DIR',
    });
  }
  if (options.worktree !== undefined) await refuseUsedFolder(options.worktree);
  const at = await git.commit(`refs/heads/${branch}`);
  if (at !== undefined && at !== commit) {
    const holder = await checkedOutAt(git, branch);
    if (holder !== undefined) {
      throw new UserError({
        subject: folder,
        observed: `${branch} is checked out in ${holder} at another commit (${at.slice(0, 12)})`,
        next: `git -C ${holder} switch --detach, and again with --force`,
      });
    }
    if (!options.force) {
      throw new UserError({
        subject: folder,
        observed: `the branch ${branch} is there already, at another commit (${at.slice(0, 12)})`,
        expected: `no such branch, or ${commit.slice(0, 12)}`,
        next: `--force replaces it; git -C ${folder} branch -m ${branch} SOME-OTHER-NAME keeps it`,
      });
    }
  }
  if (options.worktree !== undefined) {
    const holder = at === undefined ? undefined : await checkedOutAt(git, branch);
    if (holder !== undefined) {
      throw new UserError({
        subject: folder,
        observed: `${branch} is checked out in ${holder} already`,
        next: `use it there, or git -C ${holder} switch --detach`,
      });
    }
  }
  if (options.checkout) await refuseCheckout(options, folder);
  return at === undefined ? 'created' : at === commit ? 'unchanged' : 'replaced';
}

async function refuseUsedFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (!found) return;
  const empty = found.isDirectory() && (await readdir(folder)).length === 0;
  if (!empty)
    throw new UserError({
      subject: folder,
      observed: 'is there already',
      expected: 'a new or empty folder for --worktree',
    });
}

/** Folder of the worktree that has the branch checked out. */
async function checkedOutAt(git: Git, branch: string): Promise<string | undefined> {
  const entries = (await git.read('worktree', 'list', '--porcelain')).split('\n\n');
  const entry = entries.find((text) => text.split('\n').includes(`branch refs/heads/${branch}`));
  return /^worktree (.*)$/m.exec(entry ?? '')?.[1];
}

/**
 * Refuses a checkout that would overwrite files which git does not know, ignored ones too: git itself would not mind
 * those. The tree is clean, so that a path which the series adds is in the way exactly when something is there.
 */
async function refuseCheckout({ ground, commit }: PublishOptions, folder: string): Promise<void> {
  const git = new Git(folder, {
    owned: false,
    env: { GIT_ALTERNATE_OBJECT_DIRECTORIES: path.join(ground.repo, 'objects') },
  });
  const diff = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--diff-filter=A', 'HEAD', commit];
  for (const added of (await git.read(...diff)).split('\0').filter(Boolean)) {
    const found = await firstInTheWay(folder, added);
    if (found === undefined) continue;
    throw new UserError({
      subject: folder,
      observed: `cannot be switched: ${found} is there, and git does not know it`,
      next: 'move it away, or use --worktree DIR',
    });
  }
}

/** The path itself when something is there, or a parent of it that is no folder. */
async function firstInTheWay(folder: string, file: string): Promise<string | undefined> {
  const parts = file.split('/');
  for (let depth = 1; depth <= parts.length; depth++) {
    const part = parts.slice(0, depth).join('/');
    const found = await lstat(path.join(folder, part)).catch(() => undefined);
    if (!found) return undefined;
    if (depth === parts.length || !found.isDirectory()) return part;
  }
  return undefined;
}

/**
 * Makes the branch: objects first, then the reference in one step, then worktree or checkout. When one of those
 * fails, the branch is put back as it was.
 */
export async function publishBranch(context: Context, options: PublishOptions): Promise<BranchState> {
  const state = await planBranch(context, options);
  const { ground, branch, commit } = options;
  const { git, folder } = targetOf(context, ground);
  const ref = `refs/heads/${branch}`;
  const before = await git.commit(ref);
  if (state !== 'unchanged') {
    if (ground.user) await copyObjects(context, ground, commit);
    const none = '0'.repeat(commit.length);
    await git.must([
      'update-ref',
      '-m',
      `enokey: ${state} from ${ground.tree.commit.slice(0, 12)}`,
      ref,
      commit,
      before ?? none,
    ]);
  }
  try {
    if (options.worktree !== undefined)
      await git.must(['worktree', 'add', '--quiet', options.worktree, branch]);
    if (options.checkout)
      await git.must(['switch', '--quiet', '--no-guess', '--no-overwrite-ignore', branch]);
  } catch (error) {
    if (state === 'created') await git.run(['update-ref', '-d', ref, commit]);
    if (state === 'replaced' && before !== undefined) await git.run(['update-ref', ref, before, commit]);
    if (options.worktree !== undefined) await git.run(['worktree', 'prune']);
    if (error instanceof InfraError) throw new UserError({ ...error.failure, subject: folder, cause: error });
    throw error;
  }
  return state;
}

/** Gives the user's repository the objects that the series made: those that its base commit does not have. */
async function copyObjects(context: Context, { repo, tree, user }: Ground, commit: string): Promise<void> {
  if (!user) throw new BugError({ subject: repo, observed: 'no tree to copy objects to' });
  const ours = new Git(repo, { owned: true, gitDir: repo });
  const pack = ours.command('pack-objects', '--revs', '--stdout', '--quiet', '--delta-base-offset');
  const packing = openPipe('git', pack.args, {
    cwd: pack.cwd,
    env: pack.env,
    signal: context.signal,
    subject: 'git pack-objects',
    input: lines([commit, `^${tree.commit}`]),
  });
  const unpack = user.git.command('unpack-objects', '-q');
  const unpacking = openPipe('git', unpack.args, {
    cwd: unpack.cwd,
    env: unpack.env,
    signal: context.signal,
    subject: `git unpack-objects in ${user.folder}`,
    input: packing.stdout,
  });
  for await (const _chunk of unpacking.stdout);
  await packing.done;
  await unpacking.done;
  try {
    await user.git.read('cat-file', '-e', `${commit}^{tree}`);
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new InfraError({ subject: user.folder, observed: `commit ${commit} did not arrive`, cause: error });
  }
}

async function* lines(all: readonly string[]): AsyncGenerator<Buffer> {
  yield Buffer.from(`${all.join('\n')}\n`);
}
