// SPDX-License-Identifier: GPL-2.0-only
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';

import { diskError } from './files.js';
import { lockOwner, tryLock, type Lock, type LockOwner } from './lock.js';

/** A lock for every process that uses what is in the cache, each under a name of its own. */
async function locksOf(cache: string): Promise<{ file: string; owner: LockOwner | undefined }[]> {
  const dir = path.join(cache, 'users');
  const names = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.lock'));
  const files = names.map((name) => path.join(dir, name));
  return Promise.all(files.map(async (file) => ({ file, owner: await lockOwner(file) })));
}

/**
 * Says, until the lock is released, that this process uses what is in the cache. It is said there and not beside
 * results, since many state folders may share one cache. What killed processes said goes.
 * @param purpose what this process does, with the folder it works on: `runs a matrix in DIR`
 * @throws InfraError for a full disk
 */
export async function useCache(cache: string, purpose: string): Promise<Lock> {
  await Promise.all((await endedUses(cache)).map((file) => rm(file, { force: true })));
  const name = `${process.pid}-${randomBytes(4).toString('hex')}.lock`;
  try {
    const lock = await tryLock(path.join(cache, 'users', name), purpose);
    if (lock) return lock;
  } catch (error) {
    throw diskError(error, cache);
  }
  throw new Error(`${name}: a lock of this name is there`);
}

/** A live process that uses what is in the cache; undefined when none does. */
export async function cacheUser(cache: string): Promise<LockOwner | undefined> {
  return (await locksOf(cache)).find(({ owner }) => owner)?.owner;
}

/** Locks of processes that are gone. No name is used twice, so that none of them can come to life again. */
export async function endedUses(cache: string): Promise<string[]> {
  return (await locksOf(cache)).filter(({ owner }) => !owner).map(({ file }) => file);
}
