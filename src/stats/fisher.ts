// SPDX-License-Identifier: GPL-2.0-only

/** ln(0!) .. ln(n!) are summed once and kept: exact to rounding, and tables here have at most some million units. */
const logFactorials: number[] = [0, 0];
const TABLE_LIMIT = 200_000;

/** ln(n!). Beyond the table by Stirling's series, whose error there is below 1e-20. */
function logFactorial(n: number): number {
  if (n > TABLE_LIMIT) {
    return n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n) - 1 / (360 * n ** 3);
  }
  for (let i = logFactorials.length; i <= n; i++)
    logFactorials.push((logFactorials[i - 1] ?? 0) + Math.log(i));
  return logFactorials[n] ?? 0;
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

/**
 * Fisher's exact test, two-sided: the probability, given the margins, of a table that is at most as likely as
 * the one seen (the definition that R's fisher.test uses). The table is
 *
 *     a b     a of a + b in the first group,
 *     c d     c of c + d in the second.
 *
 * A group without units gives 1: nothing can be told.
 * @throws RangeError for a count that is no non-negative integer.
 */
export function fisherExact(a: number, b: number, c: number, d: number): number {
  for (const count of [a, b, c, d]) {
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`a count of ${count}`);
  }
  const first = a + b;
  const second = c + d;
  const events = a + c;
  const denominator = logChoose(first + second, events);
  const logProbability = (x: number): number =>
    logChoose(first, x) + logChoose(second, events - x) - denominator;
  const observed = logProbability(a);
  // Tables that are as likely as the one seen must count in spite of rounding (R uses the same 1e-7).
  const limit = observed + 1e-7;
  let p = 0;
  for (let x = Math.max(0, events - second); x <= Math.min(first, events); x++) {
    const log = logProbability(x);
    if (log <= limit) p += Math.exp(log);
  }
  return Math.min(1, p);
}
