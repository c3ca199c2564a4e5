// SPDX-License-Identifier: GPL-2.0-only
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';

import { temporaryOwner } from './files.js';
import { identify } from './identity.js';

/**
 * Removes from a folder what processes that are gone (SIGKILL, reboot) left under names of `temporaryBeside`. One
 * whose pid lives, even as another process, is left for later.
 */
export async function sweepTemporaries(dir: string): Promise<void> {
  const names = await readdir(dir).catch(() => []);
  for (const name of names) {
    const pid = temporaryOwner(name);
    if (pid === undefined || identify(pid)) continue;
    await rm(path.join(dir, name), { recursive: true, force: true });
  }
}
