// SPDX-License-Identifier: GPL-2.0-only
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { makeDirs, resolveDirs } from '../../../src/cli/paths.js';
import { tempDir } from '../../helpers/temp.js';

const base = { cwd: '/work dir', packageRoot: '/pkg' };

describe('resolveDirs', () => {
  it('follows XDG, resolves relative settings against the working directory', () => {
    const dirs = resolveDirs({ ...base, env: { HOME: '/home/u', XDG_STATE_HOME: '/st' } });
    expect(dirs).toMatchObject({ cache: '/home/u/.cache/enokey', state: '/st/enokey', shipped: '/pkg' });
    expect(resolveDirs({ ...base, env: { HOME: '/h', ENOKEY_CACHE: 'c' } }).cache).toBe('/work dir/c');
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
});
