// SPDX-License-Identifier: GPL-2.0-only
import type { PatchMail } from './patch.js';

/** One reason why a patch does not go onto a tree. */
export interface Conflict {
  readonly file: string;
  /** 1-based number of the hunk, with how many there are, where a hunk is the reason. */
  readonly hunk?: { readonly number: number; readonly of: number; readonly header: string };
  /** One phrase: `does not match`, `is not there`, `is there already`. */
  readonly reason: string;
}

const REASONS: readonly [RegExp, string][] = [
  [/^error: (.+): (?:No such file or directory|does not exist in index)$/, 'is not in the tree'],
  [/^error: (.+): already exists in (?:index|working directory)$/, 'is in the tree already'],
  [/^error: (.+): (?:has type \d+, expected \d+|wrong type)$/, 'is of another type in the tree'],
  [
    /^error: cannot apply binary patch to '(.+)' without full index line$/,
    'is a binary change without --full-index',
  ],
  [/^error: (.+): patch does not apply$/, 'does not match'],
];

/** Reads what `git apply` and `git am` say about a patch that does not apply. Every file once. */
export function parseConflicts(stderr: string, patch: PatchMail): Conflict[] {
  const conflicts = new Map<string, Conflict>();
  for (const line of stderr.split('\n')) {
    const [, file, at] = /^error: patch failed: (.+):(\d+)$/.exec(line) ?? [];
    if (file !== undefined) {
      const hunks = patch.files.find(({ path }) => path === file)?.hunks ?? [];
      const index = hunks.findIndex(({ start }) => start === Number(at));
      const found = hunks[index];
      const hunk = found && { number: index + 1, of: hunks.length, header: found.header };
      if (!conflicts.has(file))
        conflicts.set(file, { file, hunk, reason: hunk ? 'does not match' : `does not match at line ${at}` });
      continue;
    }
    for (const [pattern, reason] of REASONS) {
      const name = pattern.exec(line)?.[1];
      if (name === undefined) continue;
      if (!conflicts.has(name)) conflicts.set(name, { file: name, reason });
      break;
    }
  }
  return [...conflicts.values()];
}

/** `fs/btrfs/inode.c, hunk 2 of 3 (@@ -12,6 +12,7 @@ f) does not match`, and how many files more. */
export function describeConflicts(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (!first) return 'does not apply';
  const hunk = first.hunk ? `, hunk ${first.hunk.number} of ${first.hunk.of} (${first.hunk.header})` : '';
  const others = conflicts.slice(1).map(({ file }) => file);
  return `does not apply: ${first.file}${hunk} ${first.reason}${others.length > 0 ? `; nor ${others.join(', ')}` : ''}`;
}
