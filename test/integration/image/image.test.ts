// SPDX-License-Identifier: GPL-2.0-only
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';

import type { EnokeyEvent } from '../../../src/core/events.js';
import { InfraError, InterruptedError, UserError } from '../../../src/core/errors.js';
import { ensureImage, imageStatus } from '../../../src/image/index.js';
import type { GuestImage } from '../../../src/image/types.js';
import { useCache } from '../../../src/system/cache-users.js';
import type { Lock } from '../../../src/system/lock.js';
import { testContext, type TestContext } from '../../helpers/context.js';
import { write } from '../../helpers/fake-kernel.js';
import { tempDir } from '../../helpers/temp.js';
import { until } from '../../helpers/until.js';

let dir: string;
let context: TestContext;

/** Stands for vm/image/build.sh: the same arguments and results, from nothing but mke2fs. */
const BUILD = `#!/bin/bash
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
echo 'I: downloading packages with apt...'
cp "$1" "$(dirname "$2")/../../../sources-seen"
mke2fs -q -t ext4 "$2" 8M
printf 'btrfs-progs\\t7.3-1\\nother\\t1\\n' >"$2.packages"
`;

/** The same, with packages that change although the recipe does not. */
const DAILY = `${BUILD}cp "$(dirname "$0")/../../../packages-of-the-day" "$2.packages"\n`;

const SOURCES = `Types: deb
URIs: http://deb.example.invalid/debian
Suites: bookworm bookworm-updates
Components: main
`;

function recipe(build: string): void {
  write(path.join(dir, 'shipped', 'vm', 'image'), {
    'build.sh': build,
    'init.c': '',
    'packages.txt': 'btrfs-progs/trixie-backports !\nother\n',
    sshd_config: '',
  });
}

beforeEach(() => {
  dir = tempDir('image');
  recipe(BUILD);
  write(path.join(dir, 'etc'), { 'sources.list.d/debian.sources': SOURCES });
  context = testContext({ dir: path.join(dir, 'enokey'), shipped: path.join(dir, 'shipped') });
});

const etc = (): { etc: string } => ({ etc: path.join(dir, 'etc') });
const images = (): string[] => {
  const folder = path.join(context.dirs.cache, 'images');
  return existsSync(folder) ? readdirSync(folder) : [];
};

describe('the guest image', () => {
  it('is made once, read-only, with the versions that reports name', async () => {
    const image = await ensureImage(context, etc());
    expect(image.packages).toEqual({ 'btrfs-progs': '7.3-1' });
    expect(statSync(image.rootfs).mode & 0o222).toBe(0);
    expect(images()).toEqual([image.key]);
    const before = statSync(image.rootfs).ino;
    expect(await ensureImage(context, etc())).toEqual(image);
    expect(statSync(image.rootfs).ino).toBe(before);
    expect((await imageStatus(context)).image).toEqual(image);
  });

  it('comes from the host’s archive with our suites', async () => {
    await ensureImage(context, etc());
    const sources = readFileSync(path.join(dir, 'enokey', 'sources-seen'), 'utf8');
    expect(sources).toContain('http://deb.example.invalid/debian');
    expect(sources).toContain('trixie trixie-backports');
    expect(sources).not.toContain('bookworm');
  });

  it('of another recipe is another image', async () => {
    const first = await ensureImage(context, etc());
    recipe(`${BUILD}# changed\n`);
    expect((await imageStatus(context)).image).toBeUndefined();
    const second = await ensureImage(context, etc());
    expect(second.key).not.toBe(first.key);
    expect(images().sort()).toEqual([first.key, second.key].sort());
  });

  it('is made anew when asked', async () => {
    const first = await ensureImage(context, etc());
    const before = statSync(first.rootfs).ino;
    const second = await ensureImage(context, { ...etc(), again: true });
    expect(second.key).toBe(first.key);
    expect(statSync(second.rootfs).ino).not.toBe(before);
    expect(images()).toEqual([first.key]);
  });

  it('tells by its contents whether it has the packages of another one, in whatever order they are listed', async () => {
    recipe(DAILY);
    const made = async (packages: string): Promise<string> => {
      write(dir, { 'packages-of-the-day': packages });
      return (await ensureImage(context, { ...etc(), again: true })).contents;
    };
    const first = await made('btrfs-progs\t7.3-1\nother\t1\n');
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await made('other\t1\nbtrfs-progs\t7.3-1\n')).toBe(first);
    expect(await made('btrfs-progs\t7.3-1\nother\t2\n')).not.toBe(first);
  });

  it('is not made anew while a run uses it', async () => {
    const image = await ensureImage(context, etc());
    const before = statSync(image.rootfs).ino;
    const use = await useCache(context.dirs.cache, 'runs a matrix in /results');
    const refused = ensureImage(context, { ...etc(), again: true });
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(
      `in use by process ${process.pid}, which runs a matrix in /results`,
    );
    expect([statSync(image.rootfs).ino, await ensureImage(context, etc())]).toEqual([before, image]);
    await use.release();
    await ensureImage(context, { ...etc(), again: true });
    expect(statSync(image.rootfs).ino).not.toBe(before);
  });

  it('that is made anew when a run begins is what the run gets', async () => {
    recipe(DAILY);
    write(dir, { 'packages-of-the-day': 'btrfs-progs\t7.3-1\n' });
    await ensureImage(context, etc());
    write(dir, { 'packages-of-the-day': 'btrfs-progs\t7.3-2\n' });
    const runs: Promise<[Lock, GuestImage]>[] = [];
    const run = async (): Promise<[Lock, GuestImage]> => [
      await useCache(context.dirs.cache, 'runs'),
      await ensureImage(context, etc()),
    ];
    const beginning = {
      ...context,
      emit: (event: EnokeyEvent) => {
        if (event.type === 'step' && event.detail?.startsWith('downloading')) runs.push(run());
      },
    };
    const made = await ensureImage(beginning, { ...etc(), again: true });
    expect(made.packages).toEqual({ 'btrfs-progs': '7.3-2' });
    for (const [use, image] of await Promise.all(runs)) {
      expect(image).toEqual(made);
      await use.release();
    }
    expect(runs).toHaveLength(1);
  });

  it('stays while another is made in its place', async () => {
    const { key, rootfs } = await ensureImage(context, etc());
    const before = statSync(rootfs).ino;
    const seen: unknown[] = [];
    const watching = {
      ...context,
      emit: (event: EnokeyEvent) => {
        if (event.type === 'step' && event.detail === 'sealing') seen.push(statSync(rootfs).ino);
      },
    };
    await ensureImage(watching, { ...etc(), again: true });
    expect(seen).toEqual([before]);
    expect(images()).toEqual([key]);
  });

  it('is whole for everybody who looks while others take its place', async () => {
    await ensureImage(context, etc());
    let done = false;
    const looking = (async () => {
      while (!done) await imageStatus(context);
    })();
    try {
      for (let round = 0; round < 8; round++) await ensureImage(context, { ...etc(), again: true });
    } finally {
      done = true;
      await looking;
    }
    expect(context.events.filter((event) => event.type === 'note')).toEqual([]);
  });

  it('stays when no other can be made in its place', async () => {
    const image = await ensureImage(context, etc());
    const before = statSync(image.rootfs).ino;
    rmSync(path.join(dir, 'etc'), { recursive: true });
    await expect(ensureImage(context, { ...etc(), again: true })).rejects.toThrow(UserError);
    expect(await ensureImage(context, etc())).toEqual(image);
    expect([statSync(image.rootfs).ino, images()]).toEqual([before, [image.key]]);
  });

  it('stays when the making of another is interrupted', async () => {
    const image = await ensureImage(context, etc());
    const stopping = {
      ...context,
      emit: (event: EnokeyEvent) =>
        event.type === 'step' && event.detail?.startsWith('downloading') && context.abort(),
    };
    await expect(ensureImage(stopping, { ...etc(), again: true })).rejects.toThrow(InterruptedError);
    expect((await imageStatus(context)).image).toEqual(image);
    expect(images()).toEqual([image.key]);
  });

  it.each([
    ['cut short', (file: string) => truncateSync(file, 4 * 1024 * 1024)],
    [
      'overwritten',
      (file: string) => {
        chmodSync(file, 0o644);
        const data = readFileSync(file);
        data.fill(0, 1024, 2048);
        writeFileSync(file, data);
      },
    ],
  ])('that was %s is made again, with a warning', async (_, damage) => {
    const { rootfs } = await ensureImage(context, etc());
    damage(rootfs);
    const again = await ensureImage(context, etc());
    expect(statSync(again.rootfs).size).toBe(8 * 1024 * 1024);
    expect(context.events.some((event) => event.type === 'note' && event.text.includes('made again'))).toBe(
      true,
    );
  });

  it('is made beside what a killed process left, which goes', async () => {
    write(path.join(context.dirs.cache, 'images'), {
      [`.${'a'.repeat(64)}.tmp-999999999-0123abcd/root.ext4`]: 'half',
      [`.${'a'.repeat(64)}.tmp-${process.pid}-0123abcd/root.ext4`]: 'of a live process',
    });
    const image = await ensureImage(context, etc());
    expect(images().sort()).toEqual([`.${'a'.repeat(64)}.tmp-${process.pid}-0123abcd`, image.key]);
  });

  it('is made by one of two who want it at once', async () => {
    const [first, second] = await Promise.all([ensureImage(context, etc()), ensureImage(context, etc())]);
    expect(first).toEqual(second);
    expect(images()).toEqual([first.key]);
  });
});

describe('an image that cannot be made', () => {
  it.each([
    ["echo 'E: Unable to locate package x' >&2; exit 25", InfraError, /Unable to locate package x/],
    ["echo 'cp: x: No space left on device' >&2; exit 1", InfraError, /no space left/],
    ["echo 'build.sh: mmdebstrap is missing' >&2; exit 2", UserError, /mmdebstrap is missing/],
    ['printf "other\\t1\\n" >"$2.packages"; mke2fs -q "$2" 8M', InfraError, /btrfs-progs did not get in/],
    ['head -c 9000000 /dev/zero >"$2"; printf "btrfs-progs\\t1\\n" >"$2.packages"', UserError, /is no ext4/],
  ])('by `%s` leaves nothing and says why', async (script, kind, expected) => {
    recipe(`PATH=$PATH:/usr/sbin\n${script}\n`);
    const error: unknown = await ensureImage(context, etc()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(expected);
    expect(images()).toEqual([]);
  });

  it('for want of a Debian archive names apt’s folder', async () => {
    const empty = tempDir('etc');
    await expect(ensureImage(context, { etc: empty })).rejects.toThrow(/no Debian archive among the sources/);
  });

  it('since it was interrupted ends soon and leaves nothing', async () => {
    recipe('echo "I: downloading packages"; sleep 60\n');
    const running = ensureImage(context, etc());
    await until(() =>
      context.events.find((event) => event.type === 'step' && event.detail === 'downloading packages'),
    );
    const began = performance.now();
    context.abort();
    await expect(running).rejects.toThrow(InterruptedError);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(images()).toEqual([]);
  });
});
