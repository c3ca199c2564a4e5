// SPDX-License-Identifier: GPL-2.0-only
import { fisherExact } from './fisher.js';
import { holm } from './holm.js';

/** Events out of trials of one group. */
export interface Group {
  readonly events: number;
  readonly trials: number;
}

/**
 * Why two groups are not compared: `nothing to tell` when all that was seen is the same in both, `too few to tell`
 * when groups of their sizes cannot be told apart whatever is seen.
 */
export type Untold = 'nothing to tell' | 'too few to tell' | 'no data';

export type Verdict = 'more often' | 'less often' | 'not distinguishable at this N' | Untold;

export interface Comparison {
  /** Two-sided p of Fisher's exact test; 1 when one of the groups is empty. */
  readonly p: number;
  /** How the first group stands to the second. */
  readonly verdict: Verdict;
}

/** Below this the groups differ. Who compares more than two groups corrects p before: see holm. */
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

/**
 * The smallest two-sided p that groups of these sizes can give, by Fisher's test or by ranks: both ask how few of the
 * choices of `first` out of all are as extreme, and the most extreme is one choice alone, with its mirror image when
 * the sizes are equal.
 */
export function smallestP(first: number, second: number): number {
  return fisherExact(first, 0, 0, second);
}

/** True when no outcome in groups of these sizes gives a p below ALPHA. */
export function tooFewToTell(first: number, second: number): boolean {
  return smallestP(first, second) >= ALPHA;
}

/**
 * Corrects the p of comparisons that are read together (see holm). Those that are none, being untold, keep theirs and
 * do not count: a comparison that cannot be rejected cannot be rejected falsely.
 * @see Tarone, "A modified Bonferroni method for discrete data", Biometrics 46 (1990)
 */
export function correctFamily<T extends { readonly p: number; readonly untold?: Untold }>(
  family: readonly T[],
): T[] {
  const corrected = holm(family.filter((one) => one.untold === undefined).map((one) => one.p));
  let next = 0;
  return family.map((one) => (one.untold === undefined ? { ...one, p: corrected[next++] ?? 1 } : one));
}

function untoldOf(first: Group, second: Group): Untold | undefined {
  if (first.trials === 0 || second.trials === 0) return 'no data';
  const events = first.events + second.events;
  if (events === 0 || events === first.trials + second.trials) return 'nothing to tell';
  return tooFewToTell(first.trials, second.trials) ? 'too few to tell' : undefined;
}

/** Compares pairs of groups that are read together: p is Holm-corrected over them, and verdicts follow it. */
export function compareFamily(pairs: readonly (readonly [Group, Group])[]): Comparison[] {
  const alone = pairs.map(([first, second]) => ({
    ...compareGroups(first, second),
    untold: untoldOf(first, second),
  }));
  return correctFamily(alone).map(({ p, verdict, untold }) => ({
    p,
    verdict: untold ?? (p < ALPHA ? verdict : 'not distinguishable at this N'),
  }));
}
