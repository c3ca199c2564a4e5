// SPDX-License-Identifier: GPL-2.0-only

/**
 * How a cell ended. `pass` and `fail` are results; `inconclusive` a test whose positive control did not happen;
 * `oops`, `hang` the kernel; `lost` QEMU died; `boot-error` no SSH session came up; `infra` the machinery
 * (wrong kernel booted, transport). Only `boot-error` and `infra` may ever be tried again.
 */
export const OUTCOMES = [
  'pass',
  'fail',
  'inconclusive',
  'notrun',
  'oops',
  'hang',
  'lost',
  'boot-error',
  'infra',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export function isRetryable(outcome: Outcome): boolean {
  return outcome === 'boot-error' || outcome === 'infra';
}

/** Reports in the console that mark a cell without ending it. */
export const MARKS = [
  'warn',
  'lockdep',
  'kasan',
  'hung-task',
  'soft-lockup',
  'btrfs',
  'fscrypt',
  'ext4',
  'f2fs',
] as const;
export type Mark = (typeof MARKS)[number];

/** Coordinates of one measurement. `variant` may carry `@N`. */
export interface CellKey {
  readonly variant: string;
  /** `ext4`, `f2fs` or `btrfs`. */
  readonly filesystem: string;
  /** `probe/NAME`, `generic/595`, `generic/595 [hard]`, `generic/595 (port)`. */
  readonly test: string;
  /** From 0. */
  readonly iteration: number;
}
