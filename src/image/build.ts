// SPDX-License-Identifier: GPL-2.0-only
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { InfraError, UserError } from '../core/errors.js';
import { debianArchive, readAptSources, withSuites } from '../system/apt-sources.js';
import { run } from '../system/process.js';
import { imageFailure } from './failure.js';
import { packageVersions, SUITES, type Recipe } from './recipe.js';

export interface BuildImageOptions {
  readonly recipe: Recipe;
  /** Folder that gets root.ext4 and packages. */
  readonly folder: string;
  /** Gets everything that the tools print. */
  readonly log: string;
  /** apt's configuration folder. */
  readonly etc?: string;
  readonly progress: (detail: string, fraction?: number) => void;
}

/** mmdebstrap's stages and how far along the whole they are, from a build that took 40 s. */
const STAGES: readonly [RegExp, number][] = [
  [/^I: running apt-get update/, 0.05],
  [/^I: downloading packages/, 0.15],
  [/^I: extracting archives/, 0.3],
  [/^I: installing essential/, 0.35],
  [/^I: installing remaining/, 0.5],
  [/^I: cleaning package/, 0.9],
  [/^I: success/, 0.95],
];

/**
 * Makes the image with vm/image/build.sh, from the archive that the host's apt uses.
 * @returns versions of the packages that reports name
 * @throws UserError when the host lacks something, InfraError for network and disk, InterruptedError.
 */
export async function buildImage(
  context: Context,
  options: BuildImageOptions,
): Promise<Record<string, string>> {
  const { recipe, folder, log, progress } = options;
  await requireNamespaces(context);
  const etc = options.etc ?? '/etc/apt';
  const archive = debianArchive(await readAptSources(etc));
  if (!archive) {
    throw new UserError({
      subject: etc,
      observed: 'no Debian archive among the sources, so the guest image cannot be made',
      expected: 'an entry for Debian with the component main',
    });
  }
  const sources = path.join(folder, 'debian.sources');
  const rootfs = path.join(folder, 'root.ext4');
  await writeFile(sources, withSuites(archive, SUITES));
  await mkdir(path.dirname(log), { recursive: true });
  await rm(log, { force: true });
  const result = await run('bash', [path.join(recipe.folder, 'build.sh'), sources, rootfs], {
    signal: context.signal,
    env: { LC_ALL: 'C', SOURCE_DATE_EPOCH: undefined, TMPDIR: undefined },
    cwd: folder,
    logFile: log,
    onLine: (line) => {
      const stage = STAGES.find(([pattern]) => pattern.test(line));
      if (stage) progress(line.slice(3), stage[1]);
    },
  });
  if (result.exitCode !== 0) {
    throw imageFailure(`${result.stdout}\n${result.stderr}`, result.exitCode, context.dirs.cache, log);
  }
  await rename(`${rootfs}.packages`, path.join(folder, 'packages'));
  await rm(sources);
  await copyFile(log, path.join(folder, 'build.log'));
  const versions = packageVersions(await readFile(path.join(folder, 'packages'), 'utf8'), recipe.reported);
  const missing = recipe.reported.filter((name) => versions[name] === undefined);
  if (missing.length > 0) {
    throw new InfraError({ subject: 'guest image', observed: `${missing.join(', ')} did not get in`, log });
  }
  return versions;
}

/** An ordinary user needs user namespaces with a range of ids: says so before anything is downloaded. */
async function requireNamespaces(context: Context): Promise<void> {
  if (process.getuid?.() === 0) return;
  const trial = await run('unshare', ['--user', '--map-root-user', '--map-auto', '--mount', '--', 'true'], {
    signal: context.signal,
    env: { LC_ALL: 'C' },
  });
  if (trial.exitCode === 0) return;
  const said = trial.stderr.trim().split('\n').at(-1) ?? `exit ${trial.exitCode}`;
  throw new UserError({
    subject: 'guest image',
    observed: `no user namespace with a range of ids: ${said}`,
    expected: 'root, or newuidmap (package uidmap) and a range for you in /etc/subuid and /etc/subgid',
    next: '`enokey doctor` says what is missing',
  });
}
