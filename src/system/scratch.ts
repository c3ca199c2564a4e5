// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { onExit } from './cleanup.js';
import { diskError, readIfThere } from './files.js';
import { identify, isAlive, type ProcessIdentity } from './identity.js';

/** Folders of processes that were killed before they could remove them. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const folder = path.join(parent, name);
    const text = await readIfThere(path.join(folder, '.owner')).catch(() => undefined);
    // Without an owner it is being made at this moment, or was left then: the name says by which process.
    const pid = Number(/-(\d+)-[^-]*$/.exec(name)?.[1]);
    try {
      const owner = text === undefined ? identify(pid) : (JSON.parse(text) as ProcessIdentity);
      if (owner && isAlive(owner)) continue;
    } catch {
      // Cut short by a full disk or a crash: nobody's.
    }
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
    await writeFile(path.join(folder, '.owner'), JSON.stringify(identify(process.pid)));
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
