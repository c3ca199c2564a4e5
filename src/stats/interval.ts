// SPDX-License-Identifier: GPL-2.0-only

/** An estimated proportion with its 95% confidence interval; all three in 0..1. */
export interface Proportion {
  readonly successes: number;
  readonly trials: number;
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** 97.5% point of the normal distribution. */
export const Z95 = 1.959963984540054;

function requireCounts(successes: number, trials: number): void {
  if (!Number.isFinite(trials) || trials <= 0) throw new RangeError(`a proportion of ${trials} trials`);
  if (!(successes >= 0 && successes <= trials))
    throw new RangeError(`${successes} successes in ${trials} trials`);
}

/**
 * Wilson's score interval without continuity correction (Wilson 1927; method 3 in Newcombe, "Two-sided
 * confidence intervals for the single proportion", Statistics in Medicine 17, 1998). Unlike the textbook
 * interval it has its nominal coverage at 0 of N, the most frequent figure here.
 * `trials` may be fractional: an effective sample size.
 * @throws RangeError for no trials, or successes outside 0..trials.
 */
export function wilson(successes: number, trials: number, z = Z95): Proportion {
  requireCounts(successes, trials);
  const estimate = successes / trials;
  const z2 = z * z;
  const centre = estimate + z2 / (2 * trials);
  const spread = z * Math.sqrt((estimate * (1 - estimate) + z2 / (4 * trials)) / trials);
  const scale = 1 + z2 / trials;
  return {
    successes,
    trials,
    estimate,
    // Rounding must not leave 1e-19 where the formula gives exactly 0 or 1.
    low: successes === 0 ? 0 : Math.max(0, (centre - spread) / scale),
    high: successes === trials ? 1 : Math.min(1, (centre + spread) / scale),
  };
}

/** One cluster: an iteration in which `events` of `size` units (acknowledged writes) went wrong. */
export interface Cluster {
  readonly events: number;
  readonly size: number;
}

export interface ClusteredProportion extends Proportion {
  /** How much wider the variance is than that of independent units; undefined when it cannot be estimated. */
  readonly designEffect?: number;
}

/** 97.5% points of Student's t for 1..30 degrees of freedom (any statistical table). */
const T975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
] as const;

/** 97.5% point of Student's t; beyond the table by the Cornish-Fisher expansion, error below 1e-4. */
export function t975(degrees: number): number {
  if (!Number.isInteger(degrees) || degrees < 1) throw new RangeError(`${degrees} degrees of freedom`);
  return (
    T975[degrees - 1] ??
    Z95 + (Z95 ** 3 + Z95) / (4 * degrees) + (5 * Z95 ** 5 + 16 * Z95 ** 3 + 3 * Z95) / (96 * degrees ** 2)
  );
}

/**
 * A proportion over units that come in clusters. Writes of one iteration are not independent: one removal at a
 * bad moment loses many of them at once, so N writes carry less evidence than N independent ones. The variance
 * is that of the ratio estimator between clusters; the number of units is divided by the design effect and
 * corrected for the few clusters (Korn and Graubard, "Confidence intervals for proportions with small expected
 * number of positive counts estimated from survey data", Survey Methodology 24, 1998), and Wilson's interval is
 * taken over what is left. With fewer than two clusters, or no event (or nothing but events), there is no
 * variance between clusters to estimate: plain Wilson, `designEffect` undefined.
 */
export function clusteredWilson(clusters: readonly Cluster[]): ClusteredProportion {
  const events = clusters.reduce((sum, cluster) => sum + cluster.events, 0);
  const size = clusters.reduce((sum, cluster) => sum + cluster.size, 0);
  const plain = wilson(events, size);
  const used = clusters.filter((cluster) => cluster.size > 0);
  if (used.length < 2 || events === 0 || events === size) return plain;
  const p = plain.estimate;
  const between = used.reduce((sum, cluster) => sum + (cluster.events - p * cluster.size) ** 2, 0);
  const variance = ((used.length / (used.length - 1)) * between) / size ** 2;
  const designEffect = Math.max(1, variance / ((p * (1 - p)) / size));
  const correction = (Z95 / t975(used.length - 1)) ** 2;
  const effective = designEffect > 1 ? (size / designEffect) * correction : size;
  const { low, high } = wilson(p * effective, effective);
  return { successes: events, trials: size, estimate: p, low, high, designEffect };
}
