// SPDX-License-Identifier: GPL-2.0-only
import { fisherExact } from './fisher.js';

/** Events out of trials of one group. */
export interface Group {
  readonly events: number;
  readonly trials: number;
}

export type Verdict = 'more often' | 'less often' | 'not distinguishable at this N' | 'no data';

export interface Comparison {
  /** Two-sided p of Fisher's exact test; 1 when one of the groups is empty. */
  readonly p: number;
  /** How the first group stands to the second. */
  readonly verdict: Verdict;
}

/** Below this the groups differ. One comparison at a time: who reads a table of twenty expects one by chance. */
export const ALPHA = 0.05;

/** Compares how often something happens in two groups. */
export function compareGroups(first: Group, second: Group): Comparison {
  if (first.trials === 0 || second.trials === 0) return { p: 1, verdict: 'no data' };
  const p = fisherExact(
    first.events,
    first.trials - first.events,
    second.events,
    second.trials - second.events,
  );
  if (p >= ALPHA) return { p, verdict: 'not distinguishable at this N' };
  return {
    p,
    verdict: first.events / first.trials > second.events / second.trials ? 'more often' : 'less often',
  };
}
