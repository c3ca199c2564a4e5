// SPDX-License-Identifier: GPL-2.0-only
import { rename, rm } from 'node:fs/promises';

import { makeDirectoryAtomic, temporaryBeside } from './files.js';

/**
 * Makes a folder whole, as `makeDirectoryAtomic` does, and puts it in the place of the one that is there, if any. The
 * old one stays until `fill` has returned: when that throws, or we are interrupted, nothing has changed. Between two
 * renames the name is missing, since rename(2) replaces no folder that has something in it; whoever is killed right
 * there leaves none. The caller holds a lock, so that only one replaces.
 * @param fill gets a temporary folder beside `target`; names of both temporaries are those of `temporaryBeside`
 * @throws InfraError for the disk, and what `fill` throws
 */
export async function replaceDirectory(target: string, fill: (dir: string) => Promise<void>): Promise<void> {
  const made = temporaryBeside(target);
  const aside = temporaryBeside(target);
  try {
    await makeDirectoryAtomic(made, fill);
    const moved = await renameIfThere(target, aside);
    try {
      await rename(made, target);
    } catch (error) {
      if (moved) await rename(aside, target);
      throw error;
    }
    // The new one is in place: what cannot be removed now is left to the next sweep.
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/** False when there is nothing to rename. */
async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
