// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { SeriesSource } from '../config/types.js';
import { UserError } from '../core/errors.js';
import { Git, GitError } from '../system/git.js';
import { listFolder } from './folder.js';

/** One patch of a series as a mail in a file of its own. */
export interface PatchFile {
  /** How messages name it: the file's name, `message 3 of x.mbox`, or `0003-x.patch of A..B`. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
}

/** What a source is called in messages. */
export function sourceName(source: SeriesSource): string {
  return source.kind === 'commits' ? `${source.range} in ${source.tree}` : source.path;
}

/**
 * The patches of one source in order, cut to its `first`. Those of an mbox or of commits are written to a new
 * folder below `scratch`, which the caller removes.
 * @throws UserError when the source is not there, has no patches or fewer than `first`.
 */
export async function collectPatches(
  source: SeriesSource,
  scratch: string,
  signal?: AbortSignal,
): Promise<PatchFile[]> {
  const all = await collectAll(source, scratch, signal);
  const subject = sourceName(source);
  if (all.length === 0) {
    throw new UserError({ subject, observed: 'no patches', expected: 'at least one' });
  }
  if (source.first !== undefined && source.first > all.length) {
    throw new UserError({ subject, observed: `${all.length} patches`, expected: `at least ${source.first}` });
  }
  return all.slice(0, source.first);
}

async function collectAll(source: SeriesSource, scratch: string, signal?: AbortSignal): Promise<PatchFile[]> {
  switch (source.kind) {
    case 'folder':
      return (await listFolder(source.path)).map((file) => ({ name: path.basename(file), path: file }));
    case 'mbox':
      return splitMbox(source.path, await newFolder(scratch), signal);
    case 'commits':
      return formatCommits(source, await newFolder(scratch), signal);
  }
}

/** How many patches a source has, whatever its `first` says. */
export async function countPatches(source: SeriesSource): Promise<number> {
  if (source.kind === 'folder') return (await listFolder(source.path)).length;
  const scratch = await mkdtemp(path.join(tmpdir(), 'enokey-count-'));
  try {
    return (await collectAll(source, scratch)).length;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function newFolder(scratch: string): Promise<string> {
  await mkdir(scratch, { recursive: true });
  return mkdtemp(path.join(scratch, 'series-'));
}

/** True for a cover letter: a mail numbered 0/N without a diff. */
function isCover(mail: string): boolean {
  const head = mail.slice(0, mail.search(/\r?\n\r?\n/));
  return (
    /^Subject:.*\[[^\]]*\b0+\/\d+\]/im.test(head.replace(/\r?\n[ \t]+/g, ' ')) &&
    !/^diff --git |^--- \S/m.test(mail)
  );
}

async function splitMbox(file: string, folder: string, signal?: AbortSignal): Promise<PatchFile[]> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) {
    throw new UserError({
      subject: file,
      observed: found ? 'is not a file' : 'no such file',
      expected: 'an mbox',
    });
  }
  const split = path.join(folder, 'split');
  await mkdir(split);
  const git = new Git(folder, { owned: true, signal });
  const result = await git.run(['mailsplit', '-d4', '--mboxrd', `-o${split}`, '--', file]);
  if (result.exitCode !== 0) {
    throw new UserError({
      subject: file,
      observed: `not an mbox: ${result.stderr.trim().split('\n')[0] ?? ''}`,
      expected: 'mails that begin with "From "',
    });
  }
  const patches: PatchFile[] = [];
  const names = (await readdir(split)).sort();
  for (const [index, name] of names.entries()) {
    const mail = path.join(split, name);
    if (isCover(await readFile(mail, 'utf8'))) continue;
    const target = path.join(folder, `${String(patches.length + 1).padStart(4, '0')}.eml`);
    await rename(mail, target);
    patches.push({ name: `message ${index + 1} of ${path.basename(file)}`, path: target });
  }
  return patches;
}

async function formatCommits(
  source: Extract<SeriesSource, { kind: 'commits' }>,
  folder: string,
  signal?: AbortSignal,
): Promise<PatchFile[]> {
  const subject = `${source.tree}: ${source.range}`;
  const found = await stat(source.tree).catch(() => undefined);
  if (!found?.isDirectory())
    throw new UserError({ subject: source.tree, observed: 'no such folder', expected: 'a git tree' });
  const git = new Git(source.tree, { owned: false, signal });
  let merges: string;
  try {
    merges = await git.read('rev-list', '--merges', '--max-count=1', '--end-of-options', source.range);
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new UserError({
      subject,
      observed: error.message,
      expected: 'a range of commits, A..B',
      cause: error,
    });
  }
  if (merges !== '') {
    throw new UserError({
      subject,
      observed: `${merges.slice(0, 12)} is a merge`,
      expected: 'a line of plain commits',
      next: `git -C ${source.tree} rebase --no-rebase-merges makes one`,
    });
  }
  // What the user has set for format-patch (prefixes, signatures, threading) must not reach the patches.
  await git.must([
    ...[
      '-c',
      'diff.noprefix=false',
      '-c',
      'diff.mnemonicPrefix=false',
      '-c',
      'diff.renames=true',
      '-c',
      'diff.algorithm=myers',
    ],
    ...[
      'format-patch',
      '--quiet',
      '--full-index',
      '--binary',
      '--no-signature',
      '--no-attach',
      '--no-thread',
    ],
    ...[
      '--no-cover-letter',
      '--no-base',
      '--no-numbered',
      '--no-signoff',
      '--no-ext-diff',
      '--no-textconv',
      '--src-prefix=a/',
      '--dst-prefix=b/',
    ],
    ...[
      '--suffix=.patch',
      '--subject-prefix=PATCH',
      '--no-notes',
      '-o',
      folder,
      '--end-of-options',
      source.range,
    ],
  ]);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.patch')).sort();
  return names.map((name) => ({ name: `${name} of ${source.range}`, path: path.join(folder, name) }));
}
