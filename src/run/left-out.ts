// SPDX-License-Identifier: GPL-2.0-only
import type { Exclusion } from '../config/types.js';
import type { CellKey } from '../core/outcome.js';
import { isMeant } from '../probe/test-names.js';

/** An exclusion and how many cells of a run it took out; 0 for one that matches none. */
export interface LeftOut extends Exclusion {
  readonly cells: number;
}

type Combination = Omit<CellKey, 'iteration'>;

function matches(exclusion: Exclusion, cell: Combination): boolean {
  return (
    (exclusion.variant === undefined || exclusion.variant === cell.variant) &&
    (exclusion.filesystem === undefined || exclusion.filesystem === cell.filesystem) &&
    (exclusion.test === undefined || isMeant(exclusion.test, cell.test))
  );
}

/**
 * Takes out what is excluded; a cell counts for the first exclusion that matches it.
 * @param count iterations of a test
 */
export function leaveOut<T extends Combination>(
  cells: readonly T[],
  exclusions: readonly Exclusion[],
  count: (test: string) => number,
): { readonly kept: readonly T[]; readonly leftOut: readonly LeftOut[] } {
  const taken = exclusions.map(() => 0);
  const kept = cells.filter((cell) => {
    const at = exclusions.findIndex((exclusion) => matches(exclusion, cell));
    if (at >= 0) taken[at] = (taken[at] ?? 0) + count(cell.test);
    return at < 0;
  });
  return { kept, leftOut: exclusions.map((exclusion, at) => ({ ...exclusion, cells: taken[at] ?? 0 })) };
}
