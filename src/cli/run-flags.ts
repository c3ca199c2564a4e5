// SPDX-License-Identifier: GPL-2.0-only
import { availableParallelism, freemem } from 'node:os';
import { randomInt } from 'node:crypto';
import path from 'node:path';

import { Flags } from '@oclif/core';

import { parseIterations } from '../run/iterations.js';
import type { MatrixOptions, PlanHost } from '../run/request.js';

/** A comma-separated list: `--fs ext4,f2fs`. */
export function splitList(value: string | undefined): readonly string[] | undefined {
  return value?.split(',').map((name) => name.trim());
}

/** Flags of the commands that run cells. */
export const runFlags = {
  fs: Flags.string({ summary: 'File systems, comma-separated', helpValue: 'LIST' }),
  iterations: Flags.string({
    char: 'n',
    summary: 'Iterations of every test; some more or less often: 5,generic/595=20',
    helpValue: 'N[,TEST=N...]',
  }),
  seed: Flags.integer({
    summary: 'Seed of the order and of every probe; random when left out',
    helpValue: 'S',
  }),
  quick: Flags.boolean({ summary: 'Small probes: shows that everything works, measures little' }),
  profile: Flags.option({ options: ['default', 'debug'] as const, summary: 'Kernel profile' })(),
  tree: Flags.string({
    summary: 'Kernel git tree to build from instead of the imported one',
    helpValue: 'DIR',
  }),
  accel: Flags.option({
    options: ['kvm', 'tcg'] as const,
    summary: 'Accelerator instead of the one that works here',
  })(),
  'fresh-guest': Flags.boolean({ summary: 'Boot a guest for every cell' }),
  cpus: Flags.integer({ summary: 'CPUs of a guest', helpValue: 'N' }),
  memory: Flags.integer({ summary: 'Memory of a guest in MiB', helpValue: 'MIB' }),
  run: Flags.string({
    summary: 'Folder of the run (default: a new one below the state folder)',
    helpValue: 'DIR',
  }),
  'dry-run': Flags.boolean({ summary: 'Show the plan and an estimate, and do nothing' }),
};

interface RunFlagValues {
  readonly fs?: string;
  readonly iterations?: string;
  readonly seed?: number;
  readonly quick: boolean;
  readonly profile?: string;
  readonly tree?: string;
  readonly accel?: 'kvm' | 'tcg';
  readonly 'fresh-guest': boolean;
  readonly cpus?: number;
  readonly memory?: number;
}

export function matrixOptions(flags: RunFlagValues, cwd: string): MatrixOptions {
  return {
    filesystems: splitList(flags.fs),
    ...(flags.iterations === undefined ? {} : parseIterations(flags.iterations)),
    seed: flags.seed,
    profile: flags.profile,
    tree: flags.tree === undefined ? undefined : path.resolve(cwd, flags.tree),
    accelerator: flags.accel,
    effort: flags.quick ? 'quick' : undefined,
    freshGuest: flags['fresh-guest'] || undefined,
    guestCpus: flags.cpus,
    guestMemoryMiB: flags.memory,
  };
}

/** What this host contributes to a plan: half of the free memory goes to guests at most. */
export function planHost(otherTests: readonly string[] = []): PlanHost {
  return {
    now: new Date(),
    randomSeed: randomInt(2 ** 32),
    availableMiB: Math.floor(freemem() / 2 ** 20 / 2),
    cpus: availableParallelism(),
    otherTests,
  };
}
