// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { step } from '../core/events.js';
import { InfraError } from '../core/errors.js';
import { exists, makeDirectoryAtomic } from '../system/files.js';
import { Git } from '../system/git.js';
import { runOrThrow } from '../system/process.js';
import type { ResolvedSource } from './source.js';

/** A commit of fstests, unpacked: read-only, whole, never built in. */
export interface Export {
  readonly commit: string;
  readonly dir: string;
  /** The files. */
  readonly tree: string;
  /** The same as `git archive` wrote it, without a prefix. */
  readonly tar: string;
}

/**
 * The tree at the commit, as `git archive` gives it, in the cache. The user's checkout is only read: no file, index
 * or ref of it changes, and what is not committed is not in it.
 */
export async function exportTree(context: Context, source: ResolvedSource): Promise<Export> {
  const dir = path.join(context.dirs.cache, 'fstests', 'trees', source.commit);
  const result: Export = {
    commit: source.commit,
    dir,
    tree: path.join(dir, 'tree'),
    tar: path.join(dir, 'tree.tar'),
  };
  if (await exists(dir)) return result;
  await step(context.emit, 'fstests.export', `Export fstests ${source.commit.slice(0, 12)}`, () =>
    makeDirectoryAtomic(dir, async (part) => {
      const tar = path.join(part, 'tree.tar');
      const git = new Git(source.repository, {
        owned: false,
        gitDir: source.repository,
        signal: context.signal,
      });
      const archived = await git.run(['archive', '--format=tar', `--output=${tar}`, source.commit]);
      if (archived.exitCode !== 0) {
        throw new InfraError({
          subject: `fstests ${source.name}`,
          observed: `git archive: ${archived.stderr.trim().split('\n').at(-1) ?? ''}`,
        });
      }
      await mkdir(path.join(part, 'tree'));
      // tar refuses members that lead out of the folder, by their names or through links.
      await runOrThrow(
        'tar',
        ['-xf', tar, '-C', path.join(part, 'tree'), '--no-same-owner', '--no-same-permissions'],
        {
          signal: context.signal,
        },
      );
    }),
  );
  return result;
}
