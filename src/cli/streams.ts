// SPDX-License-Identifier: GPL-2.0-only
import type { TerminalStreams } from '../guest/terminal.js';

/** The streams of the user's terminal or pipes. */
export function userStreams(): TerminalStreams {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    term: process.env['TERM'] ?? 'dumb',
  };
}
