// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Context } from '../core/context.js';
import type { GuestImage } from '../image/types.js';
import type { TestDriver } from '../run/driver.js';
import { buildFstests } from './build.js';
import { FstestsDriver } from './driver.js';
import { readLimits } from './limits.js';
import { parseTestName } from './names.js';
import { ensurePortBinary } from './port-binary.js';
import { PortDriver } from './port-driver.js';
import { manifestFile, type FstestsPlan } from './selection.js';
import { resolveSource, UPSTREAM } from './source.js';

export { isFstestsName } from './names.js';
export { selectFstests, type FstestsPlan, type Selection } from './selection.js';

/** The drivers for the fstests tests and ports among `tests`; builds what they need. */
export async function fstestsDrivers(
  context: Context,
  tests: readonly string[],
  plan: FstestsPlan,
  image: () => Promise<GuestImage>,
): Promise<TestDriver[]> {
  const names = tests.flatMap((test) => parseTestName(test) ?? []);
  const limits = await readLimits(path.join(context.dirs.shipped, 'fstests-overrides', 'limits.yaml'));
  const { timeFactor } = plan;
  const drivers: TestDriver[] = [];
  if (names.some((name) => name.port)) {
    drivers.push(
      new PortDriver({
        binary: await ensurePortBinary(context),
        limits,
        timeFactor,
        shipped: context.dirs.shipped,
      }),
    );
  }
  if (names.some((name) => !name.port)) {
    const source = await resolveSource(context, plan.source ?? UPSTREAM);
    const build = await buildFstests(context, { source, imageKey: (await image()).key });
    drivers.push(new FstestsDriver({ build, limits, timeFactor, manifestFile: manifestFile(context) }));
  }
  return drivers;
}
