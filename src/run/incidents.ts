// SPDX-License-Identifier: GPL-2.0-only
import { cleanLine } from '../core/clean-text.js';
import type { Incident, SupervisedResult } from '../guest/types.js';

/** Incidents of several pieces of work in a row, as one. */
export function mergeIncidents(all: readonly Incident[]): Incident {
  const decided = all.find((one) => one.outcome !== undefined);
  return {
    outcome: decided?.outcome,
    reason: decided?.reason,
    marks: [...new Set(all.flatMap((one) => one.marks))],
    reports: all.flatMap((one) => one.reports),
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
