// SPDX-License-Identifier: GPL-2.0-only
import { EnokeyError } from '../core/errors.js';
import { printable } from './progress.js';

/** What stderr shows: a line with subject and observation, the next step, the log; for bugs the stack. */
export function failureText(error: unknown, exit: number, bin: string): string {
  if (error instanceof EnokeyError) {
    const { next, log } = error.failure;
    const lines = [`${bin}: ${printable(error.message)}`];
    if (next) lines.push(`  next: ${printable(next)}`);
    if (log) lines.push(`  log: ${printable(log)}`);
    if (exit === 70 && error.stack) lines.push(error.stack);
    return `${lines.join('\n')}\n`;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (exit !== 70) return `${bin}: ${printable(firstLine(message))}\n  next: see --help\n`;
  const stack = error instanceof Error && error.stack ? error.stack : message;
  return `${bin}: a bug in enokey: ${printable(firstLine(message))}\n${stack}\n  next: please report it with the lines above\n`;
}

/** The same for --json. */
export function failureJson(error: unknown, exit: number): object {
  if (error instanceof EnokeyError) {
    const { subject, observed, expected, next, log } = error.failure;
    return {
      error: { kind: error.name, exit, message: error.message, subject, observed, expected, next, log },
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { error: { kind: exit === 70 ? 'Bug' : 'Usage', exit, message } };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
