// SPDX-License-Identifier: GPL-2.0-only
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { UserError } from '../core/errors.js';
import { parseFragment, type Request } from './fragment.js';
import type { Profile } from './types.js';

/** Fragments in vm/kernel/ of every kernel, in the order in which they are merged. */
const COMMON = ['machine.config', 'filesystems.config', 'userspace.config', 'diagnostics.config'] as const;

/** Fragment that a profile adds. */
const OF_PROFILE: Readonly<Record<Profile, readonly string[]>> = { default: [], debug: ['debug.config'] };

/**
 * Reads the fragments of a profile, then the variant's, then the user's, which win.
 * @param ofVariant names in vm/kernel/.
 * @param extra absolute files.
 * @throws UserError for a file that cannot be read or a line that is no configuration.
 */
export async function readFragments(
  context: Context,
  profile: Profile,
  ofVariant: readonly string[],
  extra: readonly string[],
): Promise<Request[]> {
  const shipped = [...COMMON, ...OF_PROFILE[profile], ...ofVariant].map((name) =>
    path.join(context.dirs.shipped, 'vm', 'kernel', name),
  );
  const texts = await Promise.all(
    [...shipped, ...extra].map(async (file) => ({ file, text: await read(file) })),
  );
  return texts.flatMap(({ file, text }) => parseFragment(text, file));
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError({
      subject: file,
      observed: `the config fragment cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      cause: error,
    });
  }
}
