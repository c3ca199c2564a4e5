// SPDX-License-Identifier: GPL-2.0-only
import { didYouMean } from '../config/suggest.js';
import type { Exclusion, Settings, Variant } from '../config/types.js';
import { UserError } from '../core/errors.js';
import { shellWord } from '../core/shell-word.js';
import { planArguments } from '../probe/arguments.js';
import { isProbe, PROBE_TESTS, type Effort } from '../probe/catalog.js';
import { FILESYSTEM_NAMES } from '../probe/filesystems.js';
import { newRunId } from './folder.js';
import { iterationsText, requireIterations, type Iterations } from './iterations.js';
import { makePlan, type PlannedVariant } from './plan.js';
import { MAX_SEED } from './seeds.js';
import { isMeant } from '../probe/test-names.js';
import type { RunPlan } from './types.js';

const MAX_LIVE_GUESTS = 8;

/** What a user asked for; undefined is the default. */
export interface MatrixOptions extends Iterations {
  readonly variants?: readonly string[];
  readonly filesystems?: readonly string[];
  readonly tests?: readonly string[];
  readonly seed?: number;
  readonly profile?: string;
  /** Absolute. */
  readonly tree?: string;
  readonly accelerator?: RunPlan['accelerator'];
  readonly effort?: Effort;
  readonly freshGuest?: boolean;
  /** Cells to leave out. */
  readonly exclude?: readonly Exclusion[];
  readonly guestCpus?: number;
  readonly guestMemoryMiB?: number;
  /** Of the fstests tests among `tests`. */
  readonly fstests?: RunPlan['fstests'];
}

/** What the host contributes to a plan. */
export interface PlanHost {
  readonly now: Date;
  /** A seed for when none was given: 0 .. 2^32 - 1. */
  readonly randomSeed: number;
  /** Memory that guests may take together. */
  readonly availableMiB: number;
  readonly cpus: number;
  /** Tests beside the probes that can run here. */
  readonly otherTests: readonly string[];
}

function unknown(what: string, name: string, known: readonly string[]): UserError {
  return new UserError({
    subject: `${what} ${name}`,
    observed: `unknown${didYouMean(name, known)}`,
    expected: `one of ${known.join(', ')}`,
  });
}

function unique(names: readonly string[], what: string): readonly string[] {
  const wanted = [...new Set(names.map((name) => name.trim()).filter((name) => name !== ''))];
  if (wanted.length === 0) throw new UserError({ subject: what, observed: 'an empty list' });
  return wanted;
}

/** Known names as they are, `open-fd` for `probe/open-fd`, `probes` for all of them. @throws UserError */
export function selectTests(names: readonly string[], otherTests: readonly string[] = []): readonly string[] {
  const known = [...PROBE_TESTS, ...otherTests];
  const selected = unique(names, 'tests').flatMap((name) => {
    const meant = known.filter((test) => isMeant(name, test));
    if (meant.length > 0) return meant;
    throw unknown(
      'test',
      name,
      [...known, ...PROBE_TESTS.map((test) => test.slice('probe/'.length)), 'probes'].filter(
        (candidate) => candidate.startsWith('probe/') || !name.startsWith('probe/'),
      ),
    );
  });
  return [...new Set(selected)];
}

/**
 * Iterations by the full names of tests: `open-fd` and `probes` as in a list of tests.
 * @param tests those of the run
 * @throws UserError for one that does not exist, or that is not in the run
 */
export function selectTestIterations(
  asked: Iterations['testIterations'],
  tests: readonly string[],
  otherTests: readonly string[] = [],
): Iterations['testIterations'] {
  if (!asked) return undefined;
  const named = Object.entries(asked).flatMap(([name, count]) =>
    selectTests([name], otherTests).map((test) => {
      if (tests.includes(test)) return [test, count] as const;
      throw new UserError({
        subject: `iterations of ${name}`,
        observed: `${test} is not in this run`,
        next: `add it to --tests, or leave ${name}= out`,
      });
    }),
  );
  return Object.fromEntries(named);
}

/** @throws UserError */
export function selectFilesystems(names: readonly string[]): readonly string[] {
  const wanted = unique(names, 'file systems');
  const wrong = wanted.find((name) => !FILESYSTEM_NAMES.includes(name));
  if (wrong !== undefined) throw unknown('file system', wrong, FILESYSTEM_NAMES);
  return wanted;
}

/** A whole number within bounds. @throws UserError */
export function requireWhole(what: string, value: number, low: number, high: number): number {
  if (Number.isSafeInteger(value) && value >= low && value <= high) return value;
  throw new UserError({
    subject: what,
    observed: String(value),
    expected: `a whole number, ${low} to ${high}`,
  });
}

/** What a plan has of enokey.yaml that no flag could say; exclusions are in `leftOut`. */
function fromConfig(
  settings: Settings,
  variants: readonly Variant[],
  probeArgs: RunPlan['probeArgs'],
  effort: Effort,
): RunPlan['fromConfig'] {
  const changed = Object.entries(probeArgs)
    .filter(([test, args]) => args.join('\0') !== planArguments(test, effort).join('\0'))
    .map(([test]) => [test, settings.probeArgs[test] ?? []] as const);
  const own = variants
    .filter((variant) => variant.definedIn === settings.file)
    .map(({ name, title }) => ({ name, title }));
  if (changed.length === 0 && own.length === 0) return undefined;
  return { probeArgs: Object.fromEntries(changed), variants: own };
}

/**
 * The plan of a new run. Pure but for resolving the variants.
 * @throws UserError for a name that does not exist or a number out of bounds.
 */
export async function planMatrix(
  settings: Settings,
  options: MatrixOptions,
  host: PlanHost,
): Promise<RunPlan> {
  const wantedTests = options.tests ?? settings.tests;
  const tests = wantedTests
    ? selectTests(wantedTests, host.otherTests)
    : [...PROBE_TESTS, ...host.otherTests];
  const wantedFilesystems = options.filesystems ?? settings.filesystems;
  const filesystems = wantedFilesystems && selectFilesystems(wantedFilesystems);
  const iterations = requireIterations('iterations', options.iterations ?? settings.iterations ?? 5);
  const testIterations = selectTestIterations(options.testIterations, tests, host.otherTests);
  const seed = requireWhole('seed', options.seed ?? host.randomSeed, 0, MAX_SEED);
  const cpus = requireWhole('guest CPUs', options.guestCpus ?? Math.min(2, host.cpus), 1, 64);
  const memoryMiB = requireWhole('guest memory (MiB)', options.guestMemoryMiB ?? 1024, 256, 1024 * 1024);
  const names = unique(options.variants ?? settings.variantNames, 'variants');
  const resolved: Variant[] = [];
  for (const name of names) resolved.push(await settings.resolve(name));
  const variants: PlannedVariant[] = resolved.map((variant) => ({
    name: variant.name,
    filesystems: filesystems ?? variant.filesystems,
  }));
  const effort = options.effort ?? 'normal';
  const probeArgs: Record<string, readonly string[]> = {};
  for (const test of tests.filter(isProbe))
    probeArgs[test] = planArguments(test, effort, settings.probeArgs[test]);
  const tree = options.tree ?? settings.tree;
  const profile = options.profile ?? settings.profile ?? 'default';
  const fitting = Math.floor(host.availableMiB / (memoryMiB + 256));
  const plan = makePlan({
    id: newRunId(host.now),
    createdAt: host.now,
    seed,
    iterations,
    testIterations,
    variants,
    exclude: options.exclude,
    tests,
    profile,
    tree,
    accelerator: options.accelerator ?? 'auto',
    guest: { cpus, memoryMiB },
    liveGuests: Math.max(1, Math.min(variants.length, fitting, MAX_LIVE_GUESTS)),
    freshGuest: options.freshGuest ?? false,
    effort,
    probeArgs,
    fstests: options.fstests,
    command: reproduceCommand({
      ...options,
      profile,
      tree,
      seed,
      iterations,
      testIterations,
      tests,
      variants: names,
      filesystems,
    }),
  });
  if (plan.cells.length === 0 && plan.leftOut) {
    throw new UserError({
      subject: 'this run',
      observed: 'all its cells are excluded',
      next: `see exclude: in ${settings.file ?? 'enokey.yaml'}`,
    });
  }
  const config = fromConfig(settings, resolved, probeArgs, effort);
  return config ? { ...plan, fromConfig: config } : plan;
}

/** The command line that repeats a run, but for `fromConfig` and exclusions, which have no flags; shell-quoted. */
export function reproduceCommand(options: MatrixOptions): string {
  const words = ['enokey', 'matrix'];
  const list = (flag: string, values: readonly string[] | undefined): void => {
    if (values) words.push(flag, shellWord(values.join(',')));
  };
  list('--variants', options.variants);
  list('--fs', options.filesystems);
  const tests = options.tests ?? [];
  const rest = tests.filter((test) => !isProbe(test));
  const allProbes = PROBE_TESTS.every((test) => tests.includes(test));
  list('--tests', allProbes ? ['probes', ...rest] : tests);
  words.push('-n', shellWord(iterationsText(options.iterations ?? 0, options.testIterations)));
  words.push('--seed', String(options.seed));
  if (options.effort === 'quick') words.push('--quick');
  if (options.profile && options.profile !== 'default') words.push('--profile', options.profile);
  if (options.tree !== undefined) words.push('--tree', shellWord(options.tree));
  if (options.accelerator && options.accelerator !== 'auto') words.push('--accel', options.accelerator);
  if (options.fstests?.asked !== undefined) words.push('--fstests', shellWord(options.fstests.asked));
  if (options.fstests && options.fstests.timeFactor !== 1) {
    words.push('--time-factor', String(options.fstests.timeFactor));
  }
  if (options.freshGuest) words.push('--fresh-guest');
  if (options.guestCpus !== undefined) words.push('--cpus', String(options.guestCpus));
  if (options.guestMemoryMiB !== undefined) words.push('--memory', String(options.guestMemoryMiB));
  return words.join(' ');
}
