// SPDX-License-Identifier: GPL-2.0-only
import { InfraError } from '../core/errors.js';
import { COMMITTER, type Git } from '../system/git.js';
import { openPipe } from '../system/pipe.js';
import { TarError, TarReader } from './tar.js';

export interface ImportedFiles {
  /** Files and symlinks in the archive, all of which are in the commit. */
  readonly files: number;
  readonly commit: string;
  /** Seconds since the epoch: the commit's date, taken from the archive's first member. */
  readonly date: number;
}

export interface ImportOptions {
  readonly archive: AsyncIterable<Uint8Array>;
  /** What the archive is called in messages. */
  readonly subject: string;
  readonly message: string;
  readonly branch: string;
  readonly signal: AbortSignal;
  readonly onFiles: (files: number) => void;
}

const QUOTED = /["\\\n]/;

/**
 * Turns a tar archive with one top folder into a repository's first commit, without unpacking it: members go to
 * `git fast-import` as they are read. There is no index and no .gitignore in that way (Debian's tarball has one
 * that says `/*`, with which `git add` silently takes nothing). The commit depends on the archive alone.
 * The archive is read to its end, so that a program or download behind it can still fail.
 * @throws InfraError when the archive is damaged, or when git has not taken each of its files; what `archive` throws.
 */
export async function importArchive(git: Git, options: ImportOptions): Promise<ImportedFiles> {
  const state = { files: 0, date: 0 };
  const { args, env, cwd } = git.command('fast-import', '--quiet', '--done', '--depth=0', '--force');
  const pipe = openPipe('git', args, {
    cwd,
    env,
    signal: options.signal,
    input: stream(options, state),
    subject: `git fast-import of ${options.subject}`,
  });
  for await (const _chunk of pipe.stdout);
  try {
    await pipe.done;
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    throw new InfraError({
      subject: options.subject,
      observed: error.message,
      expected: 'a tar archive',
      cause: error,
    });
  }
  const commit = await git.read('rev-parse', '--verify', `refs/heads/${options.branch}^{commit}`);
  let taken = 0;
  await git.must(['ls-tree', '-r', '-z', '--name-only', commit], {
    keepBytes: 1,
    onLine: (line) => (taken += line.split('\0').length - 1),
  });
  if (taken !== state.files) {
    throw new InfraError({
      subject: options.subject,
      observed: `${taken} files in git`,
      expected: `the archive's ${state.files}`,
    });
  }
  return { files: taken, commit, date: state.date };
}

async function* stream(
  options: ImportOptions,
  state: { files: number; date: number },
): AsyncGenerator<Buffer> {
  const tar = new TarReader(options.archive);
  let head = false;
  for (;;) {
    const member = await tar.next();
    if (!member) break;
    if (!head) {
      head = true;
      state.date = member.mtime;
      const who = `${COMMITTER.name} <${COMMITTER.email}> ${member.mtime} +0000`;
      const message = Buffer.from(options.message);
      yield Buffer.from(
        `commit refs/heads/${options.branch}\nauthor ${who}\ncommitter ${who}\ndata ${message.length}\n`,
      );
      yield message;
      yield Buffer.from('\n');
    }
    if (member.type === 'directory') continue;
    const path = member.path.replace(/^\.\//, '').split('/').slice(1).join('/');
    if (path === '') throw new TarError(`${member.path} is not below the archive's top folder`);
    if (member.type !== 'file' && member.type !== 'symlink')
      throw new TarError(`${member.path} is neither a file nor a symlink`);
    const mode = member.type === 'symlink' ? '120000' : member.mode & 0o100 ? '100755' : '100644';
    const name = QUOTED.test(path) ? JSON.stringify(path) : path;
    const size = member.type === 'symlink' ? Buffer.byteLength(member.link) : member.size;
    yield Buffer.from(`M ${mode} inline ${name}\ndata ${size}\n`);
    if (member.type === 'symlink') yield Buffer.from(member.link);
    else yield* tar.body();
    yield Buffer.from('\n');
    state.files++;
    if (state.files % 500 === 0) options.onFiles(state.files);
  }
  if (state.files === 0) throw new TarError('no files in it');
  // Without `done` git takes nothing: an archive whose checksums turn out wrong at its end must not become a commit.
  await tar.drain();
  yield Buffer.from('\ndone\n');
}
