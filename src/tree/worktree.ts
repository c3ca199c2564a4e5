// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { InfraError } from '../core/errors.js';
import { step } from '../core/events.js';
import { requireSpace } from '../system/disk.js';
import { diskError, exists, readIfThere, writeAtomic } from '../system/files.js';
import { Git } from '../system/git.js';
import type { SwitchOptions } from './types.js';

/** Folder of a base and profile: `src` is the worktree, its git dir lies beside it. */
export function buildFolder(context: Context, base: string, profile: string): string {
  return path.join(context.dirs.build, `${base}-${profile}`);
}

/**
 * make's `O=`, relative to a build folder. It lies in the source, since Kbuild then calls the compiler with paths
 * relative to it: KASAN writes the names of source files into the kernel, and no option maps a folder away there.
 */
export const OUTPUT = 'src/enokey-out';

/** Lock file to hold from before `switchWorktree` until the build is done. */
export function buildLock(context: Context, base: string, profile: string): string {
  return `${buildFolder(context, base, profile)}.lock`;
}

/** A checked out kernel. */
const WORKTREE_BYTES = 2 * 1024 ** 3;

/**
 * Makes `src` hold exactly the files of the variant's commit. Only files that differ are written, so that make
 * rebuilds only what depends on them. The caller holds `buildLock`.
 *
 * `git reset --hard` compares every file with the index by its stat data and rewrites what is missing, changed or
 * half-written: what a SIGKILL, or somebody's editor, left is mended by the next switch. When the index itself is
 * damaged, all is made anew.
 * @returns the absolute folder `src`
 */
export async function switchWorktree(context: Context, options: SwitchOptions): Promise<string> {
  const { variantTree } = options;
  const folder = buildFolder(context, options.base, options.profile);
  const src = path.join(folder, 'src');
  const fresh = !(await exists(path.join(folder, 'src.git', 'index')));
  if (fresh) await requireSpace(context.dirs.build, WORKTREE_BYTES, 'a kernel worktree');
  return step(
    context.emit,
    `tree.switch/${options.base}-${options.profile}`,
    `Switch the ${options.base} ${options.profile} worktree to ${variantTree.describe}`,
    async () => {
      try {
        if (!(await attempt(context, folder, options))) {
          await rm(src, { recursive: true, force: true });
          await rm(path.join(folder, 'src.git'), { recursive: true, force: true });
          await requireSpace(context.dirs.build, WORKTREE_BYTES, 'a kernel worktree');
          if (!(await attempt(context, folder, options))) {
            throw new InfraError({ subject: src, observed: `cannot check out ${variantTree.commit}` });
          }
        }
      } catch (error) {
        throw diskError(error, context.dirs.cache, '2.0 GiB');
      }
      return src;
    },
    () => variantTree.commit.slice(0, 12),
  );
}

/** False when what is there cannot be mended. */
async function attempt(context: Context, folder: string, { variantTree }: SwitchOptions): Promise<boolean> {
  const src = path.join(folder, 'src');
  const gitDir = path.join(folder, 'src.git');
  await mkdir(src, { recursive: true });
  const git = new Git(src, { owned: true, gitDir, workTree: src, signal: context.signal });
  if (!(await exists(path.join(gitDir, 'HEAD')))) {
    const format = await new Git(variantTree.repo, { owned: true, gitDir: variantTree.repo }).read(
      'rev-parse',
      '--show-object-format',
    );
    await git.must(['init', '--quiet', '--template=', `--object-format=${format}`]);
  }
  // The lock is ours: a lock file of git's was left by a git that was killed.
  for (const name of await readdir(gitDir))
    if (name.endsWith('.lock')) await rm(path.join(gitDir, name), { force: true });
  const alternates = path.join(gitDir, 'objects', 'info', 'alternates');
  const wanted = `${path.join(variantTree.repo, 'objects')}\n`;
  if ((await readIfThere(alternates)) !== wanted) await writeAtomic(alternates, wanted);
  const busy = path.join(gitDir, 'enokey-switching');
  const interrupted = await exists(busy);
  await writeFile(busy, '');
  const reset = await git.run(['-c', 'checkout.workers=0', 'reset', '--hard', '--quiet', variantTree.commit]);
  if (reset.exitCode !== 0) {
    if (/No space left|Disk quota/i.test(reset.stderr))
      throw Object.assign(new Error(reset.stderr), { code: 'ENOSPC' });
    return false;
  }
  // Files that a killed switch had written and not yet entered into the index.
  if (interrupted) await git.must(['clean', '-ffdxq', '-e', `/${path.basename(OUTPUT)}/`]);
  await rm(busy);
  return true;
}
