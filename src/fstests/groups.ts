// SPDX-License-Identifier: GPL-2.0-only
import { open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { UserError } from '../core/errors.js';

/** A test of an fstests tree and its groups. */
export interface ListedTest {
  /** `generic/595` */
  readonly id: string;
  readonly groups: readonly string[];
}

const TEST_FILE = /^[0-9]{3,5}(-[A-Za-z0-9-]+)?$/;
const HEAD_BYTES = 16 * 1024;

/** The groups that a test declares: arguments of `_begin_fstest` (since 2021). Undefined when it declares none. */
export function declaredGroups(source: string): string[] | undefined {
  const match = /^_begin_fstest[ \t]+((?:.*\\\n)*.*)$/m.exec(source);
  return match?.[1]
    ?.replaceAll('\\\n', ' ')
    .replace(/#.*$/, '')
    .trim()
    .split(/\s+/)
    .filter((word) => /^[\w-]+$/.test(word));
}

/** Lines of a `group` file of older trees, or of a built `group.list`: `595 auto quick encrypt`. */
export function parseGroupFile(text: string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [name, ...rest] = line.replace(/#.*$/, '').trim().split(/\s+/);
    if (name && TEST_FILE.test(name)) groups.set(name, rest);
  }
  return groups;
}

async function head(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, HEAD_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function testsIn(tree: string, folder: string): Promise<ListedTest[]> {
  const dir = path.join(tree, 'tests', folder);
  let entries;
  try {
    entries = await readdir(dir, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  // Files only: a symlink in a tree of somebody else's may point anywhere.
  const files = entries.filter((entry) => entry.isFile());
  const old = files.find((entry) => entry.name === 'group');
  const fromFile = old ? parseGroupFile(await readFile(path.join(dir, old.name), 'utf8')) : undefined;
  const tests: ListedTest[] = [];
  for (const { name } of files
    .filter((entry) => TEST_FILE.test(entry.name))
    .sort((a, b) => a.name.localeCompare(b.name))) {
    const groups = declaredGroups(await head(path.join(dir, name))) ?? fromFile?.get(name);
    if (groups) tests.push({ id: `${folder}/${name}`, groups });
  }
  return tests;
}

/**
 * Tests of a group for a file system, as `check -g` selects them: from tests/generic and the file system's own
 * folder; `ext4/quick` looks in that folder only.
 * @throws UserError when there is no such group.
 */
export async function testsOfGroup(tree: string, group: string, filesystem?: string): Promise<ListedTest[]> {
  const slash = group.indexOf('/');
  const folders = slash > 0 ? [group.slice(0, slash)] : ['generic', ...(filesystem ? [filesystem] : [])];
  const wanted = slash > 0 ? group.slice(slash + 1) : group;
  const lists = await Promise.all(
    folders.filter((folder) => /^[a-z0-9_-]+$/.test(folder)).map((folder) => testsIn(tree, folder)),
  );
  const all = lists.flat();
  const chosen = all.filter((test) => wanted === 'all' || test.groups.includes(wanted));
  if (chosen.length > 0) return chosen;
  const known = [...new Set(all.flatMap((test) => test.groups))].sort();
  throw new UserError({
    subject: `group ${group}`,
    observed: `no test of ${folders.map((folder) => `tests/${folder}`).join(' or ')} is in it`,
    expected: known.length > 0 ? `one of ${known.join(' ')}` : 'an fstests tree',
  });
}

/** True when the tree has the test. */
export async function hasTest(tree: string, id: string): Promise<boolean> {
  const [folder = '', name = ''] = id.split('/');
  if (!/^[a-z0-9_-]+$/.test(folder)) return false;
  return (await testsIn(tree, folder)).some((test) => test.id === `${folder}/${name}`);
}
