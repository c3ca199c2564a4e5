// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Context } from '../core/context.js';
import { run, type RunResult } from '../system/process.js';
import { makeArguments, makeEnvironment } from './make.js';

export interface RunMakeOptions {
  /** Folder of a base and profile: has `src`, and the `O=` folder. */
  readonly folder: string;
  /** Name of the `O=` folder in it. */
  readonly output: string;
  readonly targets: readonly string[];
  readonly ccache: boolean;
  readonly localVersion: string;
  readonly log?: string;
  readonly onLine?: (line: string) => void;
}

/**
 * Runs make for the tree in `folder`. The result's `source` is that tree, as make's messages name it.
 * @throws UserError when make is not installed, InterruptedError.
 */
export async function runMake(
  context: Context,
  options: RunMakeOptions,
): Promise<RunResult & { readonly source: string }> {
  const { folder, targets, ccache, localVersion, log: logFile, onLine } = options;
  const source = path.join(folder, 'src');
  const output = path.join(folder, options.output);
  const args = makeArguments({ source, output, targets, jobs: context.jobs, ccache, localVersion });
  const result = await run('make', args, {
    env: makeEnvironment(),
    signal: context.signal,
    logFile,
    onLine: onLine && ((line) => onLine(line)),
  });
  return { ...result, source };
}
