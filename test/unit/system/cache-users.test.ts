// SPDX-License-Identifier: GPL-2.0-only
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import { cacheUser, endedUses, useCache } from '../../../src/system/cache-users.js';
import { runCleanups } from '../../../src/system/cleanup.js';
import { bootId, identify } from '../../../src/system/identity.js';
import { tempDir } from '../../helpers/temp.js';

let cache: string;
beforeEach(() => (cache = tempDir('users')));

describe('users of the cache', () => {
  it('may be several, each until it has released its own', async () => {
    expect(await cacheUser(cache)).toBeUndefined();
    const [one, two] = await Promise.all([useCache(cache, 'runs one'), useCache(cache, 'runs two')]);
    await one.release();
    expect(await cacheUser(cache)).toMatchObject({ pid: process.pid, purpose: 'runs two' });
    await two.release();
    expect(await cacheUser(cache)).toBeUndefined();
    expect(readdirSync(path.join(cache, 'users'))).toEqual([]);
  });

  it('end with their process', async () => {
    await useCache(cache, 'runs');
    await runCleanups();
    expect(await cacheUser(cache)).toBeUndefined();
  });

  it.each([
    ['was killed', { pid: 4_194_999, start: '1', boot: bootId() }],
    ['has the pid of another one now', { pid: process.pid, start: '1', boot: bootId() }],
    ['was there before the host booted', { ...identify(process.pid), boot: 'another' }],
  ])('that are a process which %s count no longer, and go when the next one comes', async (_, who) => {
    const left = path.join(cache, 'users', '1-0123abcd.lock');
    mkdirSync(path.dirname(left));
    writeFileSync(left, JSON.stringify({ ...who, purpose: 'runs' }));
    expect([await cacheUser(cache), await endedUses(cache)]).toEqual([undefined, [left]]);
    const use = await useCache(cache, 'runs');
    expect(existsSync(left)).toBe(false);
    await use.release();
  });
});
