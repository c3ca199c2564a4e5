// SPDX-License-Identifier: GPL-2.0-only
import { weightedMedian } from './quantile.js';
import { addTallies } from './tally.js';

/** FS_IOC_REMOVE_ENCRYPTION_KEY as a test saw it. */
export interface Removal {
  readonly count: number;
  /** Removals during which a write was in flight. */
  readonly overlapped: number;
  /**
   * Microseconds in the ioctl. Over several cases: the median is the median of theirs weighted by their counts,
   * p99 the largest of theirs (an upper bound), max exact.
   */
  readonly latencyUs: { readonly median: number; readonly p99: number; readonly max: number };
  /** `NONE`, `FILES_BUSY`, `OTHER_USERS` -> removals. */
  readonly statusFlags: Readonly<Record<string, number>>;
}

/**
 * Adds up removals of several cases or cells: counts and flags are summed, and see Removal.latencyUs for what
 * median, p99 and max of several mean. Undefined for none.
 */
export function addRemovals(all: readonly Removal[]): Removal | undefined {
  if (all.length === 0) return undefined;
  return {
    count: all.reduce((sum, one) => sum + one.count, 0),
    overlapped: all.reduce((sum, one) => sum + one.overlapped, 0),
    latencyUs: {
      median: weightedMedian(all.map((one) => ({ value: one.latencyUs.median, weight: one.count }))) ?? 0,
      p99: Math.max(...all.map((one) => one.latencyUs.p99)),
      max: Math.max(...all.map((one) => one.latencyUs.max)),
    },
    statusFlags: addTallies(all.map((one) => one.statusFlags)),
  };
}
