// SPDX-License-Identifier: GPL-2.0-only
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import type { Context, Dirs } from '../core/context.js';
import { throwIfAborted } from '../core/errors.js';
import { listGuests, sweepGuests } from '../guest/registry.js';
import { cacheUser, endedUses } from '../system/cache-users.js';
import { temporaryBeside, temporaryOwner } from '../system/files.js';
import { identify } from '../system/identity.js';
import { lockOwner, type LockOwner } from '../system/lock.js';
import { runsDir } from './folder.js';

/** What can be freed by name. */
export const CLEANABLE = ['artifacts', 'images', 'trees', 'probes', 'fstests', 'runs'] as const;
export type Cleanable = (typeof CLEANABLE)[number];

/** Folders of a kind. Everything but runs can be made again. */
function foldersOf(kind: Cleanable, dirs: Dirs): readonly string[] {
  const inCache = (...names: string[]): string[] => names.map((name) => path.join(dirs.cache, name));
  switch (kind) {
    case 'artifacts':
      return inCache('artifacts', 'configs');
    case 'images':
      return inCache('images', 'image');
    case 'trees':
      return [...inCache('tree', 'trees'), dirs.build];
    case 'probes':
      return inCache('probe', 'port');
    case 'fstests':
      return inCache('fstests');
    case 'runs':
      return [runsDir(dirs)];
  }
}

export interface CleanOptions {
  readonly kinds: readonly Cleanable[];
  readonly dryRun: boolean;
}

export interface CleanedEntry {
  readonly kind: Cleanable | 'leftover';
  readonly path: string;
  readonly bytes: number;
}

export interface CleanResult {
  readonly removed: readonly CleanedEntry[];
  /** What was asked for and is in use. */
  readonly kept: readonly { readonly path: string; readonly reason: string }[];
  readonly guests: readonly string[];
  /** Bytes by kind that are still there and could be freed by name. */
  readonly freeable: Readonly<Partial<Record<Cleanable, number>>>;
}

async function entriesOf(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => []);
}

/** Bytes that a file or folder takes on disk (sparse files count what they hold). */
async function bytesOf(target: string): Promise<number> {
  const stat = await lstat(target).catch(() => undefined);
  if (!stat) return 0;
  let bytes = stat.blocks * 512;
  if (stat.isDirectory()) {
    for (const name of await entriesOf(target)) bytes += await bytesOf(path.join(target, name));
  }
  return bytes;
}

/** A live owner of any lock file in `dir`, at most `depth` folders down. */
async function liveLock(dir: string, depth: number): Promise<LockOwner | undefined> {
  for (const name of await entriesOf(dir)) {
    const file = path.join(dir, name);
    const stat = await lstat(file).catch(() => undefined);
    if (stat?.isFile() && (name === 'lock' || name.endsWith('.lock')) && stat.size < 65_536) {
      const owner = await lockOwner(file);
      if (owner) return owner;
    }
    if (stat?.isDirectory() && depth > 0) {
      const owner = await liveLock(file, depth - 1);
      if (owner) return owner;
    }
  }
  return undefined;
}

/** Temporary files of processes that are gone, at most `depth` folders down. */
async function leftovers(dir: string, depth: number): Promise<string[]> {
  const found: string[] = [];
  for (const name of await entriesOf(dir)) {
    const target = path.join(dir, name);
    const pid = temporaryOwner(name);
    if (pid !== undefined) {
      if (!identify(pid)) found.push(target);
    } else if (depth > 0 && (await lstat(target).catch(() => undefined))?.isDirectory()) {
      found.push(...(await leftovers(target, depth - 1)));
    }
  }
  return found;
}

/** Removes whole or not at all: what is half removed has a name that nothing uses and the next cleaning finds. */
async function remove(target: string): Promise<void> {
  const grave = temporaryBeside(target);
  try {
    await rename(target, grave);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await rm(grave, { recursive: true, force: true });
}

/** Disks of guests whose run nobody works on. */
async function orphanedDisks(runs: string): Promise<string[]> {
  const found: string[] = [];
  for (const run of await entriesOf(runs)) {
    const dir = path.join(runs, run);
    if (await lockOwner(path.join(dir, 'lock'))) continue;
    for (const guest of await entriesOf(path.join(dir, 'guests'))) {
      const files = await entriesOf(path.join(dir, 'guests', guest));
      found.push(
        ...files.filter((name) => name.endsWith('.img')).map((name) => path.join(dir, 'guests', guest, name)),
      );
    }
  }
  return found;
}

/**
 * Ends guests and removes files that killed processes left; and of the kinds asked for, everything that no live
 * process uses: not what holds a lock, not the kernel or image of a live guest, and nothing but finished runs while
 * a run is going on, wherever its folder is: it boots kernels and images, and pushes probes and fstests into every
 * guest.
 */
export async function clean(context: Context, options: CleanOptions): Promise<CleanResult> {
  const { dirs, signal } = context;
  const removed: CleanedEntry[] = [];
  const kept: { path: string; reason: string }[] = [];
  const take = async (kind: CleanedEntry['kind'], target: string): Promise<void> => {
    throwIfAborted(signal);
    removed.push({ kind, path: target, bytes: await bytesOf(target) });
    if (!options.dryRun) await remove(target);
  };

  const guests = options.dryRun ? [] : await sweepGuests(context);
  const old = [...(await leftovers(dirs.cache, 3)), ...(await leftovers(runsDir(dirs), 2))];
  const unowned = [...(await endedUses(dirs.cache)), ...(await orphanedDisks(runsDir(dirs)))];
  for (const target of [...old, ...unowned]) await take('leftover', target);

  const live = await listGuests(context);
  const inUse = live.flatMap(({ name, vmlinux, rootfs, workDir, disks }) =>
    [vmlinux, rootfs, workDir, ...disks.map((disk) => disk.path)].map((file) => ({
      file,
      reason: `guest ${name} uses it`,
    })),
  );
  const runner = await liveLock(runsDir(dirs), 1);
  for (const kind of options.kinds) {
    for (const dir of foldersOf(kind, dirs)) {
      const owner = kind === 'runs' ? undefined : await liveLock(dir, 2);
      const names = (await entriesOf(dir)).filter((name) => temporaryOwner(name) === undefined);
      for (const name of names) {
        const target = path.join(dir, name);
        // Looked up each time: a run may begin while the others are removed.
        const holder =
          kind === 'runs'
            ? await lockOwner(path.join(target, 'lock'))
            : ((await cacheUser(dirs.cache)) ?? runner ?? owner);
        const user = inUse.find(({ file }) => file === target || file.startsWith(`${target}${path.sep}`));
        if (holder) kept.push({ path: target, reason: `process ${holder.pid} ${holder.purpose}` });
        else if (user) kept.push({ path: target, reason: user.reason });
        else await take(kind, target);
      }
    }
  }
  const freeable: Partial<Record<Cleanable, number>> = {};
  for (const kind of CLEANABLE.filter((one) => !options.kinds.includes(one))) {
    let bytes = 0;
    for (const dir of foldersOf(kind, dirs)) bytes += await bytesOf(dir);
    if (bytes > 0) freeable[kind] = bytes;
  }
  return { removed, kept, guests, freeable };
}
