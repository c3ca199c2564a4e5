// SPDX-License-Identifier: GPL-2.0-only
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { buildFstests } from '../src/fstests/build.js';
import { FstestsDriver } from '../src/fstests/driver.js';
import { checkArgv } from '../src/fstests/guest-setup.js';
import { readLimits } from '../src/fstests/limits.js';
import { findSource, manifestFile } from '../src/fstests/selection.js';
import { ensureImage } from '../src/image/index.js';
import { benchContext, REPOSITORY } from './context.js';
import { withGuest } from './guest.js';
import type { Bench } from './types.js';

const ROUNDS = 3;

/** The middle one, or the lower of the two in the middle. */
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
}

/** An iteration of generic/595 through enokey against `check generic/595` by hand in the same guest, in turns. */
export const fstests: Bench = {
  name: 'generic/595 against check by hand',
  limit: 'at most 1.2',
  async measure() {
    const { context, settings } = await benchContext();
    const source = await findSource(context, process.env['ENOKEY_FSTESTS']);
    const build = await buildFstests(context, { source, imageKey: (await ensureImage(context)).key });
    const limits = await readLimits(path.join(REPOSITORY, 'fstests-overrides/limits.yaml'));
    const driver = new FstestsDriver({ build, limits, timeFactor: 1, manifestFile: manifestFile(context) });
    const variant = await settings.resolve('stock');
    const dir = await mkdtemp(path.join(tmpdir(), 'enokey-bench-fstests-'));
    try {
      return await withGuest(driver.disks, async (guest) => {
        await driver.prepare(guest, 'ext4');
        const through = async (iteration: number): Promise<number> => {
          const filesDir = await mkdtemp(path.join(dir, 'cell-'));
          const began = performance.now();
          const { reading, incident } = await driver.run(guest, {
            cell: { variant: 'stock', filesystem: 'ext4', test: 'generic/595', iteration },
            variant,
            filesDir,
            timeScale: guest.spec.accelerator.timeScale,
            signal: context.signal,
            runSeed: 1,
            args: [],
            progress: () => undefined,
          });
          if (reading?.outcome !== 'pass')
            throw new Error(`generic/595: ${incident.reason ?? reading?.summary}`);
          return performance.now() - began;
        };
        // The first one makes TEST_DEV and leaves the local.config that the run by hand uses as well.
        await through(0);
        const ours: number[] = [];
        const byHand: number[] = [];
        for (let round = 1; round <= ROUNDS; round++) {
          const began = performance.now();
          const result = await guest.exec(checkArgv('generic/595'), {
            limitMs: 600_000 * guest.spec.accelerator.timeScale,
          });
          if (result.exec?.exitCode !== 0) throw new Error(`check: ${result.reason ?? result.exec?.stdout}`);
          byHand.push(performance.now() - began);
          ours.push(await through(round));
        }
        const ratio = median(ours) / median(byHand);
        return {
          rows: [
            ['through enokey', `${(median(ours) / 1000).toFixed(1)} s`],
            ['check by hand', `${(median(byHand) / 1000).toFixed(1)} s`],
          ],
          ratio,
          ok: ratio <= 1.2,
        };
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
};
