// SPDX-License-Identifier: GPL-2.0-only
import { availableParallelism } from 'node:os';
import path from 'node:path';

import { makeDirs, resolveDirs } from '../../../src/cli/paths.js';
import type { Context } from '../../../src/core/context.js';
import type { EnokeyEvent } from '../../../src/core/events.js';

export const REPOSITORY = path.resolve(import.meta.dirname, '../../..');

/** Long work in the set-up (import, build, image) says on stderr what it does. */
function tell(event: EnokeyEvent): void {
  if (event.type === 'note') process.stderr.write(`${event.text}\n`);
  else if (event.state === 'started' || event.state === 'failed')
    process.stderr.write(`${event.state}: ${event.title} ${event.detail ?? ''}\n`);
}

let shared: Context | undefined;

/** The cache and the other folders that enokey itself would use: ENOKEY_CACHE or the default. */
export function e2eContext(): Context {
  if (!shared) {
    const dirs = resolveDirs({ cwd: REPOSITORY, env: process.env, packageRoot: REPOSITORY });
    makeDirs(dirs);
    shared = { dirs, emit: tell, signal: new AbortController().signal, jobs: availableParallelism() };
  }
  return shared;
}
