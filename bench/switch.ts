// SPDX-License-Identifier: GPL-2.0-only
import { mkdtemp, mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { buildKernel } from '../src/kernel/build.js';
import { makeArguments, makeEnvironment } from '../src/kernel/make.js';
import { readToolchain } from '../src/kernel/toolchain.js';
import { runOrThrow } from '../src/system/process.js';
import type { Variant } from '../src/config/types.js';
import { importedRepo } from '../src/tree/imported.js';
import { buildFolder, OUTPUT } from '../src/tree/worktree.js';
import { benchContext } from './context.js';
import { median, timed } from './measure.js';
import type { Bench } from './types.js';

const FILES = ['fs/crypto/keyring.c', 'fs/btrfs/inode.c'];
const RUNS = 3;

/** A patch that adds one comment line to each of two files; another `serial`, another tree id. */
async function writePatch(dir: string, serial: number, repo: string): Promise<void> {
  const hunks = await Promise.all(
    FILES.map(async (file) => {
      // Of the release: the worktree has what was built last.
      const { stdout } = await runOrThrow('git', ['--git-dir', repo, 'show', `HEAD:${file}`]);
      const [first, ...after] = stdout.split('\n', 4);
      // git wants context behind a change that is not at the end of the file.
      const lines = [` ${first}`, `+/* bench ${serial} */`, ...after.map((line) => ` ${line}`)].join('\n');
      return `diff --git a/${file} b/${file}\n--- a/${file}\n+++ b/${file}\n@@ -1,4 +1,5 @@\n${lines}\n`;
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
    const tools = await readToolchain(context.signal);
    await buildKernel(context, { variant: stock, profile });
    const folder = buildFolder(context, stock.base.name, profile);
    const [source, output] = [path.join(folder, 'src'), path.join(folder, OUTPUT)];
    const dir = await mkdtemp(path.join(tmpdir(), 'enokey-bench-'));
    const switches: number[] = [];
    const bare: number[] = [];
    try {
      for (let i = 0; i <= RUNS; i++) {
        const patches = path.join(dir, String(i));
        await mkdir(patches);
        // A number that no earlier run of this bench used: a stored artifact would cost nothing.
        await writePatch(patches, Date.now(), importedRepo(context, stock.base));
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
              // Another compiler than the switch's, and make would build everything anew.
              ccache: tools.ccache,
              localVersion: release.slice(release.indexOf('-enokey')),
            }),
            // The files are only touched: what ccache has of them must not be taken.
            { env: { ...makeEnvironment(), CCACHE_RECACHE: '1' } },
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
