// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, statfs } from 'node:fs/promises';

import { InfraError } from '../core/errors.js';
import { diskError } from './files.js';

const GIB = 1024 ** 3;

/** Bytes as `1.5 GiB` or `640 MiB`. */
export function formatBytes(bytes: number): string {
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}

/** Bytes that an ordinary user can still write below `dir`, which is made when missing. */
export async function freeBytes(dir: string): Promise<number> {
  try {
    await mkdir(dir, { recursive: true });
  } catch (error) {
    throw diskError(error, dir);
  }
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

/** Refuses work that is known to need more space than there is, before it starts. @throws InfraError */
export async function requireSpace(dir: string, bytes: number, what: string): Promise<void> {
  const free = await freeBytes(dir);
  if (free >= bytes) return;
  throw new InfraError({
    subject: dir,
    observed: `${formatBytes(free)} free, ${what} needs ${formatBytes(bytes)}`,
    next: 'free space there, or point ENOKEY_CACHE at another disk; `enokey clean` removes what can be made again',
  });
}
