// SPDX-License-Identifier: GPL-2.0-only
import { UserError } from '../core/errors.js';

/** One line of a fragment that asks for something. */
export interface Request {
  /** `CONFIG_BTRFS_FS` */
  readonly symbol: string;
  /** As it stands in a .config: `y`, `64`, `"text"`, `0x10`; `n` for "is not set". */
  readonly value: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

const ASSIGNMENT = /^(CONFIG_[A-Za-z0-9_]+)=(.*)$/;
const NOT_SET = /^# (CONFIG_[A-Za-z0-9_]+) is not set$/;
const VALUE = /^(?:[ymn]|-?[0-9]+|0x[0-9a-fA-F]+|"(?:[^"\\]|\\.)*")$/;

/**
 * Reads a kernel configuration fragment, in the form that the kernel's scripts/kconfig/merge_config.sh takes.
 * @throws UserError naming file and line for a line that is neither a comment nor an assignment.
 */
export function parseFragment(text: string, file: string): Request[] {
  const requests: Request[] = [];
  text.split('\n').forEach((raw, index) => {
    const content = raw.trimEnd();
    const where = `${file}:${index + 1}`;
    const unset = NOT_SET.exec(content);
    if (unset?.[1]) {
      requests.push({ symbol: unset[1], value: 'n', file, line: index + 1 });
      return;
    }
    if (content === '' || content.startsWith('#')) return;
    const assignment = ASSIGNMENT.exec(content);
    if (!assignment?.[1] || assignment[2] === undefined) {
      throw new UserError({
        subject: where,
        observed: `not a line of a kernel configuration: ${JSON.stringify(content.slice(0, 80))}`,
        expected: '`CONFIG_X=y`, `# CONFIG_X is not set`, or a comment',
      });
    }
    if (!VALUE.test(assignment[2])) {
      throw new UserError({
        subject: where,
        observed: `${assignment[1]} has the value ${JSON.stringify(assignment[2].slice(0, 80))}`,
        expected: 'y, n, m, a number, or a string in double quotes',
      });
    }
    requests.push({ symbol: assignment[1], value: assignment[2], file, line: index + 1 });
  });
  return requests;
}

/** What holds when several fragments ask for one symbol: the last. In order of first appearance. */
export function lastWins(requests: readonly Request[]): Request[] {
  const bySymbol = new Map<string, Request>();
  for (const request of requests) bySymbol.set(request.symbol, request);
  return [...bySymbol.values()];
}
