// SPDX-License-Identifier: GPL-2.0-only
import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Base } from '../config/types.js';
import type { Context } from '../core/context.js';
import { InfraError, throwIfAborted, UserError } from '../core/errors.js';
import { step } from '../core/events.js';
import { formatBytes, freeBytes, requireSpace } from '../system/disk.js';
import { diskError, readIfThere } from '../system/files.js';
import { Git } from '../system/git.js';
import { withLock } from '../system/lock.js';
import { downloadPackage } from './apt.js';
import { decompress, openSourcePackage } from './debian.js';
import { importArchive } from './fast-import.js';
import { downloadTarball, tarballUrl } from './kernel-org.js';
import { isRelease, parseMakefile } from './makefile.js';
import { replaceDirectory } from '../system/replace.js';
import type { KernelTree, TreeOrigin } from './types.js';

export interface ImportTreeOptions {
  readonly base: Base;
  /** Where from, when it is not there yet; default Debian's package. */
  readonly from?: 'debian' | 'kernel.org';
  /** Make it anew although it is there. The old one stays until the new one is whole. */
  readonly again?: boolean;
  /** apt's configuration folder, for tests. */
  readonly aptEtc?: string;
}

export interface ImportedTree extends KernelTree {
  readonly files: number;
  /** False when it was there already. */
  readonly imported: boolean;
}

/** Package and git objects, with room for worktrees' indexes. */
const IMPORT_BYTES = 900 * 1024 ** 2;
/** What the kernel had in 7.3.4; only for the progress bar. */
const USUAL_FILES = 96_000;

/** Written last into a finished import. */
interface Note {
  readonly commit: string;
  readonly version: string;
  readonly files: number;
  readonly origin: TreeOrigin;
}

/** The bare repository of a base's release in the cache. */
export function importedRepo(context: Context, base: Base): string {
  return path.join(context.dirs.cache, 'tree', `${base.name}.git`);
}

/** The imported release, or undefined when it is not there. Never a half-done one: it appears by rename. */
export async function findImported(context: Context, base: Base): Promise<ImportedTree | undefined> {
  const repo = importedRepo(context, base);
  const text = await readIfThere(path.join(repo, 'enokey.json'));
  if (text === undefined) return undefined;
  try {
    const note = JSON.parse(text) as Note;
    return { repo, ...note, imported: false };
  } catch {
    return undefined;
  }
}

/**
 * The base's release as a git repository in the cache: from the cache, or imported now under a lock. An import that
 * was interrupted is removed and done again; the package that it had downloaded is used.
 */
export async function importTree(context: Context, options: ImportTreeOptions): Promise<ImportedTree> {
  const { base } = options;
  if (!options.again) {
    const there = await findImported(context, base);
    if (there) return there;
  }
  const repo = importedRepo(context, base);
  const lock = `${repo}.lock`;
  const tell = (owner: { pid: number } | undefined): void =>
    context.emit({
      type: 'note',
      level: 'info',
      text: `waiting for process ${owner?.pid ?? '?'}, which imports ${base.name}`,
    });
  return withLock(
    lock,
    `import ${base.name}`,
    context.signal,
    async () => {
      const there = await findImported(context, base);
      if (there && !options.again) return there;
      await removeLeftovers(repo);
      // What works goes only once there is another.
      if (!there) await rm(repo, { recursive: true, force: true });
      await requireSpace(context.dirs.cache, IMPORT_BYTES, `the import of ${base.name}`);
      return options.from === 'kernel.org'
        ? fromKernelOrg(context, base, repo)
        : fromDebian(context, options, repo);
    },
    tell,
  );
}

/** Temporary repositories of imports that were killed. We hold the lock, so nobody is still writing to one. */
async function removeLeftovers(repo: string): Promise<void> {
  const folder = path.dirname(repo);
  for (const name of await readdir(folder)) {
    // One dot, or two for what was to become such a repository (replaceDirectory).
    if (name.replace(/^\.{1,2}/, '.').startsWith(`.${path.basename(repo)}.tmp-`))
      await rm(path.join(folder, name), { recursive: true, force: true });
  }
}

async function fromDebian(context: Context, options: ImportTreeOptions, repo: string): Promise<ImportedTree> {
  const { base } = options;
  const name = base.debianPackage;
  if (name === undefined) {
    throw new UserError({
      subject: `base ${base.name}`,
      observed: 'no debianPackage to import',
      next: 'give a kernel of your own with --tree DIR',
    });
  }
  const folder = path.join(context.dirs.cache, 'tree', 'packages');
  const deb = await step(
    context.emit,
    'tree.download',
    `Download ${name}`,
    (progress) => downloadPackage(context, name, folder, { etc: options.aptEtc, onProgress: progress }),
    ({ version }) => version,
  );
  const origin: TreeOrigin = { kind: 'debian', package: name, packageVersion: deb.version };
  const tree = await fill(context, base, repo, {
    subject: path.basename(deb.file),
    message: `${name} ${deb.version}\n\nThe kernel source of Debian's package, file by file.\n`,
    archive: () => openSourcePackage(deb.file, context.signal),
    origin,
  }).catch(async (error: unknown) => {
    // A damaged package would fail for ever; after an interruption or on a full disk it is still good.
    if (
      error instanceof InfraError &&
      !context.signal.aborted &&
      !/disk is full|No space/.test(error.message)
    ) {
      await rm(deb.file, { force: true });
    }
    throw error;
  });
  await rm(deb.file, { force: true });
  return tree;
}

async function fromKernelOrg(context: Context, base: Base, repo: string): Promise<ImportedTree> {
  const url = tarballUrl(base.version);
  return fill(context, base, repo, {
    subject: url,
    message: `Linux ${base.version}\n\n${url}\n`,
    archive: () =>
      decompress(
        url,
        downloadTarball(base.version, context.signal, () => undefined),
        context.signal,
      ),
    origin: { kind: 'kernel.org', url },
  });
}

interface Source {
  readonly subject: string;
  readonly message: string;
  readonly archive: () => AsyncIterable<Uint8Array>;
  readonly origin: TreeOrigin;
}

async function fill(context: Context, base: Base, repo: string, source: Source): Promise<ImportedTree> {
  return step(
    context.emit,
    'tree.import',
    `Import ${base.name} into git`,
    async (progress) => {
      let note: Note | undefined;
      const before = await findImported(context, base);
      await replaceDirectory(repo, async (dir) => {
        note = await fillRepository(context, base, dir, source, (files) =>
          progress(`${files} files`, Math.min(0.99, files / USUAL_FILES)),
        ).catch(async (error: unknown) => {
          throw await noSpace(error, path.dirname(repo));
        });
        if (before?.commit === note.commit) await keepApplied(context, repo, dir);
      });
      if (!note) throw new Error('nothing was imported');
      return { repo, ...note, imported: true };
    },
    ({ version, files }) => `${version}, ${files} files`,
  );
}

/**
 * Takes over what series were put onto the same commit in the repository that is replaced. Build worktrees borrow
 * their objects from there, and a build that waits for its worktree has such a commit in hand already. What git cannot
 * read is left: it is made again from the patches.
 */
async function keepApplied(context: Context, from: string, to: string): Promise<void> {
  const git = new Git(to, { owned: true, gitDir: to, signal: context.signal });
  const refs = '+refs/enokey/applied/*:refs/enokey/applied/*';
  await git.run(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', from, refs]);
  throwIfAborted(context.signal);
}

/** Less than this is left on a disk that was full a moment ago. */
const NEARLY_FULL = 16 * 1024 ** 2;

/**
 * The error that names folder and need, when a full disk is behind it: git fast-import may call that "disk
 * corruption", so that the space which is left counts for more than its words.
 */
async function noSpace(error: unknown, dir: string): Promise<unknown> {
  if (!(error instanceof InfraError)) return error;
  if (!/No space left|Disk quota/i.test(error.message) && (await freeBytes(dir)) > NEARLY_FULL) return error;
  return diskError(
    Object.assign(new Error(error.message, { cause: error }), { code: 'ENOSPC' }),
    dir,
    formatBytes(IMPORT_BYTES),
  );
}

async function fillRepository(
  context: Context,
  base: Base,
  dir: string,
  source: Source,
  onFiles: (files: number) => void,
): Promise<Note> {
  const git = new Git(dir, { owned: true, gitDir: dir, signal: context.signal });
  await git.must(['init', '--quiet', '--bare', '--template=', '--initial-branch=main']);
  const { commit, files } = await importArchive(git, {
    archive: source.archive(),
    subject: source.subject,
    message: source.message,
    branch: 'main',
    signal: context.signal,
    onFiles,
  });
  const version = parseMakefile((await git.ask('show', `${commit}:Makefile`)) ?? '');
  if (!version || !isRelease(version, base.version)) {
    throw new InfraError({
      subject: source.subject,
      observed: version ? `Linux ${version.text}` : 'no kernel source (no version in its Makefile)',
      expected: `Linux ${base.version}`,
    });
  }
  await git.must(['update-ref', `refs/tags/${base.name}`, commit]);
  const note: Note = { commit, version: version.text, files, origin: source.origin };
  await writeFile(path.join(dir, 'description'), `${source.subject}\n`);
  await writeFile(path.join(dir, 'enokey.json'), `${JSON.stringify(note, null, 2)}\n`);
  return note;
}
