// SPDX-License-Identifier: GPL-2.0-only

/** What the port of generic/595 prints: 1000 of 1000 appends kept, but for `changes`. Phase -> verdict and detail. */
export function portLine(changes: object = {}, phases: Record<string, [string, string?]> = {}): string {
  return `${JSON.stringify({
    type: 'result',
    schema: 1,
    reason: '',
    phases: Object.fromEntries(
      ['single-threaded', 'multi-threaded'].map((name) => [
        name,
        { verdict: phases[name]?.[0] ?? 'kept', detail: phases[name]?.[1] ?? '' },
      ]),
    ),
    appended: 1000,
    refused: 50,
    failed: 0,
    adds: 20,
    removals: 20,
    remove_failed: 0,
    found: 1000,
    wrong_bytes: 0,
    errno: { open: { ENOKEY: 50 }, write: {} },
    ...changes,
  })}\n`;
}
