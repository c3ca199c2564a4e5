// SPDX-License-Identifier: GPL-2.0-only

/** Longest line that is looked at; what follows is dropped. */
const MAX_LINE = 4096;

// CSI, OSC and two-character escape sequences of ECMA-48, then whatever other control characters are left.
const ESCAPES = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]/g;
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;
const SUSPECT = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;

/** A line from a guest, safe for a terminal and short enough to keep: no escape sequences, no control characters. */
export function cleanLine(line: string): string {
  const short = line.length > MAX_LINE ? line.slice(0, MAX_LINE) : line;
  // Nearly every line is clean already, and a guest may send millions.
  return (SUSPECT.test(short) ? short.replace(ESCAPES, '').replace(CONTROLS, '') : short).trimEnd();
}

/** The first `limit` characters of a cleaned text, in one line. */
export function oneLine(text: string, limit = 200): string {
  const joined = text
    .slice(0, 4 * limit)
    .split('\n')
    .map(cleanLine)
    .filter((line) => line !== '')
    .join(' ');
  return joined.length > limit ? `${joined.slice(0, limit - 3)}...` : joined;
}
