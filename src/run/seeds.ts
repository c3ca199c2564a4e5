// SPDX-License-Identifier: GPL-2.0-only
import { createHash } from 'node:crypto';

import type { CellKey } from '../core/outcome.js';

/** Largest seed that a probe takes: 2^53 - 1. */
export const MAX_SEED = Number.MAX_SAFE_INTEGER;

/**
 * Seed of a cell. Cells that differ only in their variant get the same one, so that variants meet the same keys,
 * contents and pauses.
 */
export function cellSeed(runSeed: number, cell: Omit<CellKey, 'variant'>): number {
  const text = [runSeed, cell.filesystem, cell.test, cell.iteration].join('\0');
  return createHash('sha256').update(text).digest().readUIntBE(0, 6);
}

/**
 * A stream of numbers in [0, 1) that follows from `seed`: SHA-256 in counter mode. Not fast, but the same in
 * every version of node, which the order of a plan depends on.
 */
export function randomStream(seed: number, purpose: string): () => number {
  let counter = 0;
  return () => {
    const digest = createHash('sha256').update(`${seed}\0${purpose}\0${counter++}`).digest();
    return digest.readUIntBE(0, 6) / 2 ** 48;
  };
}

/** Fisher-Yates on a copy. */
export function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [shuffled[i] as T, shuffled[j] as T];
    shuffled[i] = b;
    shuffled[j] = a;
  }
  return shuffled;
}
