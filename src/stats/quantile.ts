// SPDX-License-Identifier: GPL-2.0-only

/**
 * The q-quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan, "Sample quantiles
 * in statistical packages", The American Statistician 50, 1996; the default of R and NumPy). Undefined for no
 * values. Does not change `values`.
 */
export function quantile(values: readonly number[], q: number): number | undefined {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile ${q}`);
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((x, y) => x - y);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] ?? 0;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number | undefined {
  return quantile(values, 0.5);
}

/** The value at which half of the weight is reached (no interpolation). Undefined without weight. */
export function weightedMedian(
  values: readonly { readonly value: number; readonly weight: number }[],
): number | undefined {
  const total = values.reduce((sum, one) => sum + one.weight, 0);
  if (total <= 0) return undefined;
  let seen = 0;
  return [...values].sort((x, y) => x.value - y.value).find((one) => (seen += one.weight) * 2 >= total)
    ?.value;
}
