// SPDX-License-Identifier: GPL-2.0-only
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { InfraError } from '../core/errors.js';

/** A path beside `target` that no other process uses, so that a rename onto `target` is atomic. */
export function temporaryBeside(target: string): string {
  return path.join(
    path.dirname(target),
    `.${path.basename(target)}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`,
  );
}

const TEMPORARY = /^\..+\.tmp-(\d+)-[0-9a-f]{8}$/;

/** The pid of the process that `temporaryBeside` made this name (no path) for; undefined for every other name. */
export function temporaryOwner(name: string): number | undefined {
  const pid = TEMPORARY.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** True when the path exists, whatever it is. */
export async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch {
    return false;
  }
}

/** Reads UTF-8, or returns undefined when the file is not there. Other errors pass. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes the whole file or nothing: temporary file, fsync, rename, fsync of the folder. */
export async function writeAtomic(file: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = temporaryBeside(file);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncDirectory(path.dirname(file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw diskError(error, path.dirname(file));
  }
}

/**
 * Makes a folder whole or not at all: `fill` gets a temporary folder beside `target`, which is renamed onto
 * `target` when it returns. When another process made `target` meanwhile, theirs stays and ours is removed.
 */
export async function makeDirectoryAtomic(
  target: string,
  fill: (dir: string) => Promise<void>,
): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  const temporary = temporaryBeside(target);
  try {
    await mkdir(temporary);
    await fill(temporary);
    await syncDirectory(temporary);
    try {
      await rename(temporary, target);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
    await syncDirectory(path.dirname(target));
  } catch (error) {
    throw diskError(error, path.dirname(target));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Turns "no space", "read-only" and "quota" into an InfraError that names the folder; passes the rest. */
export function diskError(error: unknown, dir: string, needed?: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new InfraError({
      subject: dir,
      observed: 'the disk is full',
      expected: needed ? `${needed} free` : undefined,
      next: `free space there, or point ENOKEY_CACHE at another disk; \`enokey clean\` removes what can be made again`,
      cause: error,
    });
  }
  if (code === 'EROFS') {
    return new InfraError({ subject: dir, observed: 'the file system is read-only', cause: error });
  }
  return error;
}

/** The last `limit` bytes of a regular file, or undefined when there is none. Links are not followed. */
export async function readTail(file: string, limit: number): Promise<string | undefined> {
  try {
    if (!(await lstat(file)).isFile()) return undefined;
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { size } = await handle.stat();
      const length = Math.min(size, limit);
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await handle.read(buffer, 0, length, size - length);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
