// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import type { Base, Variant } from '../../src/config/types.js';
import type { EnokeyEvent } from '../../src/core/events.js';
import { InfraError, InterruptedError, UserError } from '../../src/core/errors.js';
import { findImported, importTree } from '../../src/tree/imported.js';
import { prepareVariantTree } from '../../src/tree/prepare.js';
import { checkUserTree, ensureTree } from '../../src/tree/status.js';
import type { VariantTree } from '../../src/tree/types.js';
import { buildFolder, switchWorktree } from '../../src/tree/worktree.js';
import { testContext, type TestContext } from '../helpers/context.js';
import {
  fakeKernel,
  git,
  makefile,
  replaceLine,
  snapshot,
  write,
  writeSeries,
} from '../helpers/fake-kernel.js';
import { tempDir } from '../helpers/temp.js';

/** A variant without a series. */
function plain(name: string): Variant {
  return {
    name,
    base,
    title: name,
    series: [],
    mountOptions: {},
    kernelArgs: [],
    filesystems: [],
    contract: {},
    definedIn: '',
  };
}

const base: Base = { name: 'v7.3', version: '7.3', debianPackage: 'linux-source-7.3' };
let dir: string;
let context: TestContext;

beforeEach(() => {
  dir = tempDir('tree');
  context = testContext({ dir: path.join(dir, 'enokey') });
});

/** A package as Debian makes it: the kernel in a tarball of its own, with a .gitignore that ignores everything. */
function buildPackage(
  to: string,
  options: { version?: string; files?: number; beforePacking?: (tarball: string) => void } = {},
): string {
  const work = path.join(dir, 'package');
  rmSync(work, { recursive: true, force: true });
  const top = path.join(work, 'linux-source-7.3');
  write(top, {
    Makefile: makefile(options.version ?? '7.3.4'),
    '.gitignore': '/*\n!.gitignore\n',
    'scripts/run': '#!/bin/sh\n',
    'fs/a b.c': 'x\n',
    [`deep/${'d'.repeat(110)}/f`]: 'y',
  });
  for (let index = 0; index < (options.files ?? 0); index++)
    write(top, { [`many/${index}.c`]: `${index}\n`.repeat(2000) });
  chmodSync(path.join(top, 'scripts/run'), 0o755);
  symlinkSync('../Makefile', path.join(top, 'fs/link'));
  const root = path.join(work, 'root');
  mkdirSync(path.join(root, 'usr/src'), { recursive: true });
  mkdirSync(path.join(root, 'DEBIAN'));
  writeFileSync(
    path.join(root, 'DEBIAN/control'),
    'Package: linux-source-7.3\nVersion: 7.3.4-1\nArchitecture: all\nMaintainer: T <t@example.invalid>\nDescription: test\n',
  );
  const tarball = path.join(root, 'usr/src/linux-source-7.3.tar.xz');
  execFileSync('tar', [
    '--mtime=@1700000000',
    '--sort=name',
    '-cJf',
    tarball,
    '-C',
    work,
    'linux-source-7.3',
  ]);
  options.beforePacking?.(tarball);
  mkdirSync(to, { recursive: true });
  const deb = path.join(to, 'linux-source-7.3_7.3.4-1_all.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '-b', root, deb], { stdio: 'ignore' });
  return deb;
}

/** Flips a bit in the checksum of an .xz file's index: its last 16 bytes but for the footer's 12. */
function damageIndex(file: string, behind = 0): void {
  const data = readFileSync(file);
  const at = data.length - behind - 14;
  data[at] = (data[at] ?? 0) ^ 1;
  writeFileSync(file, data);
}

/** apt's configuration folder with an archive in a folder of this machine that has the package in `suite`. */
function archive(suite: string): string {
  const repository = path.join(dir, 'archive');
  const dist = path.join(repository, 'dists', suite, 'main', 'binary-amd64');
  const deb = buildPackage(path.join(repository, 'pool'));
  const packages = execFileSync('dpkg-deb', ['-f', deb], { encoding: 'utf8' });
  const sha = execFileSync('sha256sum', [deb], { encoding: 'utf8' }).split(' ')[0];
  const entry = `${packages}Filename: pool/${path.basename(deb)}\nSize: ${statSync(deb).size}\nSHA256: ${sha}\n\n`;
  for (const name of new Set([suite, 'trixie-backports', 'sid'])) {
    const folder = path.join(repository, 'dists', name, 'main', 'binary-amd64');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'Packages'), name === suite ? entry : '');
    const list = execFileSync('sha256sum', ['main/binary-amd64/Packages'], {
      cwd: path.join(repository, 'dists', name),
      encoding: 'utf8',
    }).split(' ')[0];
    const size = statSync(path.join(folder, 'Packages')).size;
    writeFileSync(
      path.join(repository, 'dists', name, 'Release'),
      `Suite: ${name}\nCodename: ${name}\nArchitectures: amd64\nComponents: main\nDate: ${new Date().toUTCString()}\nSHA256:\n ${list} ${size} main/binary-amd64/Packages\n`,
    );
  }
  expect(existsSync(dist)).toBe(true);
  // A line of sources.list ends a URI at a space.
  const link = tempDir('apt', 'enokey_');
  symlinkSync(repository, path.join(link, 'debian'));
  const etc = path.join(dir, 'etc');
  write(etc, { 'sources.list': `deb [trusted=yes] file:${link}/debian bookworm main\n` });
  return etc;
}

const packages = (): string => path.join(context.dirs.cache, 'tree', 'packages');
const hasApt = existsSync('/usr/bin/apt-get');

describe('the import of a package', () => {
  it('takes every file, also those that .gitignore hides, with modes and links', async () => {
    buildPackage(packages());
    const tree = await importTree(context, { base });
    expect(tree).toMatchObject({
      version: '7.3.4',
      files: 6,
      imported: true,
      origin: { kind: 'debian', packageVersion: '7.3.4-1' },
    });
    const listed = git(
      tree.repo,
      '-c',
      'core.quotePath=false',
      'ls-tree',
      '-r',
      '--format=%(objectmode) %(path)',
      'v7.3',
    ).split('\n');
    expect(listed).toEqual([
      '100644 .gitignore',
      '100644 Makefile',
      `100644 deep/${'d'.repeat(110)}/f`,
      '100644 fs/a b.c',
      '120000 fs/link',
      '100755 scripts/run',
    ]);
    expect(git(tree.repo, 'log', '--format=%an %ae %at %ct %s', 'v7.3')).toBe(
      'enokey enokey@localhost 1700000000 1700000000 linux-source-7.3 7.3.4-1',
    );
    expect(git(tree.repo, 'fsck', '--strict')).toBe('');
    expect(readdirSync(packages())).toEqual([]);
  });

  it('is done once, and gives the same commit in every cache', async () => {
    buildPackage(packages());
    const first = await importTree(context, { base });
    expect(await importTree(context, { base })).toMatchObject({ imported: false, commit: first.commit });
    expect(await ensureTree(context, { base, again: false, dryRun: true })).toMatchObject({
      state: 'present',
      commit: first.commit,
    });
    const other = testContext({ dir: path.join(dir, 'other') });
    buildPackage(path.join(other.dirs.cache, 'tree', 'packages'));
    expect((await importTree(other, { base })).commit).toBe(first.commit);
  });

  it('that two processes want is done by one', async () => {
    buildPackage(packages());
    const both = await Promise.all([importTree(context, { base }), importTree(context, { base })]);
    expect(both.map(({ imported }) => imported).sort()).toEqual([false, true]);
  });

  it('that is interrupted leaves nothing half-done, and the next one is whole', async () => {
    buildPackage(packages(), { files: 3000 });
    const work = importTree(
      {
        ...context,
        emit: (event) => event.type === 'step' && event.detail?.endsWith(' files') && context.abort(),
      },
      { base },
    );
    await expect(work).rejects.toThrow(InterruptedError);
    expect(readdirSync(path.join(context.dirs.cache, 'tree'))).toEqual(['packages']);
    expect(await findImported(context, base)).toBeUndefined();
    const again = testContext({ dir: path.join(dir, 'enokey') });
    expect(await importTree(again, { base })).toMatchObject({ files: 3006, imported: true });
  });

  it('removes what a killed import left', async () => {
    buildPackage(packages());
    for (const left of ['.v7.3.git.tmp-1-abc', '..v7.3.git.tmp-1-abc.tmp-1-def'])
      write(path.join(context.dirs.cache, 'tree', left), { 'objects/pack/x': 'x' });
    // Without its note a repository is not one: it was put there by somebody else.
    write(path.join(context.dirs.cache, 'tree', 'v7.3.git'), { HEAD: 'ref: refs/heads/main\n' });
    await importTree(context, { base });
    expect(readdirSync(path.join(context.dirs.cache, 'tree')).sort()).toEqual(['packages', 'v7.3.git']);
  });

  it('of a damaged package says so, and does not keep the package', async () => {
    const deb = buildPackage(packages(), { files: 200 });
    const data = readFileSync(deb);
    writeFileSync(deb, data.subarray(0, data.length - 2000));
    await expect(importTree(context, { base })).rejects.toThrow(InfraError);
    expect(readdirSync(packages())).toEqual([]);
    expect(await findImported(context, base)).toBeUndefined();
  });

  it.each([
    ["the kernel's archive", (to: string): string => buildPackage(to, { beforePacking: damageIndex })],
    [
      'the package',
      (to: string): string => {
        // Enough behind the archive that dpkg-deb has not met the checksum yet when the archive has been read.
        const deb = buildPackage(to, {
          beforePacking: (tarball) =>
            writeFileSync(path.join(path.dirname(tarball), 'z-patches.xz'), randomBytes(1024 * 1024)),
        });
        // ar(5) pads a member of odd length with a newline.
        damageIndex(deb, readFileSync(deb).at(-1) === 0x0a ? 1 : 0);
        return deb;
      },
    ],
  ])('fails when only the last checksum of %s is wrong', async (_, build) => {
    build(packages());
    await expect(importTree(context, { base })).rejects.toThrow(InfraError);
    expect(readdirSync(packages())).toEqual([]);
    expect(await findImported(context, base)).toBeUndefined();
  });

  it('anew replaces the one that is there, and nothing else is left', async () => {
    buildPackage(packages());
    const first = await importTree(context, { base });
    const seen: (string | undefined)[] = [];
    const watching = {
      ...context,
      emit: (event: EnokeyEvent) => {
        if (event.type === 'step' && event.id === 'tree.import')
          seen.push(existsSync(first.repo) ? git(first.repo, 'rev-parse', 'v7.3') : undefined);
      },
    };
    buildPackage(packages(), { version: '7.3.5' });
    const second = await importTree(watching, { base, again: true });
    expect(second).toMatchObject({ version: '7.3.5', imported: true, repo: first.repo });
    expect(seen[0]).toBe(first.commit);
    expect(seen).not.toContain(undefined);
    expect(await findImported(context, base)).toMatchObject({ commit: second.commit });
    expect(readdirSync(path.join(context.dirs.cache, 'tree')).sort()).toEqual(['packages', 'v7.3.git']);
  });

  it('anew leaves the one that is there when it fails or is interrupted', async () => {
    buildPackage(packages());
    const first = await importTree(context, { base });
    const stays = async (): Promise<void> => {
      expect(await findImported(context, base)).toEqual({ ...first, imported: false });
      expect(git(first.repo, 'fsck', '--strict')).toBe('');
      expect(readdirSync(path.join(context.dirs.cache, 'tree')).sort()).toEqual(['packages', 'v7.3.git']);
    };
    // No package in the folder, and no archive to take one from.
    const nowhere = path.join(dir, 'nowhere');
    write(nowhere, { 'sources.list': 'deb http://vendor.invalid/x stable main\n' });
    await expect(importTree(context, { base, again: true, aptEtc: nowhere })).rejects.toThrow(UserError);
    await stays();
    buildPackage(packages(), { version: '7.4.1' });
    await expect(importTree(context, { base, again: true })).rejects.toThrow(/Linux 7\.4\.1/);
    await stays();
    buildPackage(packages(), { files: 600 });
    const stopping = {
      ...context,
      emit: (event: EnokeyEvent) =>
        event.type === 'step' && event.detail?.endsWith(' files') && context.abort(),
    };
    await expect(importTree(stopping, { base, again: true })).rejects.toThrow(InterruptedError);
    await stays();
  });

  it('of another release is refused', async () => {
    buildPackage(packages(), { version: '7.4.1' });
    await expect(importTree(context, { base })).rejects.toThrow(/Linux 7\.4\.1 \(expected Linux 7\.3\)/);
    expect(await findImported(context, base)).toBeUndefined();
  });
});

describe('a build worktree of an imported tree', () => {
  /** A variant with the series that is put onto the imported release. */
  const prepare = (): Promise<VariantTree> =>
    prepareVariantTree(context, {
      variant: { ...plain('mine'), series: [{ kind: 'folder', path: path.join(dir, 'series') }] },
    });
  const change = (variantTree: VariantTree): Promise<string> =>
    switchWorktree(context, { variantTree, base: 'v7.3', profile: 'default' });
  let mine: VariantTree;
  let src: string;

  beforeEach(async () => {
    buildPackage(packages());
    const { repo } = await importTree(context, { base });
    const scratch = path.join(dir, 'scratch');
    git(dir, 'clone', '-q', '--no-local', '-b', 'v7.3', repo, scratch);
    write(scratch, { 'fs/a b.c': 'mine\n' });
    git(scratch, 'commit', '-q', '-am', 'fs: change it');
    git(scratch, 'format-patch', '-q', '-o', path.join(dir, 'series'), 'HEAD~1');
    mine = await prepare();
    src = await change(mine);
    utimesSync(path.join(src, 'Makefile'), 1_600_000_000, 1_600_000_000);
    git(src, '--git-dir', path.join(src, '../src.git'), '--work-tree', src, 'update-index', '--refresh');
  });

  it('takes what it was about to check out when that release is imported anew', async () => {
    buildPackage(packages());
    await importTree(context, { base, again: true });
    // A build that waited for the worktree meanwhile.
    await change(mine);
    expect(await prepare()).toEqual(mine);
    expect(statSync(path.join(src, 'Makefile')).mtimeMs).toBe(1_600_000_000_000);
    expect(git(mine.repo, 'fsck', '--strict')).toBe('');
  });

  it('changes only the files that differ when a newer one was imported in its place', async () => {
    buildPackage(packages(), { version: '7.3.5' });
    await importTree(context, { base, again: true });
    utimesSync(path.join(src, 'scripts/run'), 1_600_000_000, 1_600_000_000);
    git(src, '--git-dir', path.join(src, '../src.git'), '--work-tree', src, 'update-index', '--refresh');
    const newer = await prepare();
    expect(newer.version).toBe('7.3.5');
    await change(newer);
    expect(readFileSync(path.join(src, 'Makefile'), 'utf8')).toBe(makefile('7.3.5'));
    expect(readFileSync(path.join(src, 'fs/a b.c'), 'utf8')).toBe('mine\n');
    expect(statSync(path.join(src, 'scripts/run')).mtimeMs).toBe(1_600_000_000_000);
  });
});

describe.skipIf(!hasApt)('the download', () => {
  it('asks the archive of the host, in the suite that has the package', async () => {
    const etc = archive('sid');
    const before = aptState();
    const tree = await importTree(context, { base, aptEtc: etc });
    expect(tree).toMatchObject({ files: 6, origin: { packageVersion: '7.3.4-1' } });
    expect(aptState()).toEqual(before);
    expect(readdirSync(packages())).toEqual([]);
  });

  it('says which kernels the archive has when it is not the one', async () => {
    const etc = archive('trixie-backports');
    const other: Base = { name: 'v9.1', version: '9.1', debianPackage: 'linux-source-9.1' };
    const error: unknown = await importTree(context, { base: other, aptEtc: etc }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InfraError);
    expect((error as Error).message).toMatch(
      /linux-source-9\.1: not in .*expected it beside linux-source-7\.3/,
    );
  });

  it('says so when the archive cannot be reached', async () => {
    write(path.join(dir, 'etc'), {
      'sources.list': 'deb [trusted=yes] http://127.0.0.1:9/debian bookworm main\n',
    });
    const error: unknown = await importTree(context, { base, aptEtc: path.join(dir, 'etc') }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InfraError);
    expect((error as InfraError).failure.next).toContain('--tree DIR');
  });

  it('needs a Debian archive among the sources', async () => {
    write(path.join(dir, 'etc'), { 'sources.list': 'deb http://vendor.invalid/x stable main\n' });
    await expect(importTree(context, { base, aptEtc: path.join(dir, 'etc') })).rejects.toThrow(UserError);
  });
});

/** Names, sizes and times of all that the host's apt keeps. */
function aptState(): string {
  return execFileSync('find', ['/var/lib/apt', '/var/cache/apt', '-type', 'f', '-printf', '%p %T@ %s\n'], {
    encoding: 'utf8',
  });
}

describe("a tree of the user's", () => {
  it('is looked at without a change', async () => {
    const kernel = fakeKernel(path.join(dir, 'linux'));
    const before = snapshot(kernel);
    expect(await checkUserTree(context, kernel, [base])).toMatchObject({
      state: 'usable',
      version: '7.3.4',
      bases: ['v7.3'],
    });
    expect(snapshot(kernel)).toEqual(before);
    rmSync(kernel, { recursive: true });
    fakeKernel(kernel, '7.4.0', '-rc1');
    expect(await checkUserTree(context, kernel, [base])).toMatchObject({ version: '7.4.0-rc1', bases: [] });
  });
});

describe('the build worktree', () => {
  let kernel: string;
  let stock: VariantTree;
  let mine: VariantTree;
  let src: string;

  const prepare = (name: string, series: string[]): Promise<VariantTree> =>
    prepareVariantTree(context, {
      tree: kernel,
      variant: { ...plain(name), series: series.map((folder) => ({ kind: 'folder', path: folder })) },
    });
  const change = (variantTree: VariantTree): Promise<string> =>
    switchWorktree(context, { variantTree, base: 'v7.3', profile: 'default' });
  const listed = (): string[] =>
    Object.keys(snapshot(src))
      .filter((name) => !name.endsWith('/'))
      .sort();
  /** Sets all files back to an old time and returns which are newer after `work`. */
  const touched = async (work: () => Promise<unknown>): Promise<string[]> => {
    for (const file of listed()) utimesSync(path.join(src, file), 1_600_000_000, 1_600_000_000);
    git(src, '--git-dir', path.join(src, '../src.git'), '--work-tree', src, 'update-index', '--refresh');
    await work();
    return listed().filter((file) => statSync(path.join(src, file)).mtimeMs > 1_700_000_000_000);
  };

  beforeEach(async () => {
    kernel = fakeKernel(path.join(dir, 'linux'));
    writeSeries(kernel, path.join(dir, 'series'), path.join(dir, 'scratch'));
    stock = await prepare('stock', []);
    mine = await prepare('mine', [path.join(dir, 'series')]);
    src = await change(stock);
  });

  it('has the files of the commit and no .git', () => {
    expect(src).toBe(path.join(buildFolder(context, 'v7.3', 'default'), 'src'));
    expect(listed()).toEqual(git(kernel, 'ls-files').split('\n').sort());
  });

  it('is described by commit, tree and kernel version', () => {
    expect(stock).toMatchObject({
      commit: git(kernel, 'rev-parse', 'HEAD'),
      treeId: git(kernel, 'rev-parse', 'HEAD^{tree}'),
      version: '7.3.4',
    });
    expect(mine.treeId).toBe(git(path.join(dir, 'scratch'), 'rev-parse', 'HEAD^{tree}'));
    expect(mine.describe).toMatch(/^v7\.3\.4 \(commit [0-9a-f]{12}\) \+ mine \(3 patches\)$/);
  });

  it('changes only the files that differ', async () => {
    expect(await touched(() => change(mine))).toEqual(['fs/crypto/extent.c', 'fs/crypto/keyring.c']);
    expect(await touched(() => change(mine))).toEqual([]);
    expect(await touched(() => change(stock))).toEqual(['fs/crypto/keyring.c']);
    expect(listed()).not.toContain('fs/crypto/extent.c');
  });

  it("leaves the user's repository alone", async () => {
    const before = snapshot(kernel);
    await change(mine);
    await prepare('again', [path.join(dir, 'series')]);
    expect(snapshot(kernel)).toEqual(before);
  });

  it('mends a lock, changed files, missing files and new files that a killed switch left', async () => {
    const work = async (): Promise<void> => {
      writeFileSync(path.join(src, '../src.git/index.lock'), '');
      writeFileSync(path.join(src, '../src.git/enokey-switching'), '');
      replaceLine(src, 'fs/btrfs/inode.c', 1, 'half written');
      rmSync(path.join(src, 'Makefile'));
      write(src, { 'fs/left-over.c': 'x' });
      await change(stock);
    };
    expect(await touched(work)).toEqual(['Makefile', 'fs/btrfs/inode.c']);
    expect(listed()).toEqual(git(kernel, 'ls-files').split('\n').sort());
    expect(readFileSync(path.join(src, 'fs/btrfs/inode.c'), 'utf8')).toMatch(/^inode 1;/);
  });

  it.each([
    ['index', 'garbage'],
    ['HEAD', 'garbage'],
  ])('is made anew when its %s is damaged', async (file, text) => {
    writeFileSync(path.join(src, '../src.git', file), text);
    await change(mine);
    expect(listed()).toContain('fs/crypto/extent.c');
  });

  it('serves several trees', async () => {
    const other = fakeKernel(path.join(dir, 'other'));
    replaceLine(other, 'fs/btrfs/inode.c', 2, 'other;');
    git(other, 'commit', '-q', '-am', 'other');
    const theirs = await prepareVariantTree(context, {
      tree: other,
      variant: plain('o'),
    });
    await change(theirs);
    expect(readFileSync(path.join(src, 'fs/btrfs/inode.c'), 'utf8')).toContain('other;');
    await change(mine);
    expect(readFileSync(path.join(src, 'fs/btrfs/inode.c'), 'utf8')).not.toContain('other;');
  });

  it('needs a clean tree unless a commit is named', async () => {
    replaceLine(kernel, 'fs/btrfs/inode.c', 1, 'dirty;');
    await expect(prepare('stock', [])).rejects.toThrow(/uncommitted changes/);
    await expect(
      prepareVariantTree(context, { tree: kernel, onto: 'HEAD', variant: plain('stock') }),
    ).resolves.toMatchObject({ commit: stock.commit });
  });
});
