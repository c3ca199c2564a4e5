// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';

/** Files of vm/image/ that decide what is in an image; README.md does not. */
const RECIPE_FILES = ['build.sh', 'init.c', 'packages.txt', 'sshd_config'] as const;

/**
 * Suites that packages of the image come from, and those that fstests is built with, since that runs in it. The first
 * is the one that both build.sh name.
 */
export const SUITES = ['trixie', 'trixie-backports'] as const;

export interface Recipe {
  /** See `recipeKey`. */
  readonly key: string;
  /** Absolute folder with build.sh. */
  readonly folder: string;
  /** Packages whose versions a report names. */
  readonly reported: readonly string[];
}

/** Names marked with `!` in packages.txt. */
export function reportedPackages(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line.endsWith('!'))
    .map((line) => line.split(/[\s/]/, 1)[0] ?? '');
}

/** `NAME\tVERSION` lines of dpkg-query as a table of the wanted names. */
export function packageVersions(text: string, wanted: readonly string[]): Record<string, string> {
  const all = new Map(
    text.split('\n').flatMap((line) => {
      const [name, version] = line.split('\t');
      return name && version ? [[name, version] as const] : [];
    }),
  );
  return Object.fromEntries(wanted.flatMap((name) => (all.has(name) ? [[name, all.get(name) ?? '']] : [])));
}

/** Hex SHA-256 over what decides what is in an image, but for the packages' versions: suites, and the recipe's files. */
export function recipeKey(suites: readonly string[], files: readonly string[]): string {
  const hash = createHash('sha256').update(`enokey image 2\n${suites.join(' ')}\n`);
  for (const text of files) hash.update(`${Buffer.byteLength(text)}\n`).update(text);
  return hash.digest('hex');
}

export async function readRecipe(context: Context): Promise<Recipe> {
  const folder = path.join(context.dirs.shipped, 'vm', 'image');
  const texts = await Promise.all(RECIPE_FILES.map((name) => readFile(path.join(folder, name), 'utf8')));
  return { key: recipeKey(SUITES, texts), folder, reported: reportedPackages(texts[2] ?? '') };
}
