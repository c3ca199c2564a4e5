// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { onExit } from './cleanup.js';
import { diskError, readIfThere } from './files.js';
import { identify, isAlive, type ProcessIdentity } from './identity.js';

/** In each folder: the process that it belongs to. */
const OWNER = '.owner';

/** What `.owner` says; undefined when it is missing, empty or cut short. */
async function readOwner(folder: string): Promise<ProcessIdentity | undefined> {
  try {
    const owner = JSON.parse((await readIfThere(path.join(folder, OWNER))) ?? '') as ProcessIdentity | null;
    return owner ?? undefined;
  } catch {
    return undefined;
  }
}

/** Folders of processes that were killed before they could remove them. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const folder = path.join(parent, name);
    // Without an owner it is being made at this moment, or was left then: the name says by which process.
    const owner = (await readOwner(folder)) ?? identify(Number(/-(\d+)-[^-]*$/.exec(name)?.[1]));
    if (owner && isAlive(owner)) continue;
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Gives `work` an empty folder below the cache and removes it afterwards, also on signals. What a SIGKILL left is
 * removed by the next call.
 */
export async function withScratch<T>(
  context: Context,
  purpose: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const parent = path.join(context.dirs.cache, 'tmp');
  let folder: string;
  try {
    await mkdir(parent, { recursive: true });
    await sweep(parent);
    folder = await mkdtemp(path.join(parent, `${purpose}-${process.pid}-`));
    await writeFile(path.join(folder, OWNER), JSON.stringify(identify(process.pid)));
  } catch (error) {
    throw diskError(error, context.dirs.cache);
  }
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const forget = onExit(remove);
  try {
    return await work(folder);
  } catch (error) {
    throw diskError(error, context.dirs.cache);
  } finally {
    forget();
    await remove();
  }
}
