// SPDX-License-Identifier: GPL-2.0-only
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { identify } from '../../../src/system/identity.js';
import { withScratch } from '../../../src/system/scratch.js';
import { testContext, type TestContext } from '../../helpers/context.js';

/** Above pid_max of any Linux. */
const DEAD_PID = 4_194_999;

/** A folder as another process makes it, or as far as it got. */
function folder(context: TestContext, pid: number, owner?: string): string {
  const dir = path.join(context.dirs.cache, 'tmp', `apply-${pid}-a1B2c3`);
  mkdirSync(dir, { recursive: true });
  if (owner !== undefined) writeFileSync(path.join(dir, '.owner'), owner);
  return dir;
}

const survives = async (context: TestContext, dir: string): Promise<boolean> => {
  await withScratch(context, 'test', async () => undefined);
  return existsSync(dir);
};

/** What a reader of \`.owner\` can meet. */
const OWNERS: [string, string | undefined][] = [
  ['is not there yet', undefined],
  ['is there and still empty', ''],
  ['is cut short', JSON.stringify(identify(process.pid)).slice(0, 12)],
];

describe('a scratch folder', () => {
  it('is empty but for its owner, and goes with the work, also when that fails', async () => {
    const context = testContext();
    const seen: string[] = [];
    const work = withScratch(context, 'test', async (dir) => {
      seen.push(dir, ...readdirSync(dir));
      throw new Error('failed');
    });
    await expect(work).rejects.toThrow('failed');
    expect(seen.slice(1)).toEqual(['.owner']);
    expect(existsSync(seen[0] ?? '')).toBe(false);
  });

  it.each(OWNERS)('of a live process stays while .owner %s', async (_, owner) => {
    const context = testContext();
    expect(await survives(context, folder(context, process.pid, owner))).toBe(true);
  });

  it.each(OWNERS)('of a dead process goes although .owner %s', async (_, owner) => {
    const context = testContext();
    expect(await survives(context, folder(context, DEAD_PID, owner))).toBe(false);
  });

  it('goes when another process has the pid of its owner now', async () => {
    const context = testContext();
    const before = JSON.stringify({ ...identify(process.pid), start: '1' });
    expect(await survives(context, folder(context, process.pid, before))).toBe(false);
  });

  it('stays as long as its owner works, however many others begin and end', async () => {
    const context = testContext();
    const rounds = Array.from({ length: 40 }, () =>
      withScratch(context, 'test', async (dir) => {
        writeFileSync(path.join(dir, 'mine'), '');
        await withScratch(context, 'other', async () => undefined);
        return existsSync(path.join(dir, 'mine'));
      }),
    );
    expect(await Promise.all(rounds)).toEqual(rounds.map(() => true));
    expect(readdirSync(path.join(context.dirs.cache, 'tmp'))).toEqual([]);
  });
});
