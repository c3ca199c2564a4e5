// SPDX-License-Identifier: GPL-2.0-only
import type { CellResult } from '../../src/run/types.js';
import type { Bug, Sign } from './bug.js';

/** How one test ended on one kernel. */
export interface Seen {
  /** Nothing was unexpected: the contract is kept, or the end-to-end tests passed. */
  readonly clean: boolean;
  /** The test ran and came to a result: without one, nothing is caught and nothing is a control. */
  readonly conclusive: boolean;
  /** One line for tables. */
  readonly text: string;
  readonly has: (sign: Sign) => boolean;
}

/** What a cell says. `says` looks for a text in the files that the cell left. */
export function seenInCell(cell: CellResult, says: (text: string) => boolean): Seen {
  const bad = ['boot-error', 'infra', 'notrun', 'inconclusive'];
  const marks = cell.marks.length > 0 ? ` [${cell.marks.join(', ')}]` : '';
  return {
    clean: cell.standing === 'as-contracted',
    conclusive: !bad.includes(cell.outcome),
    text: `${cell.standing === 'unexpected' ? '' : `${cell.standing}: `}${cell.detail ?? cell.outcome}${marks}`,
    has: (sign) => {
      if ('failed' in sign) return false;
      if (sign.says !== undefined && !says(sign.says)) return false;
      if ('mark' in sign) return cell.marks.includes(sign.mark);
      if ('outcome' in sign) return cell.outcome === sign.outcome;
      if ('detail' in sign) return cell.detail?.includes(sign.detail) ?? false;
      return cell.reading?.cases[sign.case] === sign.verdict;
    },
  };
}

/** One end-to-end test in Vitest's JSON report. */
export interface Assertion {
  readonly fullName: string;
  readonly status: string;
  readonly failureMessages?: readonly string[];
}

/** What end-to-end tests say: those that were not selected are skipped and do not count. */
export function seenInReport(assertions: readonly Assertion[]): Seen {
  const ran = assertions.filter(({ status }) => status === 'passed' || status === 'failed');
  // A guest that does not boot is no wrong answer: only a failed comparison is.
  const failed = ran.filter(({ status }) => status === 'failed');
  const compared = failed.filter((one) =>
    one.failureMessages?.some((said) => said.includes('AssertionError')),
  );
  const first = compared[0] ?? failed[0];
  return {
    clean: ran.length > 0 && failed.length === 0,
    conclusive: ran.length > 0 && compared.length === failed.length,
    text: first ? `failed: ${first.fullName.replace(/^.*? with \S+ /, '')}` : `${ran.length} passed`,
    has: (sign) => 'failed' in sign && compared.some((one) => one.fullName.includes(sign.failed)),
  };
}

export interface Verdict {
  readonly caught: boolean;
  /** Why not; or what was seen. */
  readonly text: string;
}

/** Whether a bug is caught: the control is clean, the test with the bug isn't, and it shows the sign. */
export function judgeBug(bug: Bug, control: Seen, seen: Seen): Verdict {
  const not = (text: string): Verdict => ({ caught: false, text });
  if (!control.conclusive) return not(`the control came to no result: ${control.text}`);
  if (!control.clean) return not(`the control failed as well: ${control.text}`);
  if (!seen.conclusive) return not(`no result: ${seen.text}`);
  if (seen.clean) return not(`passed: ${seen.text}`);
  if (!seen.has(bug.sign)) return not(`failed, but not as expected: ${seen.text}`);
  return { caught: true, text: seen.text };
}
