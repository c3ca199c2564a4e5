// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Context } from '../core/context.js';
import { InfraError } from '../core/errors.js';
import { step } from '../core/events.js';
import { requireSpace } from '../system/disk.js';
import { withLock } from '../system/lock.js';
import { sweepTemporaries } from '../system/sweep.js';
import { replaceDirectory } from '../system/replace.js';
import { buildImage } from './build.js';
import { readRecipe } from './recipe.js';
import { findImage, imageDir, sealImage } from './store.js';
import type { GuestImage } from './types.js';

export interface EnsureImageOptions {
  /** Make it anew although it is there: takes the newest packages. The old one stays until the new one is whole. */
  readonly again?: boolean;
  /** apt's configuration folder; default /etc/apt. */
  readonly etc?: string;
}

/** Measured 0.6 GiB on disk (sparse 0.9 GiB), rounded up. */
const IMAGE_BYTES = 1024 ** 3;

/** Where the image of the shipped recipe is, and the image when it is there. Changes nothing but a damaged one. */
export async function imageStatus(
  context: Context,
): Promise<{ key: string; dir: string; image?: GuestImage }> {
  const { key } = await readRecipe(context);
  return { key, dir: imageDir(context, key), image: await findImage(context, key) };
}

/**
 * The guest's root image: from the store, or made (about a minute). Of two processes that want it at once, one
 * makes it and the other waits.
 * @throws UserError when the host lacks something, InfraError for network and disk, InterruptedError.
 */
export async function ensureImage(context: Context, options: EnsureImageOptions = {}): Promise<GuestImage> {
  const recipe = await readRecipe(context);
  const { key } = recipe;
  const there = options.again ? undefined : await findImage(context, key);
  if (there) return there;
  return step(
    context.emit,
    'image.build',
    'Make the guest image',
    async (progress) => {
      await requireSpace(context.dirs.cache, IMAGE_BYTES, 'the guest image');
      return withLock(
        `${imageDir(context, key)}.lock`,
        'make the guest image',
        context.signal,
        async () => {
          const made = options.again ? undefined : await findImage(context, key);
          if (made) return made;
          await sweepTemporaries(path.dirname(imageDir(context, key)));
          await replaceDirectory(imageDir(context, key), async (folder) => {
            const log = path.join(context.dirs.cache, 'logs', `image-${key.slice(0, 12)}.log`);
            const packages = await buildImage(context, { recipe, folder, log, etc: options.etc, progress });
            progress('sealing', 0.98);
            await sealImage(folder, key, packages);
          });
          const image = await findImage(context, key);
          if (image) return image;
          throw new InfraError({
            subject: imageDir(context, key),
            observed: 'the image was damaged while it was stored',
          });
        },
        (owner) => progress(`waiting for process ${owner?.pid ?? '?'}, which makes it`),
      );
    },
    (image) =>
      Object.entries(image.packages)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
  );
}
