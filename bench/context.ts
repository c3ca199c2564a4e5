// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import { resolveDirs, makeDirs } from '../src/cli/paths.js';
import { plainView } from '../src/cli/progress.js';
import { loadSettings } from '../src/config/index.js';
import type { Settings } from '../src/config/types.js';
import type { Context } from '../src/core/context.js';

export const REPOSITORY = path.resolve(import.meta.dirname, '..');

/** The context of the user's own stores: a bench measures what is there, and builds what is missing. */
export async function benchContext(): Promise<{ context: Context; settings: Settings }> {
  const settings = await loadSettings({ cwd: REPOSITORY, packageRoot: REPOSITORY });
  const dirs = resolveDirs({ cwd: REPOSITORY, env: process.env, packageRoot: REPOSITORY });
  makeDirs(dirs);
  const view = plainView({
    isTTY: false,
    write: (text) => void process.stderr.write(text),
    now: () => performance.now(),
  });
  return {
    settings,
    context: {
      dirs,
      emit: (event) => view.show(event),
      signal: new AbortController().signal,
      jobs: 2,
    },
  };
}
