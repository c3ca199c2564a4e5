// SPDX-License-Identifier: GPL-2.0-only
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

/** Absolute path of a program on PATH (and the sbin folders, which an ordinary user's PATH lacks), or undefined. */
export async function findExecutable(
  name: string,
  searchPath = process.env['PATH'] ?? '',
): Promise<string | undefined> {
  for (const dir of [...searchPath.split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin']) {
    if (!path.isAbsolute(dir)) continue;
    const file = path.join(dir, name);
    try {
      await access(file, constants.X_OK);
      if ((await stat(file)).isFile()) return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** A string that changes when the program is replaced: its real path, size and mtime. Cheaper than `--version`. */
export async function fingerprint(file: string): Promise<string> {
  const real = await realpath(file);
  const { size, mtimeMs } = await stat(real);
  return `${real}:${size}:${mtimeMs}`;
}
