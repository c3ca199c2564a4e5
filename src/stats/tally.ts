// SPDX-License-Identifier: GPL-2.0-only

/** Name -> count. */
export type Tally = Readonly<Record<string, number>>;

/** Adds counts by name. */
export function addTallies(tallies: readonly Tally[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const tally of tallies) {
    for (const [name, count] of Object.entries(tally)) sum[name] = (sum[name] ?? 0) + count;
  }
  return sum;
}

/** Adds counts by two names, e.g. system call and errno. */
export function addNested(
  all: readonly Readonly<Record<string, Tally>>[],
): Record<string, Record<string, number>> {
  const sum: Record<string, Record<string, number>> = {};
  for (const nested of all) {
    for (const [outer, tally] of Object.entries(nested)) sum[outer] = addTallies([sum[outer] ?? {}, tally]);
  }
  return sum;
}
