// SPDX-License-Identifier: GPL-2.0-only
import type { Outcome } from '../core/outcome.js';
import type { Summary } from './summary.js';

const INFRASTRUCTURE: readonly Outcome[] = ['infra', 'boot-error', 'lost'];

export interface RunVerdict {
  /** As the process should exit: 0, 1 (a result is not as promised, or there is no result at all) or 69. */
  readonly exitCode: 0 | 1 | 69;
  /** One line. */
  readonly reason: string;
}

/**
 * How a run as a whole ended. Cells of which none passed or failed are an error, however quiet: "not run" and
 * "inconclusive" must not look like "passed". Unexpected cells of the machinery alone are 69, anything else
 * unexpected is 1.
 */
export function verdictOf(summary: Summary): RunVerdict {
  const count = (outcome: Outcome): number => summary.outcomes[outcome] ?? 0;
  if (summary.done === 0) return { exitCode: 1, reason: 'no cell has run' };
  const remark = summary.rows.flatMap((row) => row.remarks)[0];
  const why = remark ? `: ${remark}` : '';
  if (count('notrun') === summary.done) return { exitCode: 1, reason: `every cell is notrun${why}` };
  if (summary.unexpected > 0) {
    const troubled = INFRASTRUCTURE.reduce((sum, outcome) => sum + count(outcome), 0);
    const reason = `${summary.unexpected} of ${summary.done} cells are not as their contracts say`;
    return troubled >= summary.unexpected
      ? {
          exitCode: 69,
          reason: `${troubled} of ${summary.done} cells have no result for reasons of the machinery`,
        }
      : { exitCode: 1, reason };
  }
  if (count('pass') + count('fail') === 0) return { exitCode: 1, reason: `no cell came to a result${why}` };
  return { exitCode: 0, reason: 'no cell stands against its contract' };
}
