// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, constants, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

import type { Context } from '../core/context.js';
import { InfraError } from '../core/errors.js';
import { exists, makeDirectoryAtomic, readIfThere, temporaryBeside } from '../system/files.js';
import { sweepTemporaries } from '../system/sweep.js';
import { ARTIFACT_FILES, Manifest } from './manifest.js';
import type { Artifact } from './types.js';

/** Folder of the artifact with this key, whether it is there or not. */
export function artifactDir(context: Context, key: string): string {
  return path.join(context.dirs.cache, 'artifacts', key);
}

function toArtifact(dir: string, manifest: Manifest): Artifact {
  const { key, variant, profile, treeId, commit, release, buildId, compiler, configHash } = manifest;
  return {
    ...{ key, dir, variant, profile, treeId, commit, release, buildId, compiler, configHash },
    vmlinux: path.join(dir, 'vmlinux'),
    config: path.join(dir, 'config'),
    systemMap: path.join(dir, 'System.map'),
    log: path.join(dir, 'build.log'),
  };
}

async function fingerprint(file: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), async function (source) {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      hash.update(chunk);
    }
  });
  return { bytes, sha256: hash.digest('hex') };
}

/** What is wrong with an artifact folder, in one line, or its manifest. */
async function inspect(dir: string, key: string): Promise<{ manifest: Manifest } | { damage: string }> {
  const text = await readIfThere(path.join(dir, 'manifest.json'));
  if (text === undefined) return { damage: 'it has no manifest.json' };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { damage: 'manifest.json is no JSON' };
  }
  const parsed = Manifest.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return { damage: `manifest.json: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}` };
  }
  if (parsed.data.key !== key) return { damage: 'manifest.json has another key' };
  for (const name of ARTIFACT_FILES) {
    const wanted = parsed.data.files[name];
    const size = await stat(path.join(dir, name)).then(
      (info) => info.size,
      () => undefined,
    );
    if (size !== wanted.bytes) {
      return { damage: `${name} has ${size ?? 'no'} bytes, ${wanted.bytes} were stored` };
    }
  }
  // The kernel is what a measurement hangs on: its bytes are read, a fifth of a second for 100 MB.
  if ((await fingerprint(path.join(dir, 'vmlinux'))).sha256 !== parsed.data.files.vmlinux.sha256) {
    return { damage: 'vmlinux is not the one that was stored' };
  }
  return { manifest: parsed.data };
}

/**
 * The artifact with this key, or undefined when it is not in the store. One that is damaged counts as not there:
 * it is moved out of the way, with a warning, and has to be built again.
 */
export async function findArtifact(context: Context, key: string): Promise<Artifact | undefined> {
  const dir = artifactDir(context, key);
  if (!(await exists(dir))) return undefined;
  const found = await inspect(dir, key);
  if ('manifest' in found) return toArtifact(dir, found.manifest);
  context.emit({ type: 'note', level: 'warn', text: `${dir}: ${found.damage}; it is built again` });
  const aside = temporaryBeside(dir);
  await rename(dir, aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rm(aside, { recursive: true, force: true });
  return undefined;
}

/** Where the pieces of a new artifact are, and what its manifest says beyond them. */
export interface NewArtifact {
  readonly manifest: Omit<Manifest, 'files'>;
  readonly sources: Readonly<Record<(typeof ARTIFACT_FILES)[number], string>>;
}

/** Copies a build into the store, whole or not at all. @throws InfraError when the disk is full. */
export async function storeArtifact(context: Context, { manifest, sources }: NewArtifact): Promise<Artifact> {
  const dir = artifactDir(context, manifest.key);
  await sweepTemporaries(path.dirname(dir));
  await makeDirectoryAtomic(dir, async (temporary) => {
    const files = {} as Record<(typeof ARTIFACT_FILES)[number], { bytes: number; sha256: string }>;
    for (const name of ARTIFACT_FILES) {
      const target = path.join(temporary, name);
      // Shares the blocks where the file system can (btrfs, xfs).
      await copyFile(sources[name], target, constants.COPYFILE_FICLONE);
      files[name] = await fingerprint(target);
    }
    const text = JSON.stringify({ ...manifest, files } satisfies Manifest, null, 2);
    await writeFile(path.join(temporary, 'manifest.json'), `${text}\n`, { flush: true });
  });
  const artifact = await findArtifact(context, manifest.key);
  if (artifact) return artifact;
  throw new InfraError({
    subject: dir,
    observed: 'the artifact was damaged while it was stored',
    next: 'check the disk, then run the command again',
  });
}
