// SPDX-License-Identifier: GPL-2.0-only
import { readdir } from 'node:fs/promises';
import path from 'node:path';

import { UserError } from '../core/errors.js';

/** `0001-fscrypt-x.patch`, and `v2-0001-fscrypt-x.patch` of `git format-patch -v2`. */
const PATCH_NAME = /^(?:v\d+-)?(\d{4,})-.*\.patch$/;

/**
 * The patches of a folder in the order of their numbers, as absolute paths. 0000 is a cover letter and no patch.
 * @throws UserError when the folder cannot be read, or when its numbers have a gap, do not start at 1, or come twice.
 */
export async function listFolder(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const observed =
      code === 'ENOENT'
        ? 'no such folder'
        : code === 'ENOTDIR'
          ? 'is not a folder'
          : `cannot be read: ${code ?? ''}`;
    throw new UserError({ subject: folder, observed, expected: 'a folder of patches', cause: error });
  }
  const byNumber = new Map<number, string>();
  for (const name of names.filter((file) => file.endsWith('.patch')).sort()) {
    const digits = PATCH_NAME.exec(name)?.[1];
    if (digits === undefined) {
      throw new UserError({
        subject: path.join(folder, name),
        observed: 'has no number',
        expected: '0001-NAME.patch, as git format-patch names it',
      });
    }
    const other = byNumber.get(Number(digits));
    if (other !== undefined) {
      throw new UserError({
        subject: folder,
        observed: `two patches with the number ${digits}: ${other} and ${name}`,
        next: 'keep one of them: git am would take both',
      });
    }
    byNumber.set(Number(digits), name);
  }
  byNumber.delete(0);
  const last = Math.max(0, ...byNumber.keys());
  const missing = Array.from({ length: last }, (_, index) => index + 1).filter(
    (number) => !byNumber.has(number),
  );
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).map((number) => String(number).padStart(4, '0'));
    throw new UserError({
      subject: folder,
      observed: `patch ${shown.join(', ')}${missing.length > 5 ? ', ...' : ''} is missing: the folder ends with ${byNumber.get(last)}`,
      expected: `0001 to ${String(last).padStart(4, '0')} without a gap`,
      next: 'add what is missing, or number the series anew with git format-patch',
    });
  }
  return [...byNumber.entries()].sort(([a], [b]) => a - b).map(([, name]) => path.join(folder, name));
}

/** Like `listFolder`, and a folder without patches (or none at all) is an empty list: for the base series. */
export async function listFolderIfThere(folder: string): Promise<string[]> {
  try {
    await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
  }
  return listFolder(folder);
}
