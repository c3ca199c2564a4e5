// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { chmod, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import type { Context } from '../core/context.js';
import { readIfThere, temporaryBeside } from '../system/files.js';
import { inspectRootfs } from './rootfs.js';
import type { GuestImage } from './types.js';

/** manifest.json of an image. */
const Manifest = z.strictObject({
  schema: z.literal(1),
  key: z.string().regex(/^[0-9a-f]{64}$/),
  packages: z.record(z.string(), z.string()),
  rootfs: z.strictObject({ bytes: z.number().int().positive(), head: z.string().regex(/^[0-9a-f]{64}$/) }),
});

export function imageDir(context: Context, key: string): string {
  return path.join(context.dirs.cache, 'images', key);
}

/** Writes the manifest that makes a filled folder an image, and takes the right to write from its files. */
export async function sealImage(
  folder: string,
  key: string,
  packages: Record<string, string>,
): Promise<void> {
  const rootfs = path.join(folder, 'root.ext4');
  const print = await inspectRootfs(rootfs);
  await chmod(rootfs, 0o444);
  const manifest: z.infer<typeof Manifest> = { schema: 1, key, packages, rootfs: print };
  await writeFile(path.join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`, {
    flush: true,
  });
}

/** Of `NAME\tVERSION` lines in any order. */
function digestPackages(text: string): string {
  return createHash('sha256').update(text.trim().split('\n').sort().join('\n')).digest('hex');
}

/** What is wrong with a stored image, or the image. */
async function open(dir: string, key: string): Promise<GuestImage | { damage: string }> {
  let json: unknown;
  try {
    json = JSON.parse((await readIfThere(path.join(dir, 'manifest.json'))) ?? '');
  } catch {
    return { damage: 'manifest.json is missing or no JSON' };
  }
  const parsed = Manifest.safeParse(json);
  if (!parsed.success || parsed.data.key !== key) return { damage: 'manifest.json does not fit' };
  const rootfs = path.join(dir, 'root.ext4');
  try {
    const print = await inspectRootfs(rootfs);
    if (print.bytes !== parsed.data.rootfs.bytes || print.head !== parsed.data.rootfs.head) {
      return { damage: 'root.ext4 is not the one that was stored' };
    }
  } catch (error) {
    return { damage: (error as Error).message };
  }
  const packages = await readIfThere(path.join(dir, 'packages'));
  if (packages === undefined) return { damage: 'packages is missing' };
  return { key, dir, rootfs, contents: digestPackages(packages), packages: parsed.data.packages };
}

/** The stored image with this key. A damaged one is removed, with a warning, and counts as not there. */
export async function findImage(context: Context, key: string): Promise<GuestImage | undefined> {
  const dir = imageDir(context, key);
  for (;;) {
    const before = await inode(dir);
    if (before === undefined) return undefined;
    const found = await open(dir, key);
    if (!('damage' in found)) return found;
    // `--again` of another process may have put a new one there meanwhile: halves of two are no damage of either.
    if ((await inode(dir)) !== before) continue;
    context.emit({ type: 'note', level: 'warn', text: `${dir}: ${found.damage}; it is made again` });
    await dropImage(context, key);
    return undefined;
  }
}

/** Which folder has this name now; undefined when none has. */
async function inode(dir: string): Promise<bigint | undefined> {
  return (await stat(dir, { bigint: true }).catch(() => undefined))?.ino;
}

/** Removes an image. Guests that run from it keep their open file. */
async function dropImage(context: Context, key: string): Promise<void> {
  const dir = imageDir(context, key);
  const aside = temporaryBeside(dir);
  await rename(dir, aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rm(aside, { recursive: true, force: true });
}
