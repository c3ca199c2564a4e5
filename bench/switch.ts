// SPDX-License-Identifier: GPL-2.0-only
import { mkdtemp, mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { buildKernel } from '../src/kernel/build.js';
import { makeArguments, makeEnvironment } from '../src/kernel/make.js';
import { runOrThrow } from '../src/system/process.js';
import type { Variant } from '../src/config/types.js';
import { buildFolder } from '../src/tree/worktree.js';
import { benchContext } from './context.js';
import { median, timed } from './measure.js';
import type { Bench } from './types.js';

const FILES = ['fs/crypto/keyring.c', 'fs/btrfs/inode.c'];
const RUNS = 3;

/** A patch that adds one comment line to each of two files; another `serial`, another tree id. */
async function writePatch(dir: string, serial: number, source: string): Promise<void> {
  const hunks = await Promise.all(
    FILES.map(async (file) => {
      const [first] = (await readFile(path.join(source, file), 'utf8')).split('\n', 1);
      return `diff --git a/${file} b/${file}\n--- a/${file}\n+++ b/${file}\n@@ -1 +1,2 @@\n ${first}\n+/* bench ${serial} */\n`;
    }),
  );
  const head = `From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\nFrom: enokey bench <bench@example.invalid>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nSubject: [PATCH] bench ${serial}\n\n---\n`;
  await writeFile(path.join(dir, '0001-bench.patch'), `${head}${hunks.join('')}-- \n2.39\n`);
}

/**
 * A switch to a variant that differs in two files, patches, store and all, against a bare make after touching the
 * same two files. The stock kernel is built in between, so that every switch changes both files.
 */
export const switching: Bench = {
  name: 'switching variants',
  limit: 'at most 1.15',
  async measure() {
    const { context, settings } = await benchContext();
    const stock = await settings.resolve('stock');
    const profile = 'default' as const;
    await buildKernel(context, { variant: stock, profile });
    const folder = buildFolder(context, stock.base.name, profile);
    const [source, output] = [path.join(folder, 'src'), path.join(folder, 'out')];
    const dir = await mkdtemp(path.join(tmpdir(), 'enokey-bench-'));
    const switches: number[] = [];
    const bare: number[] = [];
    try {
      for (let i = 0; i <= RUNS; i++) {
        const patches = path.join(dir, String(i));
        await mkdir(patches);
        // A number that no earlier run of this bench used: a stored artifact would cost nothing.
        await writePatch(patches, Date.now(), source);
        const variant: Variant = { ...stock, name: 'bench', series: [{ kind: 'folder', path: patches }] };
        const ms = await timed(() => buildKernel(context, { variant, profile }));
        const release = (await readFile(path.join(output, 'include/config/kernel.release'), 'utf8')).trim();
        const makeMs = await timed(async () => {
          const now = new Date();
          for (const file of FILES) await utimes(path.join(source, file), now, now);
          await runOrThrow(
            'make',
            makeArguments({
              source,
              output,
              targets: ['vmlinux'],
              jobs: context.jobs,
              ccache: false,
              localVersion: release.slice(release.indexOf('-enokey')),
            }),
            { env: makeEnvironment() },
          );
        });
        if (i === 0) continue;
        switches.push(ms);
        bare.push(makeMs);
      }
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
    const ratio = median(switches.map((ms, i) => ms / (bare[i] ?? NaN)));
    return {
      rows: [
        ['enokey, switch and build', `${(median(switches) / 1000).toFixed(1)} s`],
        ['make after touching the files', `${(median(bare) / 1000).toFixed(1)} s`],
      ],
      ratio,
      ok: ratio <= 1.15,
    };
  },
};
