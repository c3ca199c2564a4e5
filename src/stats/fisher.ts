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

/** The largest whole number in [from, to) for which `holds`, which is true at `from` and, once false, stays so. */
function lastTrue(from: number, to: number, holds: (x: number) => boolean): number {
  let yes = from;
  let no = to;
  while (no - yes > 1) {
    const middle = Math.floor((yes + no) / 2);
    if (holds(middle)) yes = middle;
    else no = middle;
  }
  return yes;
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
  const low = Math.max(0, events - second);
  const high = Math.min(first, events);
  const mode = Math.min(high, Math.max(low, Math.floor(((first + 1) * (events + 1)) / (first + second + 2))));
  if (logProbability(mode) <= limit) return 1;
  // The distribution has one peak: on either side of it, what counts is all that lies beyond one point. With
  // millions of units most of that is nothing, so the sum ends where its terms no longer change it.
  let p = 0;
  const addTail = (from: number, step: 1 | -1): void => {
    let term = Math.exp(logProbability(from));
    for (let x = from; x >= low && x <= high; x += step) {
      p += term;
      if (term < p * 1e-17) return;
      // Ratio of neighbouring terms of the hypergeometric distribution.
      term *=
        step === 1
          ? ((first - x) * (events - x)) / ((x + 1) * (second - events + x + 1))
          : (x * (second - events + x)) / ((first - x + 1) * (events - x + 1));
    }
  };
  const beyond = (x: number): boolean => logProbability(x) <= limit;
  if (beyond(low)) addTail(lastTrue(low, mode, beyond), -1);
  if (beyond(high)) addTail(-lastTrue(-high, -mode, (x) => beyond(-x)), 1);
  return Math.min(1, p);
}
