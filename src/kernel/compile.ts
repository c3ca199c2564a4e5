// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Context } from '../core/context.js';
import { InfraError, UserError } from '../core/errors.js';
import { exists, readIfThere } from '../system/files.js';
import { OUTPUT } from '../tree/worktree.js';
import { diagnose, type Diagnosis } from './diagnosis.js';
import { builtObject } from './make.js';
import { runMake } from './run-make.js';
import type { Toolchain } from './toolchain.js';

export interface CompileOptions {
  /** Folder of the base and profile, held under the build lock: has `src`. */
  readonly folder: string;
  /** Text of the final .config. */
  readonly config: string;
  readonly localVersion: string;
  readonly tools: Toolchain;
  /** Absolute file that gets make's whole output; what it had is replaced. */
  readonly log: string;
  /** True when the source is the user's to mend: a series of patches or a tree of theirs. */
  readonly sourceIsTheUsers: boolean;
  /** For messages: `soft (debug)`. */
  readonly name: string;
  readonly progress: (detail?: string, fraction?: number) => void;
}

export interface Compiled {
  readonly vmlinux: string;
  readonly systemMap: string;
  readonly config: string;
  readonly durationMs: number;
  readonly objects: number;
}

/** Objects of a cold build with the shipped fragments, until this folder has counted its own. */
const FIRST_ESTIMATE = 2100;

/**
 * Runs make in the folder and says what it makes. A folder that an interrupted build left is gone on with; when
 * make or the linker cannot read what lies there, it is cleared and built again, once.
 * @throws UserError for the compiler's first error in source of the user, InfraError for the rest.
 */
export async function compile(context: Context, options: CompileOptions): Promise<Compiled> {
  const wasCutShort = await exists(path.join(options.folder, OUTPUT, UNFINISHED));
  const first = await attempt(context, options);
  if (first.compiled) return first.compiled;
  const { kind } = first.diagnosis;
  // A folder in which make last came to its end is not to blame for what nobody understands.
  if (kind !== 'stale' && !(kind === 'unknown' && wasCutShort)) throw failure(first.diagnosis, options);
  context.emit({
    type: 'note',
    level: 'warn',
    text: `${path.join(options.folder, OUTPUT)}: left unusable by an interrupted build (${first.diagnosis.message}); building from nothing`,
  });
  await rm(path.join(options.folder, OUTPUT), { recursive: true, force: true });
  const second = await attempt(context, options);
  if (second.compiled) return second.compiled;
  throw failure(second.diagnosis, options);
}

/** Lies in make's `O=` folder while make runs there, so that the next build knows that one was cut short. */
const UNFINISHED = '.enokey-unfinished';
/** Number of objects that the last cold build made. */
const COUNT = '.enokey-objects';

type Attempt = { compiled: Compiled; diagnosis?: undefined } | { compiled?: undefined; diagnosis: Diagnosis };

async function attempt(context: Context, options: CompileOptions): Promise<Attempt> {
  const { folder, log, config, tools, progress } = options;
  const output = path.join(folder, OUTPUT);
  const file = path.join(output, '.config');
  const vmlinux = path.join(output, 'vmlinux');
  await mkdir(output, { recursive: true });
  await mkdir(path.dirname(log), { recursive: true });
  await rm(log, { force: true });
  // An untouched .config spares make the configuration step.
  if ((await readIfThere(file)) !== config) await writeFile(file, config);
  const cold = !(await exists(vmlinux));
  const estimate = Number(await readIfThere(path.join(output, COUNT))) || FIRST_ESTIMATE;
  await writeFile(path.join(output, UNFINISHED), '');

  let objects = 0;
  const result = await runMake(context, {
    folder,
    output: OUTPUT,
    targets: ['vmlinux'],
    ccache: tools.ccache,
    localVersion: options.localVersion,
    log,
    onLine: (line) => {
      const object = builtObject(line);
      if (!object) return;
      objects++;
      progress(`${objects} objects, ${object}`, cold ? Math.min(objects / estimate, 0.99) : undefined);
    },
  });
  // A full disk takes the log as well as the objects, and leaves nothing to diagnose.
  if (result.logError) throw result.logError;
  if (result.exitCode !== 0) return { diagnosis: diagnose(await readFile(log, 'utf8'), result.source) };
  await rm(path.join(output, UNFINISHED), { force: true });
  if (cold) await writeFile(path.join(output, COUNT), String(objects));
  const systemMap = path.join(output, 'System.map');
  return { compiled: { vmlinux, systemMap, config: file, durationMs: result.durationMs, objects } };
}

function failure(diagnosis: Diagnosis, options: CompileOptions): Error {
  const { kind, message, file, line } = diagnosis;
  const { log, folder, name } = options;
  switch (kind) {
    case 'source': {
      const where = file === undefined ? `build of ${name}` : line === undefined ? file : `${file}:${line}`;
      const told = { subject: where, observed: `building ${name}: ${message}`, log };
      return options.sourceIsTheUsers
        ? new UserError({
            ...told,
            next: 'mend the patch or the tree, then build again: only what changed is rebuilt',
          })
        : new InfraError({
            ...told,
            next: 'the compiler may be too new or too old for this kernel: `enokey doctor`',
          });
    }
    case 'disk':
      return new InfraError({
        subject: folder,
        observed: `the disk is full: ${message}`,
        next: 'free space there, or point ENOKEY_CACHE at another disk; `enokey clean` removes what can be made again',
        log,
      });
    case 'memory':
      return new InfraError({
        subject: `build of ${name}`,
        observed: `out of memory: ${message}`,
        next: 'build with fewer jobs: `--jobs 1`',
        log,
      });
    default:
      return new InfraError({ subject: `build of ${name}`, observed: message, next: 'read the log', log });
  }
}
