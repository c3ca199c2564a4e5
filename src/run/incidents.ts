// SPDX-License-Identifier: GPL-2.0-only
import { cleanLine } from '../core/clean-text.js';
import type { Mark } from '../core/outcome.js';
import type { Incident, SupervisedResult } from '../guest/types.js';
import type { Reading } from '../probe/types.js';

/**
 * Reports after which a kernel says less: KASAN reports once a boot (mm/kasan/report.c), lockdep turns itself off
 * (debug_locks_off), WARN_ONCE has had its turn, and all of them taint.
 */
const SILENCING: readonly Mark[] = ['kasan', 'lockdep', 'warn'];

/** True when a guest that reported these must not serve another cell: what that one does might go unseen. */
export function silencesDetectors(marks: readonly Mark[]): boolean {
  return marks.some((mark) => SILENCING.includes(mark));
}

/**
 * Incidents of several pieces of work in a row, as one. The first that ended the guest decides, unless there is an
 * oops: it is the reason of a hang or a lost session that was noticed before it.
 */
export function mergeIncidents(all: readonly Incident[]): Incident {
  const decided = all.find((one) => one.outcome === 'oops') ?? all.find((one) => one.outcome !== undefined);
  return {
    outcome: decided?.outcome,
    reason: decided?.reason,
    marks: [...new Set(all.flatMap((one) => one.marks))],
    // A report carries its time: the same text is the same report, seen by two.
    reports: [...new Set(all.flatMap((one) => one.reports))],
    consoleFrom: all.length === 0 ? 0 : Math.min(...all.map((one) => one.consoleFrom)),
    consoleTo: all.length === 0 ? 0 : Math.max(...all.map((one) => one.consoleTo)),
  };
}

/** Why a piece of work did not end well, or undefined when it did. */
export function failureOf(what: string, result: SupervisedResult): string | undefined {
  const { exec } = result;
  if (result.outcome) return result.reason ?? result.outcome;
  if (exec?.exitCode === 0 && !exec.timedOut) return undefined;
  if (exec?.timedOut) return `${what}: no end within ${Math.round(exec.durationMs / 1000)} s`;
  if (!exec) return `${what}: did not run`;
  const how = exec.exitCode === undefined ? (exec.signal ?? 'no exit status') : `exit ${exec.exitCode}`;
  const said = cleanLine((exec.stderr || exec.stdout).trim().split('\n').at(-1) ?? '').slice(0, 200);
  return `${what}: ${how}${said ? `: ${said}` : ''}`;
}

/**
 * A test's reading when work around it failed: bringing its files back, checking its file system, looking for leaks. A
 * pass lacks its proof then and is the machinery's. Everything else stands: tried again, it could become a pass.
 */
export function withFailedChore(reading: Reading, failure: string): Reading {
  if (reading.outcome === 'pass') return { outcome: 'infra', summary: failure, cases: {} };
  return { ...reading, summary: `${reading.summary}; ${failure}` };
}
