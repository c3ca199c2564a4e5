// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { BugError, InfraError, UserError } from '../core/errors.js';
import { step } from '../core/events.js';
import { shellWord } from '../core/shell-word.js';
import { diskError } from '../system/files.js';
import { Git } from '../system/git.js';
import { withScratch } from '../system/scratch.js';
import { describeConflicts, parseConflicts } from './conflict.js';
import type { Patch } from './inspect.js';

export interface ApplyOptions {
  /** Absolute git dir of a bare repository of ours: gets the new objects, and must be able to read `base`. */
  readonly repo: string;
  /** Full commit id. */
  readonly base: string;
  readonly patches: readonly Patch[];
  /** For progress: `soft onto v7.3.4`. */
  readonly title: string;
}

export interface Applied {
  readonly commit: string;
  readonly treeId: string;
  /** True when the same patches had been put onto the same commit before. */
  readonly cached: boolean;
}

/** Changes when the way in which patches become commits does. */
const RECIPE = 'git-am 1';

/** Names what the result depends on, apart from git itself. */
export function applyKey(base: string, patches: readonly Patch[]): string {
  const hash = createHash('sha256').update(`${RECIPE}\n${base}\n`);
  for (const { mail } of patches) hash.update(`${mail.length}\n`).update(mail);
  return hash.digest('hex');
}

/**
 * Puts patches onto a commit with `git am`, in a throw-away repository with an index and no files but those that the
 * patches touch (git apply fetches a missing file from the index). The user's tree has no part in it. Committer and
 * dates are fixed, so that the same input gives the same commit ids. A result is remembered below `refs/enokey/applied`.
 * @throws UserError that names the patch, file and hunk that does not apply.
 */
export async function applyPatches(context: Context, options: ApplyOptions): Promise<Applied> {
  const { base, patches, repo } = options;
  const git = new Git(repo, { owned: true, gitDir: repo, signal: context.signal });
  const read = async (ref: string, cached: boolean): Promise<Applied | undefined> => {
    const [commit, treeId] = ((await git.ask('rev-parse', '--verify', '--quiet', `${ref}^{commit}`)) &&
      (await git.ask('rev-parse', `${ref}^{commit}`, `${ref}^{tree}`))?.split('\n')) || [
      undefined,
      undefined,
    ];
    return commit === undefined || treeId === undefined ? undefined : { commit, treeId, cached };
  };
  if (patches.length === 0) {
    const found = await read(base, true);
    if (!found) throw new InfraError({ subject: repo, observed: `cannot read commit ${base}` });
    return found;
  }
  const ref = `refs/enokey/applied/${applyKey(base, patches)}`;
  const before = await read(ref, true);
  if (before) return before;
  return step(
    context.emit,
    `series.apply/${options.title}`,
    `Apply ${options.title}`,
    (progress) =>
      withScratch(context, 'apply', async (scratch) => {
        const commit = await am(context, options, scratch, (done) =>
          progress(`patch ${done} of ${patches.length}`, (done - 1) / patches.length),
        );
        await git.must(['update-ref', ref, commit]);
        const applied = await read(ref, false);
        if (!applied) throw new BugError({ subject: repo, observed: `${ref} vanished` });
        return applied;
      }),
    ({ commit }) => `${patches.length} patch${patches.length === 1 ? '' : 'es'}, ${commit.slice(0, 12)}`,
  );
}

async function am(
  context: Context,
  { repo, base, patches }: ApplyOptions,
  scratch: string,
  onPatch: (number: number) => void,
): Promise<string> {
  const gitDir = path.join(scratch, 'git');
  const workTree = path.join(scratch, 'files');
  await mkdir(workTree);
  const git = new Git(workTree, {
    owned: true,
    gitDir,
    workTree,
    signal: context.signal,
    env: { GIT_OBJECT_DIRECTORY: path.join(repo, 'objects') },
  });
  const format = await new Git(repo, { owned: true, gitDir: repo }).read('rev-parse', '--show-object-format');
  await git.must(['init', '--quiet', '--template=', `--object-format=${format}`]);
  // The boundary of a shallow clone is where history may end.
  await copyFile(path.join(repo, 'shallow'), path.join(gitDir, 'shallow')).catch(() => undefined);
  await git.must(['update-ref', '--no-deref', 'HEAD', base]);
  await git.must(['read-tree', base]);
  let number = 0;
  const result = await git.run(
    [
      'am',
      '--no-3way',
      '--no-keep-cr',
      '--no-scissors',
      '--no-gpg-sign',
      '--no-signoff',
      '--quoted-cr=nowarn',
      '--committer-date-is-author-date',
      '--',
      ...patches.map((patch) => patch.path),
    ],
    { onLine: (line) => line.startsWith('Applying: ') && onPatch(++number) },
  );
  if (result.exitCode !== 0) throw await explain(result.stderr, patches, gitDir, base, path.dirname(repo));
  const commits = (await git.read('rev-list', `${base}..HEAD`)).split('\n').filter(Boolean);
  if (commits.length !== patches.length) {
    throw new UserError({
      subject: 'git am',
      observed: `${patches.length} files became ${commits.length} commits`,
      expected: 'one patch a file',
    });
  }
  await rm(workTree, { recursive: true, force: true });
  return commits[0] ?? base;
}

async function explain(
  stderr: string,
  patches: readonly Patch[],
  gitDir: string,
  base: string,
  cache: string,
): Promise<Error> {
  if (/No space left|Disk quota/i.test(stderr))
    return diskError(Object.assign(new Error(stderr), { code: 'ENOSPC' }), cache) as Error;
  const next = await readFile(path.join(gitDir, 'rebase-apply', 'next'), 'utf8').catch(() => '');
  const index = Number(next.trim()) - 1;
  const patch = patches[index];
  if (!patch) {
    return new InfraError({ subject: 'git am', observed: stderr.trim().split('\n').at(-1) ?? 'failed' });
  }
  const conflicts = parseConflicts(stderr, patch);
  const said = /^(?:fatal|error): (.*)$/m.exec(stderr)?.[1];
  const rest = patches.slice(0, index + 1).map(({ path: file }) => shellWord(file));
  return new UserError({
    subject: `patch ${patch.name} (${index + 1} of ${patches.length})`,
    observed:
      conflicts.length > 0
        ? describeConflicts(conflicts)
        : `does not apply: ${said ?? 'git am gives no reason'}`,
    next: `look at it in a checkout of yours: git switch --detach ${base.slice(0, 12)} && git am --3way ${rest.join(' ')}`,
  });
}
