// SPDX-License-Identifier: GPL-2.0-only
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Contract } from '../config/types.js';
import type { Outcome } from '../core/outcome.js';
import { diskError, temporaryBeside } from '../system/files.js';
import { judge } from './standing.js';
import type { CellResult } from './types.js';

/** A result with its standing to the contract. `said`: how the cell ended, in one line. */
export function judged(
  contract: Contract,
  result: Omit<CellResult, 'standing' | 'detail'>,
  said: string | undefined,
): CellResult {
  const { standing, detail } = judge(contract, result, result.outcome, result.reading, result.marks);
  // What a pass or a fail says about itself is in its reading.
  return { ...result, standing, detail: isResult(result.outcome) ? detail : joined(detail, said) };
}

function isResult(outcome: Outcome): boolean {
  return outcome === 'pass' || outcome === 'fail';
}

function joined(first: string | undefined, second: string | undefined): string | undefined {
  return first && second && !second.startsWith(first) ? `${first}: ${second}` : (second ?? first);
}

/**
 * Writes a cell's verdict.json. Whole or not at all, but not synced: it outlives any kill of ours, and what a crash of
 * the host must not take is in the journal.
 */
export async function writeVerdict(dir: string, verdict: object): Promise<void> {
  const file = path.join(dir, 'verdict.json');
  const temporary = temporaryBeside(file);
  try {
    await writeFile(temporary, `${JSON.stringify(verdict, null, 1)}\n`);
    await rename(temporary, file);
  } catch (error) {
    throw diskError(error, dir);
  }
}
