// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

import { InfraError, UserError } from '../../../src/core/errors.js';
import { exportTree } from '../../../src/fstests/export.js';
import { parseSource, resolveSource } from '../../../src/fstests/source.js';
import { git, makeFstestsRepository } from '../../helpers/fstests-tree.js';
import { testContext } from '../../helpers/context.js';
import { tempDir } from '../../helpers/temp.js';

/** Names, contents and times of everything in a folder, .git included. */
function fingerprint(dir: string): string {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      const { mtimeMs, mode, size } = statSync(file);
      return `${file} ${entry.isFile() ? `${mtimeMs} ${size} ${readFileSync(file).toString('base64').slice(0, 200)}` : ''} ${mode}`;
    })
    .sort()
    .join('\n');
}

describe('where fstests comes from', () => {
  it.each([
    ['https://example.org/a/b', { kind: 'url', url: 'https://example.org/a/b' }],
    ['https://example.org/a/b@for-next', { kind: 'url', url: 'https://example.org/a/b', ref: 'for-next' }],
    ['https://user@example.org/a', { kind: 'url', url: 'https://user@example.org/a' }],
    ['git@example.org:a/b.git', { kind: 'url', url: 'git@example.org:a/b.git' }],
    ['git@example.org:a/b.git@v1', { kind: 'url', url: 'git@example.org:a/b.git', ref: 'v1' }],
    ['a+b@example.org:a/b.git', { kind: 'url', url: 'a+b@example.org:a/b.git' }],
    ['/nowhere/a@b:c@v1', { kind: 'folder', path: '/nowhere/a@b:c', ref: 'v1' }],
    ['/nowhere/xfstests@v1', { kind: 'folder', path: '/nowhere/xfstests', ref: 'v1' }],
    ['/nowhere/xfstests', { kind: 'folder', path: '/nowhere/xfstests' }],
  ])('reads %s', async (text, source) => {
    expect(await parseSource(text)).toEqual(source);
  });

  it('takes a folder with an @ in its name for what it is', async () => {
    const dir = path.join(tempDir(), 'a@b');
    mkdirSync(dir);
    expect(await parseSource(dir)).toEqual({ kind: 'folder', path: dir });
  });

  it.each(['/x@--upload-pack=evil', '/x@a..b', 'https://e.org/r@-x'])(
    'refuses the ref in %s',
    async (text) => {
      await expect(parseSource(text)).rejects.toThrow(UserError);
    },
  );

  it('finds branches, tags and commits of a checkout, and changes nothing in it', async () => {
    const dir = path.join(tempDir(), 'xf');
    const first = makeFstestsRepository(dir);
    git(dir, 'tag', 'v1');
    writeFileSync(path.join(dir, 'README'), 'more\n');
    git(dir, 'add', 'README');
    git(dir, 'commit', '-q', '-m', 'More');
    const second = git(dir, 'rev-parse', 'HEAD');
    writeFileSync(path.join(dir, 'check'), '#!/bin/sh\n# not committed\n');
    const before = fingerprint(dir);
    const context = testContext();
    expect((await resolveSource(context, { kind: 'folder', path: dir })).commit).toBe(second);
    expect((await resolveSource(context, { kind: 'folder', path: dir, ref: 'v1' })).commit).toBe(first);
    const source = await resolveSource(context, { kind: 'folder', path: dir, ref: first.slice(0, 12) });
    const exported = await exportTree(context, source);
    expect(readFileSync(path.join(exported.tree, 'check'), 'utf8')).toBe('#!/bin/sh\nexit 0\n');
    expect(statSync(path.join(exported.tree, 'check')).mode & 0o111).not.toBe(0);
    expect(fingerprint(dir)).toBe(before);
    const notes = context.events.filter((event) => event.type === 'note').map((event) => event.text);
    expect(notes).toEqual([`fstests ${dir}: uncommitted changes are not used, only ${second.slice(0, 12)}`]);
  });

  it.each([
    ['a folder that is not there', (dir: string) => path.join(dir, 'no'), /no such folder/],
    ['a folder without git', (dir: string) => dir, /not a git repository/],
  ])('refuses %s', async (_what, make, message) => {
    const dir = tempDir();
    await expect(resolveSource(testContext(), { kind: 'folder', path: make(dir) })).rejects.toThrow(message);
  });

  it('refuses a repository of something else, and a ref that is not there', async () => {
    const dir = path.join(tempDir(), 'other');
    mkdirSync(dir);
    writeFileSync(path.join(dir, 'a'), 'a');
    git(dir, 'init', '-q');
    git(dir, 'add', 'a');
    git(dir, 'commit', '-q', '-m', 'a');
    await expect(resolveSource(testContext(), { kind: 'folder', path: dir })).rejects.toThrow(/has no check/);
    await expect(resolveSource(testContext(), { kind: 'folder', path: dir, ref: 'v9' })).rejects.toThrow(
      /no commit v9/,
    );
  });

  it('fetches a URL once, follows its branches, and needs no network for a commit that it has', async () => {
    const dir = path.join(tempDir(), 'remote');
    const first = makeFstestsRepository(dir);
    const url = pathToFileURL(dir).href;
    const context = testContext();
    expect((await resolveSource(context, { kind: 'url', url, ref: 'master' })).commit).toBe(first);
    git(dir, 'commit', '-q', '--allow-empty', '-m', 'Second');
    const second = git(dir, 'rev-parse', 'HEAD');
    expect((await resolveSource(context, { kind: 'url', url })).commit).toBe(second);
    git(dir, 'config', 'uploadpack.hideRefs', 'refs');
    const again = await resolveSource(context, { kind: 'url', url, ref: first });
    expect(again.commit).toBe(first);
    expect(again.repository.startsWith(context.dirs.cache)).toBe(true);
  });

  it('says what to do where there is no network', async () => {
    const url = pathToFileURL(path.join(tempDir(), 'nowhere')).href;
    const failure = await resolveSource(testContext(), { kind: 'url', url, ref: 'master' }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(InfraError);
    expect((failure as InfraError).failure.next).toMatch(/--fstests DIR.*\(port\)/);
  });
});
