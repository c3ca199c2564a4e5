// SPDX-License-Identifier: GPL-2.0-only

/**
 * Corrects the p of several comparisons that are read together: rejecting where the corrected p is below alpha keeps
 * the chance of even one false rejection among all of them below alpha, however they depend on each other. The k-th
 * smallest of N is multiplied by N - k + 1, and none is smaller than one before it (R: `p.adjust(p, "holm")`).
 *
 * @param ps each in 0..1
 * @returns the corrected ones in the order of `ps`, each in 0..1
 * @throws RangeError for what is no probability
 * @see Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979)
 */
export function holm(ps: readonly number[]): number[] {
  const wrong = ps.find((p) => !(p >= 0 && p <= 1));
  if (wrong !== undefined) throw new RangeError(`a p of ${wrong}`);
  const corrected = new Array<number>(ps.length).fill(1);
  const order = ps.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  let largest = 0;
  order.forEach(({ p, index }, before) => {
    largest = Math.max(largest, Math.min(1, (ps.length - before) * p));
    corrected[index] = largest;
  });
  return corrected;
}
