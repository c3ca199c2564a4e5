// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Context } from '../core/context.js';
import { InfraError, UserError } from '../core/errors.js';
import { step } from '../core/events.js';
import { cacheUser } from '../system/cache-users.js';
import { requireSpace } from '../system/disk.js';
import { lockOwner, withLock } from '../system/lock.js';
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
 * makes it and the other waits. What a live run uses is not replaced: its guests boot the image by its path, so that
 * later ones would get other packages than its record says.
 * @throws UserError when the host lacks something, or a run uses the image that is to be made anew; InfraError for
 *   network and disk, InterruptedError.
 */
export async function ensureImage(context: Context, options: EnsureImageOptions = {}): Promise<GuestImage> {
  const recipe = await readRecipe(context);
  const { key } = recipe;
  const lock = `${imageDir(context, key)}.lock`;
  // A run shows itself as a user and then looks for a lock; who replaces takes the lock and then looks for users. So
  // either the run waits here for the new image, or the other one sees the run and leaves the old.
  const there = options.again || (await lockOwner(lock)) ? undefined : await findImage(context, key);
  if (there) return there;
  return step(
    context.emit,
    'image.build',
    'Make the guest image',
    async (progress) => {
      return withLock(
        lock,
        'make the guest image',
        context.signal,
        async () => {
          const made = await findImage(context, key);
          if (made && !options.again) return made;
          if (made) await requireUnused(context, made);
          await requireSpace(context.dirs.cache, IMAGE_BYTES, 'the guest image');
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

/** @throws UserError when a live run may boot guests from the image. */
async function requireUnused({ dirs }: Context, image: GuestImage): Promise<void> {
  const user = await cacheUser(dirs.cache);
  if (!user) return;
  throw new UserError({
    subject: `image ${image.dir}`,
    observed: `in use by process ${user.pid}, which ${user.purpose}`,
    next: 'wait until it has ended; a run that is stopped before cannot be resumed with another image',
  });
}
