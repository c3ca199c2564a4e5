// SPDX-License-Identifier: GPL-2.0-only
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { makeDirs, resolveDirs } from '../../../src/cli/paths.js';
import type { Dirs } from '../../../src/core/context.js';
import { UserError } from '../../../src/core/errors.js';
import { tempDir } from '../../helpers/temp.js';

const base = { cwd: '/work dir', packageRoot: '/pkg' };

describe('resolveDirs', () => {
  it('follows XDG, resolves relative settings against the working directory', () => {
    const dirs = resolveDirs({ ...base, env: { HOME: '/home/u', XDG_STATE_HOME: '/st' } });
    expect(dirs).toMatchObject({ cache: '/home/u/.cache/enokey', state: '/st/enokey', shipped: '/pkg' });
    expect(resolveDirs({ ...base, env: { HOME: '/h', ENOKEY_CACHE: 'c' } }).cache).toBe('/work dir/c');
    expect(resolveDirs({ ...base, env: { HOME: '/h', ENOKEY_RUNTIME: 'r' } }).runtime).toBe('/work dir/r');
  });

  it('keeps sockets within sun_path, whatever the cache is called', () => {
    const long = `/${'x'.repeat(200)}`;
    const dirs = resolveDirs({ ...base, env: { HOME: long, XDG_RUNTIME_DIR: long } });
    expect(path.join(dirs.runtime, 'guests', 'soft@2-ext4', 'qmp.sock').length).toBeLessThan(107);
  });

  it('keeps kernel builds out of paths that Kbuild refuses', () => {
    const dirs = (cache: string): string =>
      resolveDirs({ ...base, env: { HOME: '/h', ENOKEY_CACHE: cache } }).build;
    expect(dirs('/c')).toBe('/c/build');
    expect(dirs('/my cache')).toMatch(/^\/var\/tmp\/enokey-\d+\/[0-9a-f]{8}\/build$/);
    expect(dirs('/my cache')).not.toBe(dirs('/my:cache'));
  });

  it('separates the guests of two caches', () => {
    const one = resolveDirs({ ...base, env: { HOME: '/h', ENOKEY_CACHE: '/a' } });
    const two = resolveDirs({ ...base, env: { HOME: '/h', ENOKEY_CACHE: '/b' } });
    expect(one.runtime).not.toBe(two.runtime);
  });
});

/** A folder that everybody can write, as /tmp, and in it what enokey makes when there is no XDG_RUNTIME_DIR. */
function shared(): { tmp: string; ours: string; dirs: Dirs } {
  const dir = tempDir();
  const tmp = path.join(dir, 'tmp');
  mkdirSync(tmp);
  chmodSync(tmp, 0o1777);
  const ours = path.join(tmp, 'enokey-1');
  const cache = path.join(dir, 'cache');
  const runtime = path.join(ours, '0123abcd');
  return {
    tmp,
    ours,
    dirs: { cache, build: path.join(cache, 'build'), state: path.join(dir, 's'), runtime, shipped: dir },
  };
}

function refusal(dirs: Dirs, uid?: number): UserError {
  try {
    makeDirs(dirs, uid);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  throw new Error('was not refused');
}

describe('makeDirs', () => {
  it('says which folder cannot be used and which setting mends it', () => {
    const dir = tempDir();
    const file = path.join(dir, 'file');
    writeFileSync(file, '');
    mkdirSync(path.join(dir, 'ok'));
    chmodSync(dir, 0o755);
    const dirs = {
      cache: path.join(file, 'cache'),
      build: path.join(file, 'cache', 'build'),
      state: path.join(dir, 's'),
      runtime: path.join(dir, 'r'),
      shipped: dir,
    };
    expect(() => makeDirs(dirs)).toThrow(/cannot be used as the cache: ENOTDIR/);
  });

  it('makes a runtime folder in a shared one so that nobody else can write it, and takes it again', () => {
    const { ours, dirs } = shared();
    makeDirs(dirs);
    makeDirs(dirs);
    for (const part of [ours, dirs.runtime]) expect(statSync(part).mode & 0o777).toBe(0o700);
  });

  it.each([
    ['that others can write', 'can be written by other users', (ours: string) => chmodSync(ours, 0o770)],
    [
      'whose part others can write',
      'can be written by other users',
      (ours: string) => {
        mkdirSync(path.join(ours, '0123abcd'));
        chmodSync(path.join(ours, '0123abcd'), 0o707);
      },
    ],
  ])('refuses a runtime folder %s', (_, wrong, spoil) => {
    const { ours, dirs } = shared();
    mkdirSync(ours, { mode: 0o700 });
    spoil(ours);
    const { message, failure } = refusal(dirs);
    expect(message).toContain(`cannot be used for the runtime folder: ${wrong}`);
    expect(failure.subject.startsWith(ours)).toBe(true);
    expect(failure.next).toContain('set ENOKEY_RUNTIME');
  });

  it('refuses a link in the place of the runtime folder, and makes nothing where it leads', () => {
    const { tmp, ours, dirs } = shared();
    mkdirSync(path.join(tmp, '..', 'elsewhere'), { mode: 0o700 });
    symlinkSync(path.join(tmp, '..', 'elsewhere'), ours);
    expect(refusal(dirs).message).toContain(`${ours}: cannot be used for the runtime folder: is no folder`);
    expect(existsSync(path.join(tmp, '..', 'elsewhere', '0123abcd'))).toBe(false);
  });

  it('refuses a runtime folder of another user, root being no exception', () => {
    const { ours, dirs } = shared();
    makeDirs(dirs);
    // As root we can give it away; otherwise we are the other user, and root comes.
    const root = process.getuid?.() === 0;
    if (root) chownSync(ours, 54_321, 54_321);
    const { message, failure } = refusal(dirs, 0);
    expect(message).toContain(`belongs to user ${root ? 54_321 : process.getuid?.()}`);
    expect(failure.next).toContain('set ENOKEY_RUNTIME');
  });

  it('refuses a runtime folder that was asked for and that everybody can write', () => {
    const { tmp, dirs } = shared();
    expect(refusal({ ...dirs, runtime: tmp }).message).toContain('can be written by other users');
  });

  it('makes of a build folder in /var/tmp only what has to be ours', () => {
    const { ours, dirs } = shared();
    const build = path.join(ours, '0123abcd', 'build');
    makeDirs({ ...dirs, runtime: path.join(dirs.cache, 'rt'), build });
    expect(statSync(ours).mode & 0o777).toBe(0o755);
    expect(readdirSync(ours)).toEqual([]);
  });

  it('refuses a build folder in /var/tmp that is another’s, and says how to do without', () => {
    const { ours, dirs } = shared();
    mkdirSync(ours);
    chmodSync(ours, 0o777);
    const { runtime } = dirs;
    const { message, failure } = refusal({
      ...dirs,
      runtime: path.join(dirs.cache, 'rt'),
      build: path.join(runtime, 'build'),
    });
    expect(message).toContain(`${ours}: cannot be used for the build folder`);
    expect(failure.next).toContain('set ENOKEY_CACHE');
  });
});
