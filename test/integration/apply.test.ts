// SPDX-License-Identifier: GPL-2.0-only
import { chmodSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { loadSettings } from '../../src/config/index.js';
import type { Variant } from '../../src/config/types.js';
import { UserError } from '../../src/core/errors.js';
import { applyToTree, type ApplyVariantOptions } from '../../src/variants/apply.js';
import { testContext, type TestContext } from '../helpers/context.js';
import { fakeKernel, git, replaceLine, snapshot, write, writeSeries } from '../helpers/fake-kernel.js';
import { tempDir } from '../helpers/temp.js';

let dir: string;
let kernel: string;
let series: string;
let context: TestContext;

beforeEach(() => {
  dir = tempDir('apply');
  kernel = fakeKernel(path.join(dir, 'linux tree'));
  series = path.join(dir, 'my series');
  writeSeries(kernel, series, path.join(dir, 'scratch'));
  context = testContext({ dir: path.join(dir, 'enokey') });
  mkdirSync(path.join(context.dirs.cache, 'tmp'), { recursive: true });
});

/** The variant `mine` from an enokey.yaml in `dir`. */
async function mine(name = 'mine', definition: object = { series: 'my series' }): Promise<Variant> {
  const variants = { mine: { base: 'v7.3', withBase: false, title: 'mine', ...definition } };
  writeFileSync(path.join(dir, 'enokey.yaml'), JSON.stringify({ variants }));
  const settings = await loadSettings({ cwd: dir, packageRoot: context.dirs.shipped });
  return settings.resolve(name);
}

function options(variant: Variant, more: Partial<ApplyVariantOptions> = {}): ApplyVariantOptions {
  return { variant, tree: kernel, check: false, force: false, checkout: false, ...more };
}

/** Applies, expects a refusal, and that nothing of the tree has changed. */
async function refused(
  more: Partial<ApplyVariantOptions> = {},
  name = 'mine',
  definition?: object,
): Promise<UserError> {
  const before = snapshot(kernel);
  const error: unknown = await mine(name, definition)
    .then((variant) => applyToTree(context, options(variant, more)))
    .then(
      (report) => Promise.reject(new Error(`not refused: ${JSON.stringify(report)}`)),
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(UserError);
  expect(snapshot(kernel)).toEqual(before);
  expect(readdirSync(path.join(context.dirs.cache, 'tmp'))).toEqual([]);
  expect((error as UserError).message).not.toContain('\n');
  return error as UserError;
}

function patch(number: number): string {
  const name = readdirSync(series).find((file) => file.startsWith(`000${number}-`));
  return path.join(series, name ?? `no patch ${number}`);
}

describe('a series that applies', () => {
  it('becomes a branch, and nothing else in the tree changes', async () => {
    const before = snapshot(kernel);
    const report = await applyToTree(context, options(await mine()));
    expect(report).toMatchObject({
      branch: 'enokey/mine',
      state: 'created',
      checkedOut: false,
      tree: kernel,
    });
    expect(git(kernel, 'log', '--format=%s', 'HEAD..enokey/mine').split('\n')).toEqual([
      'fscrypt: Zoë changes it again',
      'fscrypt: add extents',
      'fscrypt: change the keyring',
    ]);
    expect(git(kernel, 'rev-parse', 'enokey/mine')).toBe(report.commit);
    expect(git(kernel, 'rev-parse', 'enokey/mine^{tree}')).toBe(
      git(path.join(dir, 'scratch'), 'rev-parse', 'HEAD^{tree}'),
    );
    const changed = Object.entries(snapshot(kernel)).filter(([name, text]) => before[name] !== text);
    for (const [name] of changed)
      expect(name).toMatch(/^\.git\/(objects\/|refs\/heads\/enokey\/|logs\/refs\/heads\/enokey\/)/);
    expect(Object.keys(before).every((name) => name in snapshot(kernel))).toBe(true);
    expect(git(kernel, 'fsck', '--strict')).toBe('');
  });

  it('gives the same commit ids for the same input, also from another cache and from an mbox', async () => {
    const first = await applyToTree(context, options(await mine()));
    const other = testContext({ dir: path.join(dir, 'other') });
    const variant = await mine();
    expect((await applyToTree(other, options(variant, { check: true }))).commit).toBe(first.commit);
    const mbox = [1, 2, 3].map((number) => readFileSync(patch(number), 'utf8')).join('');
    writeFileSync(
      path.join(dir, 'all.mbox'),
      readFileSync(path.join(series, '0000-cover-letter.patch'), 'utf8') + mbox,
    );
    const fromMbox = await mine('mine', { series: 'all.mbox' });
    expect((await applyToTree(other, options(fromMbox, { check: true }))).commit).toBe(first.commit);
  });

  it('takes a range of commits of a tree whatever format-patch is told there', async () => {
    const first = await applyToTree(context, options(await mine()));
    const scratch = path.join(dir, 'scratch');
    for (const [key, value] of [
      ['diff.noprefix', 'true'],
      ['format.attach', 'true'],
      ['format.coverLetter', 'true'],
      ['format.outputDirectory', 'elsewhere'],
    ]) {
      git(scratch, 'config', key ?? '', value ?? '');
    }
    const variant = await mine('mine', { series: { tree: 'scratch', commits: 'HEAD~3..HEAD' } });
    const report = await applyToTree(context, options(variant));
    expect(report).toMatchObject({ state: 'unchanged', commit: first.commit });
  });

  it('takes the first N patches only, and none for @0', async () => {
    const two = await applyToTree(context, options(await mine('mine@2')));
    expect(git(kernel, 'rev-list', '--count', `HEAD..${two.branch}`)).toBe('2');
    const none = await applyToTree(context, options(await mine('mine@0')));
    expect(none).toMatchObject({ branch: 'enokey/mine@0', commit: git(kernel, 'rev-parse', 'HEAD') });
  });

  it('is only looked at with check', async () => {
    const before = snapshot(kernel);
    const report = await applyToTree(context, options(await mine(), { check: true }));
    expect(report).toMatchObject({ state: 'created', checked: true });
    expect(snapshot(kernel)).toEqual(before);
  });

  it('is unchanged the second time, and costs no second git am', async () => {
    await applyToTree(context, options(await mine()));
    context.events.length = 0;
    expect(await applyToTree(context, options(await mine()))).toMatchObject({ state: 'unchanged' });
    expect(context.events).toEqual([]);
  });

  it('goes onto the commit that is asked for', async () => {
    const base = git(kernel, 'rev-parse', 'HEAD');
    replaceLine(kernel, 'fs/btrfs/inode.c', 1, 'newer;');
    git(kernel, 'commit', '-q', '-am', 'newer');
    const report = await applyToTree(context, options(await mine(), { onto: 'HEAD~1' }));
    expect(report.onto.commit).toBe(base);
    expect(git(kernel, 'merge-base', 'HEAD', report.branch)).toBe(base);
  });

  it('can be checked out in a new worktree, or in the tree itself', async () => {
    const worktree = path.join(dir, 'work tree');
    await applyToTree(context, options(await mine(), { worktree }));
    expect(git(worktree, 'branch', '--show-current')).toBe('enokey/mine');
    expect(readFileSync(path.join(worktree, 'fs/crypto/extent.c'), 'utf8')).toBe('extent;\n');
    await applyToTree(context, options(await mine('mine@1'), { checkout: true }));
    expect(git(kernel, 'branch', '--show-current')).toBe('enokey/mine@1');
    expect(git(kernel, 'status', '--porcelain')).toBe('');
  });

  it('works in a shallow clone and in a linked worktree', async () => {
    replaceLine(kernel, 'fs/btrfs/inode.c', 1, 'newer;');
    git(kernel, 'commit', '-q', '-am', 'newer');
    const shallow = path.join(dir, 'shallow');
    git(dir, 'clone', '-q', '--depth=1', `file://${kernel}`, shallow);
    const report = await applyToTree(context, options(await mine(), { tree: shallow }));
    expect(git(shallow, 'rev-list', '--count', `HEAD..${report.branch}`)).toBe('3');
    expect(git(shallow, 'fsck')).toBe('');
    const linked = path.join(dir, 'linked');
    git(kernel, 'worktree', 'add', '-q', '--detach', linked);
    expect(await applyToTree(context, options(await mine(), { tree: linked }))).toMatchObject({
      state: 'created',
    });
    expect(git(kernel, 'rev-parse', 'enokey/mine')).toBe(report.commit);
  });

  it('is untouched by hooks, signing and identity of the user', async () => {
    const hooks = path.join(dir, 'hooks');
    const ran = path.join(dir, 'hook ran');
    for (const name of [
      'pre-applypatch',
      'applypatch-msg',
      'commit-msg',
      'post-commit',
      'reference-transaction',
      'post-checkout',
    ]) {
      write(hooks, { [name]: `#!/bin/sh\ntouch '${ran}'\nexit 1\n` });
      chmodSync(path.join(hooks, name), 0o755);
    }
    git(kernel, 'config', 'core.hooksPath', hooks);
    git(kernel, 'config', 'commit.gpgSign', 'true');
    git(kernel, 'config', 'gpg.program', '/bin/false');
    git(kernel, 'config', 'am.threeWay', 'true');
    const report = await applyToTree(context, options(await mine(), { worktree: path.join(dir, 'w') }));
    expect(git(kernel, 'log', '-1', '--format=%cn <%ce>', report.branch)).toBe('enokey <enokey@localhost>');
    expect(() => readFileSync(ran)).toThrow();
  });
});

describe('a tree that is not ready', () => {
  it('is refused when it is dirty, with the files', async () => {
    replaceLine(kernel, 'fs/btrfs/inode.c', 3, 'changed;');
    replaceLine(kernel, 'Makefile', 6, 'NAME = Other');
    git(kernel, 'add', 'Makefile');
    expect((await refused()).message).toContain('uncommitted changes in 2 files: Makefile, fs/btrfs/inode.c');
    expect((await refused({ check: true })).exitCode).toBe(2);
  });

  it('is not dirty for files that git does not know', async () => {
    write(kernel, { 'notes.txt': 'x' });
    git(kernel, 'config', 'status.showUntrackedFiles', 'all');
    await expect(applyToTree(context, options(await mine(), { check: true }))).resolves.toMatchObject({
      state: 'created',
    });
  });

  it.each([
    ['am', ['am', '-q']],
    ['cherry-pick', ['cherry-pick']],
    ['merge', ['merge', '-q']],
    ['revert', ['revert', '--no-edit']],
    ['rebase', ['rebase', '-q']],
  ] as const)('is refused in the middle of a git %s', async (what, command) => {
    git(kernel, 'checkout', '-q', '-b', 'other');
    replaceLine(kernel, 'fs/btrfs/inode.c', 3, 'theirs;');
    git(kernel, 'commit', '-q', '-am', 'theirs');
    replaceLine(kernel, 'fs/btrfs/inode.c', 3, 'later;');
    git(kernel, 'commit', '-q', '-am', 'later');
    git(kernel, 'format-patch', '-q', '-1', '-o', path.join(dir, 'conflicting'));
    const theirs = git(kernel, 'rev-parse', what === 'revert' ? 'other~1' : 'other');
    git(kernel, 'checkout', '-q', what === 'revert' ? 'other' : 'master');
    if (what !== 'revert') {
      replaceLine(kernel, 'fs/btrfs/inode.c', 3, 'ours;');
      git(kernel, 'commit', '-q', '-am', 'ours');
    }
    const operand = what === 'am' ? path.join(dir, 'conflicting', '0001-later.patch') : theirs;
    expect(() => git(kernel, ...command, operand)).toThrow();
    const error = await refused();
    expect(error.message).toMatch(new RegExp(`a git ${what}.* is in progress`));
    expect(error.failure.next).toContain(`${what} --abort`);
  });

  it('is refused in the middle of a git bisect', async () => {
    git(kernel, 'bisect', 'start');
    expect((await refused()).message).toContain('a git bisect is in progress');
  });

  it.each([
    ['7.2.9', '', '7.2.9'],
    ['7.3.0', '-rc3', '7.3.0-rc3'],
    ['7.4.0', '', '7.4.0'],
  ])('is refused when it is Linux %s%s', async (version, extra, shown) => {
    rmSync(kernel, { recursive: true });
    fakeKernel(kernel, version, extra);
    expect((await refused()).message).toMatch(
      new RegExp(`Linux ${shown}.*expected 7\\.3, since variant mine is for base v7\\.3`),
    );
  });

  it('is refused when it is no kernel, no repository, or not there', async () => {
    const plain = path.join(dir, 'plain');
    write(plain, { Makefile: 'all:\n' });
    expect((await refused({ tree: plain })).message).toContain('not a git repository');
    git(plain, 'init', '-q');
    expect((await refused({ tree: plain })).message).toContain('no commit HEAD');
    git(plain, 'add', '.');
    git(plain, 'commit', '-q', '-m', 'x');
    expect((await refused({ tree: plain })).message).toContain('no kernel');
    expect((await refused({ tree: path.join(dir, 'nowhere') })).message).toContain('no such folder');
    expect((await refused({ onto: 'v9.9' })).message).toContain('no commit v9.9');
  });
});

describe('a series that is not right', () => {
  it('is refused when a patch is missing, naming folder and number', async () => {
    rmSync(patch(2));
    expect((await refused()).message).toMatch(/my series: patch 0002 is missing/);
  });

  it('is refused when a number comes twice or there are no patches', async () => {
    cpSync(patch(2), path.join(series, '0002-again.patch'));
    expect((await refused()).message).toContain('two patches with the number 0002');
    mkdirSync(path.join(dir, 'empty'));
    expect((await refused({}, 'mine', { series: 'empty' })).message).toContain('no patches');
  });

  it('names the patch and the line of a damaged diff', async () => {
    const text = readFileSync(patch(3), 'utf8');
    writeFileSync(patch(3), text.replace(/\n[ ]keyring 31;\n/, '\n'));
    expect((await refused()).message).toMatch(/patch 0003-.*is damaged at line \d+/);
  });

  it('refuses a file that is no mail, and a mail without a diff', async () => {
    writeFileSync(patch(2), 'hello\n');
    expect((await refused()).message).toMatch(/patch 0002-.* is not a patch mail/);
    writeFileSync(patch(2), 'From: a <a@b>\nSubject: [PATCH] x\n\nnothing\n');
    expect((await refused()).message).toMatch(/patch 0002-.* has no diff/);
  });

  it('names patch, file and hunk of a conflict, and how to look at it', async () => {
    replaceLine(kernel, 'fs/crypto/keyring.c', 49, 'somebody else was here;');
    git(kernel, 'commit', '-q', '-am', 'other');
    const error = await refused();
    expect(error.message).toMatch(
      /patch 0001-fscrypt-change-the-keyring\.patch \(1 of 3\): does not apply: fs\/crypto\/keyring\.c, hunk 2 of 2 \(@@ -47,7 \+47,7 @@/,
    );
    expect(error.failure.next).toContain('git am --3way');
  });

  it('names a file that is there already', async () => {
    write(kernel, { 'fs/crypto/extent.c': 'mine;\n' });
    git(kernel, 'add', '-f', '.');
    git(kernel, 'commit', '-q', '-m', 'mine');
    expect((await refused()).message).toMatch(/patch 0002-.*fs\/crypto\/extent\.c is in the tree already/);
  });

  it('refuses a range with a merge, and one that does not exist', async () => {
    const scratch = path.join(dir, 'scratch');
    git(
      scratch,
      'merge',
      '-q',
      '--no-ff',
      '-s',
      'ours',
      '-m',
      'merge',
      git(scratch, 'commit-tree', '-m', 'x', 'HEAD^{tree}'),
      '--allow-unrelated-histories',
    );
    const range = (commits: string): object => ({ series: { tree: 'scratch', commits } });
    expect((await refused({}, 'mine', range('HEAD~1..HEAD'))).message).toContain('is a merge');
    expect((await refused({}, 'mine', range('nope..HEAD'))).exitCode).toBe(2);
  });

  it('refuses more patches than there are', async () => {
    expect((await refused({}, 'mine@4')).message).toMatch(/mine@4: its own series has 3 patches/);
  });
});

describe('a branch that is in the way', () => {
  beforeEach(() => {
    git(kernel, 'branch', 'enokey/mine');
  });

  it('is kept unless --force is given', async () => {
    const error = await refused();
    expect(error.message).toContain('the branch enokey/mine is there already, at another commit');
    expect(error.failure.next).toContain('--force');
    const report = await applyToTree(context, options(await mine(), { force: true }));
    expect(report.state).toBe('replaced');
    expect(git(kernel, 'rev-parse', 'enokey/mine')).toBe(report.commit);
  });

  it('is never moved under a checkout', async () => {
    git(kernel, 'switch', '-q', 'enokey/mine');
    expect((await refused({ force: true })).message).toContain('is checked out in');
  });

  it('may be called enokey', async () => {
    git(kernel, 'branch', '-m', 'enokey/mine', 'enokey');
    expect((await refused()).message).toContain('a branch "enokey" is in the way');
  });
});

describe('a checkout that cannot be made', () => {
  it('refuses a folder that is in use', async () => {
    write(path.join(dir, 'used'), { file: 'x' });
    expect((await refused({ worktree: path.join(dir, 'used') })).message).toContain('is there already');
  });

  it('refuses to overwrite a file that git does not know', async () => {
    write(kernel, { 'fs/crypto/extent.c': 'precious;\n' });
    expect((await refused({ checkout: true })).message).toContain('extent.c');
  });
});
