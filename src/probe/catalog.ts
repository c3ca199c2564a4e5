// SPDX-License-Identifier: GPL-2.0-only
import { UserError } from '../core/errors.js';

/** How much of a test: `quick` shows that everything works, `normal` is what a result needs. */
export type Effort = 'quick' | 'normal';

/** One probe of vm/probe, as data. Its manual is vm/probe/README.md. */
export interface ProbeDefinition {
  readonly name: string;
  /** One line, for help and headers. */
  readonly question: string;
  /** Every case name that the probe may report. */
  readonly cases: readonly string[];
  /** Without arguments that choose cases, exactly these are reported. */
  readonly defaultCases: readonly string[];
  /** What an attempt is. Of writes and stores no more can be lost than were acknowledged. */
  readonly unit: 'write' | 'store' | 'read' | 'open';
  /** Arguments that say how much; a user's bound takes their place. */
  readonly args: Readonly<Record<Effort, readonly string[]>>;
  /** Further arguments, whatever the effort. */
  readonly always?: readonly string[];
  /** Longest time that the probe may take at time scale 1, ms. */
  readonly limitMs: number;
  /** Usual time at time scale 10 (TCG) and normal effort, ms; for estimates only. */
  readonly usualMs: number;
}

const CYCLES = { quick: ['--cycles', '1'], normal: ['--cycles', '5'] } as const;

/**
 * The races end after a number of acknowledged writes, so that every variant is asked the same number of
 * times: five iterations at normal effort ask half a million times.
 */
const RACE = { quick: ['--acks', '20000'], normal: ['--acks', '100000'] } as const;

const PATHS = [
  'prealloc',
  'zero-range',
  'punch-hole',
  'truncate',
  'o-trunc',
  'clone',
  'copy-range',
  'write-part',
  'map-hole',
] as const;

const PROBES: readonly ProbeDefinition[] = [
  {
    name: 'open-fd',
    question: 'hold a descriptor across the removal, write through it, read back',
    cases: ['gap=none', 'gap=fsync', 'gap=sync', 'gap=syncfs', 'gap=before'],
    defaultCases: ['gap=none', 'gap=fsync', 'gap=sync'],
    unit: 'write',
    args: CYCLES,
    // `before` asks whether what was dirty when the key went away is written, `syncfs` whether what is written later
    // is: with `parked`, they tell variants apart without timing.
    always: ['--gap', 'none,fsync,sync,syncfs,before'],
    limitMs: 30_000,
    usualMs: 3000,
  },
  {
    name: 'race-append',
    question: 'open, append and close while the key goes and comes',
    cases: ['race'],
    defaultCases: ['race'],
    unit: 'write',
    args: RACE,
    limitMs: 60_000,
    usualMs: 15_000,
  },
  {
    name: 'race-held',
    question: 'append through descriptors that stay open while the key goes and comes',
    cases: ['race'],
    defaultCases: ['race'],
    unit: 'write',
    args: RACE,
    limitMs: 60_000,
    usualMs: 15_000,
  },
  {
    name: 'parked',
    question: 'a writer stopped inside write(2) across the removal',
    cases: ['write'],
    defaultCases: ['write'],
    unit: 'write',
    args: CYCLES,
    limitMs: 30_000,
    usualMs: 3000,
  },
  {
    name: 'mmap',
    question: 'stores through a shared mapping before and after the removal',
    cases: ['dirty-before', 'store-after'],
    defaultCases: ['dirty-before', 'store-after'],
    unit: 'store',
    args: CYCLES,
    limitMs: 30_000,
    usualMs: 3000,
  },
  {
    name: 'direct',
    question: 'O_DIRECT writes before and after the removal',
    cases: ['write-before', 'write-after'],
    defaultCases: ['write-before', 'write-after'],
    unit: 'write',
    args: CYCLES,
    limitMs: 30_000,
    usualMs: 3000,
  },
  {
    name: 'paths',
    question: 'every other way to change a file, after the removal',
    cases: PATHS,
    defaultCases: PATHS,
    unit: 'write',
    args: CYCLES,
    limitMs: 45_000,
    usualMs: 6000,
  },
  {
    name: 'read-after',
    question: 'what reads give after the removal',
    cases: ['cached', 'dropped', 'mapped'],
    defaultCases: ['cached', 'dropped', 'mapped'],
    unit: 'read',
    args: CYCLES,
    limitMs: 30_000,
    usualMs: 3000,
  },
  {
    name: 'new-open',
    question: 'does open(2) succeed after the removal, with and without a holder',
    cases: ['no-holder', 'fd-holder', 'map-holder'],
    defaultCases: ['no-holder', 'fd-holder', 'map-holder'],
    unit: 'open',
    args: CYCLES,
    limitMs: 30_000,
    usualMs: 3000,
  },
];

const PREFIX = 'probe/';

/** `probe/open-fd`, ... in the order of the catalog. */
export const PROBE_TESTS: readonly string[] = PROBES.map((probe) => PREFIX + probe.name);

export function isProbe(test: string): boolean {
  return test.startsWith(PREFIX);
}

/** The probe of a test `probe/NAME`. @throws UserError for another name. */
export function probeOf(test: string): ProbeDefinition {
  const found = PROBES.find((probe) => PREFIX + probe.name === test);
  if (found) return found;
  throw new UserError({
    subject: `test ${test}`,
    observed: 'unknown',
    expected: `one of ${PROBE_TESTS.join(', ')}`,
  });
}
