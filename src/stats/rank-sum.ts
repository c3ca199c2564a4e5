// SPDX-License-Identifier: GPL-2.0-only

/** Beyond this many values the exact distribution gives way to the normal one with its correction for ties. */
const MOST_EXACT = 80;

/** Ranks from 1, equal values sharing the mean of theirs; doubled, so that they are whole numbers. */
function doubledMidranks(values: readonly number[]): number[] {
  const order = values.map((value, index) => ({ value, index })).sort((a, b) => a.value - b.value);
  const ranks = new Array<number>(values.length);
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end + 1 < order.length && order[end + 1]?.value === order[start]?.value) end++;
    for (let i = start; i <= end; i++) ranks[order[i]?.index ?? 0] = start + 1 + end + 1;
    start = end + 1;
  }
  return ranks;
}

/**
 * Probability of each sum of `size` of the ranks, when every choice is equally likely. Index is the sum.
 * Counts are kept as shares of all choices, so that they do not overflow.
 */
function sumDistribution(ranks: readonly number[], size: number): Float64Array {
  const most = ranks.reduce((sum, rank) => sum + rank, 0);
  // ways[k][s]: chance that k ranks were chosen so far with sum s, each rank being taken as in a draw without
  // replacement of `size` out of all.
  let ways = Array.from({ length: size + 1 }, () => new Float64Array(most + 1));
  (ways[0] as Float64Array)[0] = 1;
  ranks.forEach((rank, index) => {
    const left = ranks.length - index;
    const next = Array.from({ length: size + 1 }, () => new Float64Array(most + 1));
    for (let k = 0; k <= size; k++) {
      const take = (size - k) / left;
      const [from, skipped, taken] = [ways[k], next[k], next[k + 1]];
      if (!from || !skipped) continue;
      for (let s = 0; s <= most; s++) {
        const chance = from[s] ?? 0;
        if (chance === 0) continue;
        if (take < 1) skipped[s] = (skipped[s] ?? 0) + chance * (1 - take);
        if (take > 0 && taken) taken[s + rank] = (taken[s + rank] ?? 0) + chance * take;
      }
    }
    ways = next;
  });
  return ways[size] as Float64Array;
}

/** Two-sided tail of the standard normal distribution (Abramowitz and Stegun 7.1.26, error below 1.5e-7). */
function normalTail(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const poly =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return poly * Math.exp(-x * x);
}

export interface RankSum {
  /** Two-sided p; 1 when a group is empty. */
  readonly p: number;
  /**
   * 1 when the first group ranks higher than expected of equal groups, -1 when lower, else 0. This is the direction
   * that p speaks of. Means may say the opposite: one large value makes a mean, and ranks do not see how large it is.
   */
  readonly sign: number;
}

/**
 * Wilcoxon's rank-sum test (Mann-Whitney U), two-sided: p of a difference at least as large as the one seen, if
 * both groups came from one distribution. Exact, ties included, for up to 80 values together. Unlike a test on
 * pooled events it needs no independence within a group's member, here: of the writes of one iteration.
 * @see Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945)
 */
export function rankSumTest(first: readonly number[], second: readonly number[]): RankSum {
  if (first.length === 0 || second.length === 0) return { p: 1, sign: 0 };
  const ranks = doubledMidranks([...first, ...second]);
  const seen = ranks.slice(0, first.length).reduce((sum, rank) => sum + rank, 0);
  const total = ranks.length;
  const expected = first.length * (total + 1); // of doubled ranks
  const distance = Math.abs(seen - expected);
  const sign = Math.sign(seen - expected);
  if (total > MOST_EXACT) {
    const spread = ranks.reduce((sum, rank) => sum + (rank - (total + 1)) ** 2, 0);
    const variance = (first.length * second.length * spread) / (total * (total - 1));
    const tail = variance === 0 ? 1 : normalTail(Math.max(0, distance - 1) / Math.sqrt(variance));
    return { p: Math.min(1, tail), sign };
  }
  const distribution = sumDistribution(ranks, first.length);
  let p = 0;
  distribution.forEach((chance, sum) => {
    if (Math.abs(sum - expected) >= distance) p += chance;
  });
  return { p: Math.min(1, p), sign };
}
