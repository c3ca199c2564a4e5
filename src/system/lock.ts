// SPDX-License-Identifier: GPL-2.0-only
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { throwIfAborted } from '../core/errors.js';
import { onExit } from './cleanup.js';
import { exists, temporaryBeside } from './files.js';
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
 * Takes `file` as a lock without waiting. Returns undefined when a live process holds it, or is just taking it over
 * from a dead one (SIGKILL, reboot). link(2) makes the file appear with its whole content.
 */
export async function tryLock(file: string, purpose: string): Promise<Lock | undefined> {
  await mkdir(path.dirname(file), { recursive: true });
  const identity = identify(process.pid);
  if (!identity) throw new Error('no /proc: cannot identify this process');
  const me: LockOwner = { ...identity, purpose };
  const temporary = temporaryBeside(file);
  await writeFile(temporary, JSON.stringify(me));
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        await link(temporary, file);
        return held(file, me);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const left = await takeOver(file, temporary, purpose);
      if (left === 'ours') return held(file, me);
      if (left === 'theirs') return undefined;
    }
    return undefined;
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Puts `temporary` in the place of a lock whose owner is dead. Only who holds a second lock, beside the first, may do
 * that, and looks again once it does: otherwise one of two takers that saw the same dead owner would replace the
 * other's live lock. A taker that is killed leaves that second lock, which is taken over like any other.
 */
async function takeOver(
  file: string,
  temporary: string,
  purpose: string,
): Promise<'ours' | 'theirs' | 'released'> {
  if (await lockOwner(file)) return 'theirs';
  const right = await tryLock(`${file}.takeover`, purpose);
  if (!right) return 'theirs';
  try {
    if (!(await exists(file))) return 'released';
    if (await lockOwner(file)) return 'theirs';
    await rename(temporary, file);
    return 'ours';
  } finally {
    await right.release();
  }
}

function held(file: string, me: LockOwner): Lock {
  const release = async (): Promise<void> => {
    forget();
    const owner = await lockOwner(file);
    if (owner?.pid === me.pid && owner.start === me.start) await rm(file, { force: true });
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
