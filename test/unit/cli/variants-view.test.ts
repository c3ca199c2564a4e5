// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { diffstatTable } from '../../../src/cli/variants-view.js';
import { parsePatchMail } from '../../../src/series/patch.js';
import { diffstat } from '../../../src/variants/describe.js';

/** A mail whose hunks add and remove that many lines of each file. */
function mail(changes: readonly (readonly [file: string, added: number, removed: number])[]): string {
  const diffs = changes.map(([file, added, removed]) =>
    [
      `diff --git a/${file} b/${file}`,
      `--- a/${file}`,
      `+++ b/${file}`,
      `@@ -1,${removed + 1} +1,${added + 1} @@ int f(void)`,
      ' context',
      ...Array<string>(removed).fill('--- a/looks-like-a-header'),
      ...Array<string>(added).fill('+++ b/looks-like-a-header'),
    ].join('\n'),
  );
  return `From x Mon\nFrom: A <a@b>\nSubject: [PATCH 1/2] s\n\nText\n---\n${diffs.join('\n')}\n-- \n2.40\n`;
}

describe('the diffstat of a series', () => {
  const first = parsePatchMail(
    mail([
      ['fs/b.c', 3, 1],
      ['fs/a.c', 10, 0],
    ]),
  );
  const second = parsePatchMail(mail([['fs/b.c', 0, 2]]));

  it('counts the lines of each file of a patch, and their sum', () => {
    expect(first.files).toMatchObject([
      { path: 'fs/b.c', insertions: 3, deletions: 1 },
      { path: 'fs/a.c', insertions: 10, deletions: 0 },
    ]);
    expect(first).toMatchObject({ insertions: 13, deletions: 1 });
  });

  it('adds up patches by file, in the order of the paths', () => {
    expect(diffstat([...first.files, ...second.files])).toEqual([
      { path: 'fs/a.c', patches: 1, insertions: 10, deletions: 0 },
      { path: 'fs/b.c', patches: 2, insertions: 3, deletions: 3 },
    ]);
    expect(diffstat([])).toEqual([]);
  });

  it('is printed with a line for all', () => {
    expect(diffstatTable(diffstat([...first.files, ...second.files])).split('\n')).toEqual([
      'FILE     PATCHES  +   -',
      'fs/a.c   1        10  0',
      'fs/b.c   2        3   3',
      '2 files           13  3',
    ]);
    expect(diffstatTable(diffstat(second.files))).toMatch(/^1 file +0 {2}2$/m);
  });
});
