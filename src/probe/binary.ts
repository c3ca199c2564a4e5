// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { BugError, InfraError } from '../core/errors.js';
import { step } from '../core/events.js';
import { makeDirectoryAtomic } from '../system/files.js';
import { withLock } from '../system/lock.js';
import { run, runOrThrow } from '../system/process.js';

const BINARY = 'enokey-probe';

/** Raise when the way of building changes without a change in the sources. */
const RECIPE = 1;

/** The statically linked probe program on the host, ready to be pushed into a guest. */
export interface ProbeBinary {
  /** Hex SHA-256 of sources, compiler and recipe. */
  readonly key: string;
  /** Folder that holds nothing but the program. */
  readonly dir: string;
  readonly file: string;
}

/** What takes part in the build: sources, headers, Makefile; not the unit tests' or anybody's object files. */
async function sourcesOf(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir);
  return names.filter((name) => /\.[chS]$/.test(name) || name === 'Makefile').sort();
}

async function keyOf(dir: string, names: readonly string[], compiler: string): Promise<string> {
  const hash = createHash('sha256').update(`recipe ${RECIPE}\0${compiler}\0`);
  for (const name of names)
    hash
      .update(`${name}\0`)
      .update(await readFile(path.join(dir, name)))
      .update('\0');
  return hash.digest('hex');
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/**
 * The probe program from the cache, compiled first when its sources or the compiler changed. Compiles in a copy,
 * so that the shipped folder may be read-only and is never written to.
 * @throws UserError without a compiler, InfraError when it does not compile.
 */
export async function ensureProbeBinary(context: Context): Promise<ProbeBinary> {
  const sources = path.join(context.dirs.shipped, 'vm', 'probe');
  const names = await sourcesOf(sources).catch((): readonly string[] => []);
  if (!names.includes('Makefile')) {
    throw new BugError({
      subject: sources,
      observed: 'the sources of the probes are not shipped with this copy of enokey',
    });
  }
  const compiler = 'cc';
  const version = await runOrThrow(compiler, ['--version'], { signal: context.signal });
  const key = await keyOf(sources, names, version.stdout.split('\n', 1)[0] ?? '');
  const store = path.join(context.dirs.cache, 'probe');
  const dir = path.join(store, key.slice(0, 32));
  const binary: ProbeBinary = { key, dir, file: path.join(dir, BINARY) };
  if (await isThere(binary.file)) return binary;
  return withLock(path.join(store, 'lock'), 'compiles the probes', context.signal, async () => {
    if (await isThere(binary.file)) return binary;
    await step(context.emit, 'probe.build', 'Compile the probes', () =>
      makeDirectoryAtomic(dir, (temporary) =>
        compile(context, { sources, names, compiler, temporary, store }),
      ),
    );
    return binary;
  });
}

interface Compile {
  readonly sources: string;
  readonly names: readonly string[];
  readonly compiler: string;
  readonly temporary: string;
  readonly store: string;
}

async function compile(context: Context, what: Compile): Promise<void> {
  const src = path.join(what.temporary, 'src');
  await mkdir(src);
  for (const name of what.names) await copyFile(path.join(what.sources, name), path.join(src, name));
  const log = path.join(what.store, 'build.log');
  const made = await run('make', ['-C', src, `-j${context.jobs}`, `CC=${what.compiler}`, BINARY], {
    signal: context.signal,
    logFile: log,
  });
  if (made.exitCode !== 0) {
    const first = made.stderr.split('\n').find((line) => /error|undefined reference/.test(line));
    throw new InfraError({
      subject: 'the probes',
      observed: `do not compile: ${first?.replace(`${src}/`, '') ?? `make exit ${made.exitCode}`}`,
      expected: 'a C compiler that can link statically',
      next: '`enokey doctor` says what is missing',
      log,
    });
  }
  await copyFile(path.join(src, BINARY), path.join(what.temporary, BINARY));
  await rm(src, { recursive: true });
}
