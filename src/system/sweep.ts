// SPDX-License-Identifier: GPL-2.0-only
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';

import { identify } from './identity.js';

/** Names that `temporaryBeside` makes. */
const TEMPORARY = /^\..+\.tmp-(\d+)-[0-9a-f]{8}$/;

/**
 * Removes from a folder what processes that are gone (SIGKILL, reboot) left under names of `temporaryBeside`. One
 * whose pid lives, even as another process, is left for later.
 */
export async function sweepTemporaries(dir: string): Promise<void> {
  const names = await readdir(dir).catch(() => []);
  for (const name of names) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid === undefined || identify(Number(pid))) continue;
    await rm(path.join(dir, name), { recursive: true, force: true });
  }
}
