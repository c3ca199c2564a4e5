// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { step } from '../core/events.js';
import { InfraError, UserError } from '../core/errors.js';
import { SUITES } from '../image/recipe.js';
import { debianArchive, readAptSources, withSuites } from '../system/apt-sources.js';
import { requireSpace } from '../system/disk.js';
import { diskError, exists, makeDirectoryAtomic, readIfThere } from '../system/files.js';
import { withLock } from '../system/lock.js';
import { run, runOrThrow } from '../system/process.js';
import { explainBuildLog } from './build-log.js';
import { exportTree, type Export } from './export.js';
import { digestFolder, findMisfits, overriddenTests, readManifest, type Misfit } from './overrides.js';
import type { ResolvedSource } from './source.js';

const GIB = 1024 ** 3;

/** fstests built for a guest image, with the overrides, as a disk. */
export interface FstestsBuild {
  readonly commit: string;
  readonly name: string;
  /** ext4 image to attach to a guest. */
  readonly disk: string;
  /** The unbuilt tree, for groups and golden outputs. */
  readonly tree: string;
  /** What of the overrides does not fit this tree: btrfs must not run with it. */
  readonly misfits: readonly Misfit[];
  /** Variant folder -> tests that it overrides. */
  readonly overridden: ReadonlyMap<string, readonly string[]>;
  /** Hex SHA-256 of the overrides that are packed. */
  readonly overrides: string;
  /** Key of the build: commit, image and recipe. */
  readonly key: string;
}

export interface BuildOptions {
  readonly source: ResolvedSource;
  /** Key of the guest image that it has to run in. */
  readonly imageKey: string;
  /** `/etc/apt` of the host; other folders for tests. */
  readonly etcApt?: string;
}

/**
 * fstests ready for a guest: exported, built once a (commit, image), packed with the overrides. Each stage is a
 * store of its own, so that a changed override only packs again (2 s).
 * @throws InfraError when the build fails, with what is missing and the log; UserError for sources without Debian.
 */
export async function buildFstests(context: Context, options: BuildOptions): Promise<FstestsBuild> {
  const tree = await exportTree(context, options.source);
  const overridesDir = path.join(context.dirs.shipped, 'fstests-overrides');
  const manifest = await readManifest(path.join(overridesDir, 'common', 'overrides.yaml'));
  const misfits = await findMisfits(manifest, tree.tree);
  const built = await buildTree(context, tree, options);
  const overrides = await digestFolder(overridesDir);
  const disk = await packDisk(context, built, overridesDir, overrides);
  return {
    commit: options.source.commit,
    name: options.source.name,
    disk,
    tree: tree.tree,
    misfits,
    overridden: await overriddenTests(overridesDir),
    overrides,
    key: built.key,
  };
}

interface Built {
  readonly key: string;
  readonly tar: string;
}

async function buildTree(context: Context, tree: Export, options: BuildOptions): Promise<Built> {
  const recipe = path.join(context.dirs.shipped, 'vm', 'fstests');
  const root = path.join(context.dirs.cache, 'fstests');
  const hash = createHash('sha256');
  const packages = await readFile(path.join(recipe, 'packages.txt'));
  const script = await readFile(path.join(recipe, 'build.sh'));
  hash.update(`${tree.commit}\n${options.imageKey}\n`).update(packages).update(script);
  const key = hash.digest('hex');
  const dir = path.join(root, 'built', key);
  const result: Built = { key, tar: path.join(dir, 'built.tar') };
  if (await exists(dir)) return result;
  // The build root goes with the image: both are of the same suite at the same time.
  const rootKey = createHash('sha256').update(options.imageKey).update(packages).digest('hex').slice(0, 16);
  const rootTar = path.join(root, 'roots', `${rootKey}.tar`);
  return withLock(
    path.join(root, 'build.lock'),
    `build fstests ${tree.commit.slice(0, 12)}`,
    context.signal,
    async () => {
      if (await exists(dir)) return result;
      await requireSpace(root, 2 * GIB, 'building fstests');
      const log = path.join(root, 'logs', `build-${key.slice(0, 16)}.log`);
      await mkdir(path.dirname(log), { recursive: true });
      await mkdir(path.dirname(rootTar), { recursive: true });
      await rm(log, { force: true });
      await step(context.emit, 'fstests.build', `Build fstests ${tree.commit.slice(0, 12)}`, (progress) =>
        makeDirectoryAtomic(dir, async (part) => {
          const sources = path.join(part, 'debian.sources');
          await writeFile(sources, await aptSources(options.etcApt ?? '/etc/apt'));
          const output = path.join(part, 'built.tar');
          const ended = await run(
            'bash',
            [path.join(recipe, 'build.sh'), sources, tree.tar, output, rootTar],
            {
              signal: context.signal,
              logFile: log,
              env: { JOBS: String(context.jobs), LC_ALL: 'C.UTF-8' },
              cwd: part,
              onLine: (line) => progress(line.slice(0, 100)),
            },
          );
          // The log is in the cache and the sources name the host's mirror: neither goes into the store.
          await rm(sources, { force: true });
          await rm(path.join(part, '.work'), { recursive: true, force: true });
          if (ended.exitCode !== 0) throw ended.logError ?? (await buildFailed(tree, log));
        }),
      );
      return result;
    },
  );
}

async function aptSources(etc: string): Promise<string> {
  const archive = debianArchive(await readAptSources(etc));
  if (archive) return withSuites(archive, SUITES);
  throw new UserError({
    subject: etc,
    observed: 'no Debian archive among the sources, so fstests cannot be built for the guest',
    expected: 'an entry for Debian with the component main',
    next: 'add one, or run `generic/595 (port)`, which needs no fstests',
  });
}

async function buildFailed(tree: Export, log: string): Promise<InfraError> {
  const text = (await readIfThere(log)) ?? '';
  const { observed, next } = explainBuildLog(text.slice(-1024 * 1024));
  return new InfraError({ subject: `building fstests ${tree.commit.slice(0, 12)}`, observed, next, log });
}

/** One disk a (build, overrides). */
async function packDisk(
  context: Context,
  built: Built,
  overridesDir: string,
  overrides: string,
): Promise<string> {
  const recipe = path.join(context.dirs.shipped, 'vm', 'fstests', 'pack.sh');
  const hash = createHash('sha256')
    .update(built.key)
    .update(await readFile(recipe))
    .update(overrides);
  const dir = path.join(context.dirs.cache, 'fstests', 'disks', hash.digest('hex'));
  const disk = path.join(dir, 'fstests.ext4');
  if (await exists(dir)) return disk;
  await step(context.emit, 'fstests.pack', 'Pack fstests and its overrides', () =>
    makeDirectoryAtomic(dir, async (part) => {
      try {
        await runOrThrow('bash', [recipe, built.tar, overridesDir, path.join(part, 'fstests.ext4')], {
          signal: context.signal,
          env: { LC_ALL: 'C.UTF-8' },
        });
      } catch (error) {
        throw diskError(error, dir);
      }
    }),
  );
  return disk;
}
