// SPDX-License-Identifier: GPL-2.0-only
import { copyFile, mkdir, rename } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';

/**
 * Takes the console log of a guest that failed out of its work folder, which goes with the guest:
 * `<cache>/logs/boot-NAME.log`, one a name, the last. What a QEMU that still runs writes follows it there.
 * @returns where it is now; undefined when it could not be moved, as on a full disk.
 */
export async function keepConsole(
  context: Context,
  name: string,
  console: string,
): Promise<string | undefined> {
  const kept = path.join(context.dirs.cache, 'logs', `boot-${name}.log`);
  try {
    await mkdir(path.dirname(kept), { recursive: true });
    await rename(console, kept).catch(() => copyFile(console, kept));
    return kept;
  } catch {
    return undefined;
  }
}
