// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { copyFile, rm } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { exists, makeDirectoryAtomic, readIfThere, writeAtomic } from '../system/files.js';
import { Git } from '../system/git.js';
import type { UserTree } from './user-tree.js';

/**
 * A bare repository of ours in the cache that borrows the objects of the user's (alternates): series are put on and
 * worktrees made there, so that nothing but an asked-for branch ever appears in the user's repository.
 * @returns its absolute git dir
 */
export async function openWorkbench(context: Context, tree: UserTree): Promise<string> {
  const name = path.basename(tree.bare ? tree.commonDir : tree.folder).replace(/[^\w.-]/g, '_');
  const id = createHash('sha256')
    .update(`${tree.commonDir}\n${tree.objectFormat}`)
    .digest('hex')
    .slice(0, 12);
  const repo = path.join(context.dirs.cache, 'trees', `${name}-${id}.git`);
  if (!(await exists(repo))) {
    await makeDirectoryAtomic(repo, async (dir) => {
      const git = new Git(dir, { owned: true, gitDir: dir, signal: context.signal });
      await git.must([
        'init',
        '--quiet',
        '--bare',
        '--template=',
        '--initial-branch=main',
        `--object-format=${tree.objectFormat}`,
      ]);
    });
  }
  const alternates = path.join(repo, 'objects', 'info', 'alternates');
  const wanted = `${tree.objects}\n`;
  if ((await readIfThere(alternates)) !== wanted) await writeAtomic(alternates, wanted);
  const shallow = path.join(tree.commonDir, 'shallow');
  if (await exists(shallow)) await copyFile(shallow, path.join(repo, 'shallow'));
  else await rm(path.join(repo, 'shallow'), { force: true });
  return repo;
}
