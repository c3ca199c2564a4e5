// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { step } from '../core/events.js';
import { InfraError, InterruptedError, UserError } from '../core/errors.js';
import { exists } from '../system/files.js';
import { Git, GitError } from '../system/git.js';
import { withLock } from '../system/lock.js';
import { isUrl } from './url.js';

/** Where fstests comes from: a checkout of the user's (never written to) or a repository to fetch from. */
export type FstestsSource =
  | { readonly kind: 'folder'; readonly path: string; readonly ref?: string }
  | { readonly kind: 'url'; readonly url: string; readonly ref?: string };

/** Upstream's public mirror at the commit that the overrides were written and checked against. */
export const UPSTREAM: FstestsSource = {
  kind: 'url',
  url: 'https://github.com/kdave/xfstests',
  ref: '63a29724a85f1999e49bf0a9bf0d22643b6116e5',
};

/** A source whose commit is known and at hand. */
export interface ResolvedSource {
  /** Repository that holds the commit; read only. */
  readonly repository: string;
  /** Full commit id. */
  readonly commit: string;
  /** For people: `https://...@63a29724`, `/src/xfstests@a1b2c3d4`. */
  readonly name: string;
}

const FULL_ID = /^[0-9a-f]{40}$/;

/**
 * Reads `DIR|URL[@REF]`. `DIR` must be absolute (who parsed the flag knows what it is relative to). A folder whose
 * own name has an `@` wins over a ref.
 */
export async function parseSource(text: string): Promise<FstestsSource> {
  if (isUrl(text)) {
    // The first slash or colon after the host: an `@` before it belongs to the user name.
    const scheme = text.indexOf('://');
    const start = scheme >= 0 ? text.indexOf('/', scheme + 3) : text.indexOf(':');
    const at = text.lastIndexOf('@');
    if (at > start && start > 0)
      return { kind: 'url', url: text.slice(0, at), ref: checkRef(text.slice(at + 1), text) };
    return { kind: 'url', url: text };
  }
  const at = text.lastIndexOf('@');
  if ((await isFolder(text)) || at <= 0) return { kind: 'folder', path: text };
  return { kind: 'folder', path: text.slice(0, at), ref: checkRef(text.slice(at + 1), text) };
}

function checkRef(ref: string, subject: string): string {
  // What git-check-ref-format(1) allows and more, but never an option or a range.
  if (/^[A-Za-z0-9_][\w./~^{}-]*$/.test(ref) && !ref.includes('..')) return ref;
  throw new UserError({ subject, observed: `${JSON.stringify(ref)} is not a branch, tag or commit` });
}

async function isFolder(name: string): Promise<boolean> {
  try {
    return (await stat(name)).isDirectory();
  } catch {
    return false;
  }
}

/** Finds the commit, fetching where the source is a URL and the commit is not in the cache yet. */
export async function resolveSource(context: Context, source: FstestsSource): Promise<ResolvedSource> {
  return source.kind === 'folder' ? resolveFolder(context, source) : resolveUrl(context, source);
}

async function resolveFolder(
  context: Context,
  source: FstestsSource & { kind: 'folder' },
): Promise<ResolvedSource> {
  if (!(await isFolder(source.path))) {
    throw new UserError({
      subject: `fstests ${source.path}`,
      observed: 'no such folder',
      expected: 'a git checkout of fstests',
    });
  }
  const git = new Git(source.path, { owned: false, signal: context.signal });
  const gitDir = await git.ask('rev-parse', '--absolute-git-dir');
  if (gitDir === undefined) {
    throw new UserError({
      subject: `fstests ${source.path}`,
      observed: 'not a git repository',
      expected: 'a git checkout of fstests, so that a result can name its commit',
      next: `git -C ${source.path} init && git add -A && git commit, or give the repository's URL`,
    });
  }
  const ref = source.ref ?? 'HEAD';
  const commit = await git.ask('rev-parse', '--verify', '--quiet', `${ref}^{commit}`);
  if (commit === undefined) {
    throw new UserError({
      subject: `fstests ${source.path}`,
      observed: `no commit ${ref}`,
      next: `git -C ${source.path} log --oneline --all`,
    });
  }
  if (source.ref === undefined) {
    const dirty = await git.ask('status', '--porcelain', '--untracked-files=no');
    if (dirty) {
      context.emit({
        type: 'note',
        level: 'warn',
        text: `fstests ${source.path}: uncommitted changes are not used, only ${commit.slice(0, 12)}`,
      });
    }
  }
  await requireFstests(git, commit, `fstests ${source.path}`);
  return { repository: gitDir, commit, name: `${source.path}@${commit.slice(0, 12)}` };
}

/** Refuses a commit that is of something else. */
async function requireFstests(git: Git, commit: string, subject: string): Promise<void> {
  for (const file of ['check', 'common/rc', 'tests/generic']) {
    if ((await git.ask('cat-file', '-t', `${commit}:${file}`)) === undefined) {
      throw new UserError({
        subject,
        observed: `commit ${commit.slice(0, 12)} has no ${file}`,
        expected: 'an fstests tree',
      });
    }
  }
}

async function resolveUrl(
  context: Context,
  source: FstestsSource & { kind: 'url' },
): Promise<ResolvedSource> {
  const id = createHash('sha256').update(source.url).digest('hex').slice(0, 16);
  const repository = path.join(context.dirs.cache, 'fstests', 'repositories', `${id}.git`);
  const lock = path.join(context.dirs.cache, 'fstests', 'repositories', `${id}.lock`);
  const ref = source.ref ?? 'HEAD';
  return withLock(lock, `fetch ${source.url}`, context.signal, async () => {
    if (!(await exists(path.join(repository, 'HEAD')))) {
      await mkdir(repository, { recursive: true });
      await new Git(repository, { owned: true, signal: context.signal }).read(
        'init',
        '--quiet',
        '--bare',
        '.',
      );
    }
    const git = new Git(repository, { owned: true, signal: context.signal, gitDir: repository });
    const known = FULL_ID.test(ref)
      ? await git.ask('rev-parse', '--verify', '--quiet', `${ref}^{commit}`)
      : undefined;
    const commit = known ?? (await fetchRef(context, git, source.url, ref));
    await requireFstests(git, commit, `fstests ${source.url}`);
    return { repository, commit, name: `${source.url}@${commit.slice(0, 12)}` };
  });
}

const FETCH_LIMIT_MS = 600_000;

async function fetchRef(context: Context, git: Git, url: string, ref: string): Promise<string> {
  return step(
    context.emit,
    'fstests.fetch',
    `Fetch fstests ${ref.slice(0, 12)} from ${url}`,
    async (progress) => {
      const fetchOnce = async (args: readonly string[]): Promise<string | undefined> => {
        const result = await git.run(['fetch', '--quiet', '--no-tags', '--force', ...args], {
          timeoutMs: FETCH_LIMIT_MS,
          onLine: (line) => progress(line.slice(0, 120)),
        });
        if (context.signal.aborted) throw new InterruptedError();
        return result.exitCode === 0 && !result.timedOut
          ? undefined
          : result.stderr.trim().split('\n').at(-1) || `exit ${result.exitCode}`;
      };
      // One commit where the server gives a commit by its id or name; else everything, and look there.
      const shallow = await fetchOnce(['--depth=1', '--', url, ref]);
      if (shallow === undefined) return git.read('rev-parse', '--verify', 'FETCH_HEAD^{commit}');
      const whole = /couldn't find remote ref|not our ref|does not allow/i.test(shallow)
        ? await fetchOnce(['--', url, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'])
        : shallow;
      if (whole !== undefined) {
        throw new InfraError({
          subject: `fstests ${url}`,
          observed: `cannot be fetched: ${whole}`,
          next: 'give a checkout with `--fstests DIR`; `generic/595 (port)` needs none',
        });
      }
      try {
        return await git.read('rev-parse', '--verify', `${ref}^{commit}`);
      } catch (error) {
        if (!(error instanceof GitError)) throw error;
        throw new UserError({ subject: `fstests ${url}`, observed: `has no branch, tag or commit ${ref}` });
      }
    },
  );
}
