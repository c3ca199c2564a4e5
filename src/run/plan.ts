// SPDX-License-Identifier: GPL-2.0-only
import type { Exclusion } from '../config/types.js';
import type { CellKey } from '../core/outcome.js';
import { runsOn } from '../fstests/names.js';
import type { Effort } from '../probe/catalog.js';
import { iterationInRound, type Iterations } from './iterations.js';
import { leaveOut, type LeftOut } from './left-out.js';
import { randomStream, shuffle } from './seeds.js';
import type { RunPlan } from './types.js';

/** What a variant takes part in. */
export interface PlannedVariant {
  readonly name: string;
  readonly filesystems: readonly string[];
}

export interface PlanRequest {
  readonly id: string;
  readonly createdAt: Date;
  readonly seed: number;
  readonly iterations: number;
  readonly testIterations?: Iterations['testIterations'];
  readonly variants: readonly PlannedVariant[];
  readonly exclude?: readonly Exclusion[];
  readonly tests: readonly string[];
  readonly profile: string;
  readonly tree?: string;
  readonly accelerator: RunPlan['accelerator'];
  readonly guest: RunPlan['guest'];
  readonly liveGuests: number;
  readonly freshGuest: boolean;
  readonly effort: Effort;
  readonly probeArgs: RunPlan['probeArgs'];
  readonly fstests?: RunPlan['fstests'];
  readonly command: string;
}

/**
 * The order of the cells. Iterations are the outer loop, so that a run that is cut short has about as many of
 * each, or, where tests differ in how often they run, about the same share; within one, file systems and tests
 * come in a shuffled order and the variants of each follow each other at once, in a shuffled order of their own:
 * whatever drifts on the host (load, temperature, page cache) meets all variants alike. Where more variants are
 * asked for than guests may live, that would boot a guest for nearly every cell, so then a variant runs all its
 * cells of one iteration in a row.
 */
export function orderCells(
  request: Pick<
    PlanRequest,
    'seed' | 'iterations' | 'testIterations' | 'variants' | 'exclude' | 'tests' | 'liveGuests' | 'freshGuest'
  >,
): { readonly cells: CellKey[]; readonly leftOut: readonly LeftOut[] } {
  const random = randomStream(request.seed, 'order');
  const count = (test: string): number => request.testIterations?.[test] ?? request.iterations;
  const combinations = request.variants.flatMap((variant) =>
    variant.filesystems.flatMap((filesystem) =>
      request.tests
        .filter((test) => runsOn(test, filesystem))
        .map((test) => ({ variant: variant.name, filesystem, test })),
    ),
  );
  const { kept, leftOut } = leaveOut(combinations, request.exclude ?? [], count);
  const byVariant = !request.freshGuest && request.variants.length > request.liveGuests;
  const groupOf = (cell: Omit<CellKey, 'iteration'>): string =>
    byVariant ? cell.variant : `${cell.filesystem}\0${cell.test}`;
  const cells: CellKey[] = [];
  const rounds = Math.max(0, ...kept.map((cell) => count(cell.test)));
  for (let round = 0; round < rounds; round++) {
    const groups = new Map<string, CellKey[]>();
    for (const cell of kept) {
      const iteration = iterationInRound(round, rounds, count(cell.test));
      if (iteration === undefined) continue;
      groups.set(groupOf(cell), [...(groups.get(groupOf(cell)) ?? []), { ...cell, iteration }]);
    }
    for (const name of shuffle([...groups.keys()], random))
      cells.push(...shuffle(groups.get(name) ?? [], random));
  }
  return { cells, leftOut };
}

export function makePlan(request: PlanRequest): RunPlan {
  const { cells, leftOut } = orderCells(request);
  const filesystems = [...new Set(request.variants.flatMap((variant) => variant.filesystems))];
  return {
    version: 1,
    id: request.id,
    createdAt: request.createdAt.toISOString(),
    seed: request.seed,
    iterations: request.iterations,
    ...(request.testIterations ? { testIterations: request.testIterations } : {}),
    variants: request.variants.map((variant) => variant.name),
    filesystems,
    tests: request.tests,
    profile: request.profile,
    tree: request.tree,
    accelerator: request.accelerator,
    guest: request.guest,
    liveGuests: request.liveGuests,
    freshGuest: request.freshGuest,
    effort: request.effort,
    probeArgs: request.probeArgs,
    ...(request.fstests ? { fstests: request.fstests } : {}),
    ...(leftOut.length > 0 ? { leftOut } : {}),
    cells,
    command: request.command,
  };
}

/** A cell as one string, unique within a plan. */
export function cellId(cell: CellKey): string {
  return [cell.variant, cell.filesystem, cell.test, cell.iteration].join('\0');
}

/** A cell for people: `stock ext4 probe/open-fd #3` (iterations count from 1 there). */
export function cellTitle(cell: CellKey): string {
  return `${cell.variant} ${cell.filesystem} ${cell.test} #${cell.iteration + 1}`;
}
