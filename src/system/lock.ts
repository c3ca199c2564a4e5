// SPDX-License-Identifier: GPL-2.0-only
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { throwIfAborted } from '../core/errors.js';
import { onExit } from './cleanup.js';
import { temporaryBeside } from './files.js';
import { identify, isAlive, type ProcessIdentity } from './identity.js';

export interface LockOwner extends ProcessIdentity {
  /** What the owner does, for messages. */
  readonly purpose: string;
}

export interface Lock {
  release(): Promise<void>;
}

/** Who holds the lock, or undefined when nobody alive does. */
export async function lockOwner(file: string): Promise<LockOwner | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
  try {
    const owner = JSON.parse(text) as LockOwner;
    return isAlive(owner) ? owner : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes `file` as a lock without waiting. Returns undefined when a live process holds it. A lock that a dead
 * process left (SIGKILL, reboot) is taken over: it is first renamed to a name of ours, so that of two takers
 * only one removes it. link(2) makes the file appear with its whole content.
 */
export async function tryLock(file: string, purpose: string): Promise<Lock | undefined> {
  await mkdir(path.dirname(file), { recursive: true });
  const me = identify(process.pid);
  if (!me) throw new Error('no /proc: cannot identify this process');
  const temporary = temporaryBeside(file);
  await writeFile(temporary, JSON.stringify({ ...me, purpose } satisfies LockOwner));
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        await link(temporary, file);
        return held(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      if (await lockOwner(file)) return undefined;
      const stale = temporaryBeside(file);
      try {
        await rename(file, stale);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
        throw error;
      }
      // Between our look and the rename another taker may have put its own, live lock there: give it back.
      if (await lockOwner(stale)) {
        await link(stale, file).catch(() => undefined);
        await rm(stale, { force: true });
        return undefined;
      }
      await rm(stale, { force: true });
    }
    return undefined;
  } finally {
    await rm(temporary, { force: true });
  }
}

function held(file: string): Lock {
  const release = async (): Promise<void> => {
    forget();
    await rm(file, { force: true });
  };
  const forget = onExit(release);
  return { release };
}

/**
 * Takes the lock, waiting while a live process holds it. `onWait` is called once, with the owner.
 * @throws InterruptedError when the signal fires.
 */
export async function acquireLock(
  file: string,
  purpose: string,
  signal: AbortSignal,
  onWait?: (owner: LockOwner | undefined) => void,
): Promise<Lock> {
  let told = false;
  for (;;) {
    throwIfAborted(signal);
    const lock = await tryLock(file, purpose);
    if (lock) return lock;
    if (!told) onWait?.(await lockOwner(file));
    told = true;
    await delay(200);
  }
}

/** Runs `work` under the lock and releases it whatever happens. */
export async function withLock<T>(
  file: string,
  purpose: string,
  signal: AbortSignal,
  work: () => Promise<T>,
  onWait?: (owner: LockOwner | undefined) => void,
): Promise<T> {
  const lock = await acquireLock(file, purpose, signal, onWait);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
