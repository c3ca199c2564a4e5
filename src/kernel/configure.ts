// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { InfraError } from '../core/errors.js';
import { readIfThere, writeAtomic } from '../system/files.js';
import { run } from '../system/process.js';
import { runMake } from './run-make.js';
import { droppedRequests, mergeConfig, refuseDropped } from './config.js';
import { diagnose } from './diagnosis.js';
import type { Request } from './fragment.js';
import type { Toolchain } from './toolchain.js';

export interface ConfigureOptions {
  /**
   * Folder of the base and profile, held under the build lock: the tree is its `src`. Configuration targets run in
   * an `O=` folder of their own there, so that the build's .config keeps its mtime.
   */
  readonly folder: string;
  readonly requests: readonly Request[];
  readonly tools: Toolchain;
}

const SCRATCH = 'configure';

function storedConfig(context: Context, key: string): string {
  return path.join(context.dirs.cache, 'configs', `${key}.config`);
}

/** The final .config that is known by this key. */
export async function findConfig(context: Context, key: string): Promise<string | undefined> {
  const text = await readIfThere(storedConfig(context, key));
  // Written atomically; an empty one can only come from a disk that lost it.
  return text?.includes('CONFIG_') ? text : undefined;
}

/** Lets `findConfig` find it by this key from now on. */
export async function rememberConfig(context: Context, key: string, text: string): Promise<void> {
  await writeAtomic(storedConfig(context, key), text);
}

/**
 * Computes the final .config: tinyconfig, the requests in its place, olddefconfig, and a check that nothing
 * asked for was dropped.
 * @throws UserError for a dropped or misspelt symbol, naming the fragment's line.
 */
export async function configure(context: Context, options: ConfigureOptions): Promise<string> {
  const { folder, requests } = options;
  const scratch = path.join(folder, SCRATCH);
  const file = path.join(scratch, '.config');
  await mkdir(scratch, { recursive: true });
  try {
    await makeConfig(context, 'tinyconfig', options);
  } catch (error) {
    // Leftovers of a build of Kconfig's own tools that was killed: once more from nothing.
    if (!(error instanceof InfraError)) throw error;
    await rm(scratch, { recursive: true, force: true });
    await mkdir(scratch, { recursive: true });
    await makeConfig(context, 'tinyconfig', options);
  }
  await writeFile(file, mergeConfig(await readFile(file, 'utf8'), requests));
  await makeConfig(context, 'olddefconfig', options);
  const text = await readFile(file, 'utf8');
  const dropped = droppedRequests(text, requests);
  if (dropped.length > 0) {
    const defined = await definedSymbols(
      path.join(folder, 'src'),
      dropped.map(({ request }) => request.symbol),
      context.signal,
    );
    refuseDropped(dropped, (symbol) => defined.has(symbol));
  }
  return text;
}

async function makeConfig(context: Context, target: string, options: ConfigureOptions): Promise<void> {
  const result = await runMake(context, {
    folder: options.folder,
    output: SCRATCH,
    targets: [target],
    ccache: options.tools.ccache,
    localVersion: '',
  });
  if (result.exitCode === 0) return;
  const { message, file, line } = diagnose(`${result.stdout}\n${result.stderr}`, result.source);
  throw new InfraError({
    subject: file ? `${file}${line === undefined ? '' : `:${line}`}` : `make ${target}`,
    observed: message,
    next: '`enokey doctor` says whether a tool is missing',
  });
}

/** Which of the symbols (`CONFIG_X`) some Kconfig file below `source` defines. */
async function definedSymbols(
  source: string,
  symbols: readonly string[],
  signal: AbortSignal,
): Promise<Set<string>> {
  const names = symbols.map((symbol) => symbol.slice('CONFIG_'.length)).join('|');
  const result = await run(
    'grep',
    ['-rhoE', '--include=Kconfig*', `^(menu)?config[[:space:]]+(${names})[[:space:]]*$`, source],
    { signal, env: { LC_ALL: 'C' } },
  );
  return new Set(
    result.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => `CONFIG_${line.trim().split(/\s+/)[1] ?? ''}`),
  );
}
