// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import type { Variant } from '../../src/config/types.js';
import type { Incident } from '../../src/guest/types.js';
import type { FstestsBuild } from '../../src/fstests/build.js';
import { FstestsDriver } from '../../src/fstests/driver.js';
import type { CellContext, CellReading } from '../../src/run/driver.js';
import { LocalGuest, type LocalGuestOptions } from './local-guest.js';

export const TREES = path.resolve(import.meta.dirname, '../fixtures/fstests/trees');

/** A tree below TREES as if it had been built and packed into `disk`. */
export function treeBuild(name: string, disk = '/nowhere'): FstestsBuild {
  return {
    commit: '0'.repeat(40),
    name,
    disk,
    tree: path.join(TREES, name),
    misfits: [],
    overridden: new Map(),
    overrides: 'none',
    key: '0',
  };
}

/** The first cell of a test, on a variant that promises nothing. */
export function cellContext(test: string, filesDir: string, filesystem = 'ext4'): CellContext {
  return {
    cell: { variant: 'stock', filesystem, test, iteration: 0 },
    variant: { name: 'stock', mountOptions: {}, kernelArgs: [], contract: {} } as unknown as Variant,
    filesDir,
    timeScale: 1,
    signal: new AbortController().signal,
    runSeed: 1,
    args: [],
    progress: () => undefined,
  };
}

export interface LyingRun extends CellReading {
  readonly guest: LocalGuest;
  readonly filesDir: string;
}

/** Runs generic/595 once with the `check` of a tree below test/fixtures/fstests/trees. */
export async function runTree(
  dir: string,
  tree: string,
  options: {
    incident?: Partial<Incident>;
    leaked?: LocalGuestOptions['leaked'];
    test?: string;
    limitSeconds?: number;
  } = {},
): Promise<LyingRun> {
  const filesDir = path.join(dir, 'cell');
  mkdirSync(filesDir, { recursive: true });
  const { incident, leaked } = options;
  const guest = new LocalGuest({ dir, tree: path.join(TREES, tree), incident, leaked });
  const driver = new FstestsDriver({
    build: treeBuild(tree),
    limits: { default: options.limitSeconds ?? 100, tests: {} },
    timeFactor: 1,
    manifestFile: '/nowhere/common/overrides.yaml',
  });
  await driver.prepare(guest, 'ext4');
  const reading = await driver.run(guest, cellContext(options.test ?? 'generic/595', filesDir));
  return { ...reading, guest, filesDir };
}
