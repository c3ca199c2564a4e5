// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Context } from '../../src/core/context.js';
import type { EnokeyEvent } from '../../src/core/events.js';
import { tempDir } from './temp.js';

const REPOSITORY = path.resolve(import.meta.dirname, '../..');

export interface TestContext extends Context {
  /** Everything emitted so far. */
  readonly events: EnokeyEvent[];
  /** Fires `signal`. */
  abort(): void;
}

/** A context with folders of its own and the repository's shipped data. */
export function testContext(overrides: { dir?: string; shipped?: string; jobs?: number } = {}): TestContext {
  const dir = overrides.dir ?? tempDir('context');
  const events: EnokeyEvent[] = [];
  const controller = new AbortController();
  return {
    dirs: {
      cache: path.join(dir, 'cache'),
      build: path.join(dir, 'cache', 'build'),
      state: path.join(dir, 'state'),
      runtime: path.join(dir, 'rt'),
      shipped: overrides.shipped ?? REPOSITORY,
    },
    events,
    emit: (event) => events.push(event),
    signal: controller.signal,
    abort: () => controller.abort(),
    jobs: overrides.jobs ?? 2,
  };
}
