// SPDX-License-Identifier: GPL-2.0-only
import type { EnokeyEvent, StepEvent } from '../core/events.js';

/** Draws events on stderr. `close` leaves the terminal as it was found. */
export interface ProgressView {
  show(event: EnokeyEvent): void;
  close(): Promise<void>;
}

export interface Terminal {
  write(text: string): void;
  readonly isTTY: boolean;
  /** ms, monotonic. */
  now(): number;
}

const MARK = { started: '-', progress: '-', done: '✓', skipped: '·', failed: '✗' } as const;

/** Control characters would let a build log or a guest drive the user's terminal. */
export function printable(text: string): string {
  return text
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

function percent(event: StepEvent): string {
  return event.fraction === undefined
    ? ''
    : ` ${Math.floor(Math.min(1, Math.max(0, event.fraction)) * 100)}%`;
}

/**
 * Plain lines, for logs and pipes: one when a step starts, at most one each 10 s while it goes on, one at its
 * end with the time it took.
 */
export function plainView(terminal: Terminal, everyMs = 10_000): ProgressView {
  const begun = new Map<string, { at: number; told: number }>();
  return {
    show(event) {
      if (event.type === 'note') {
        terminal.write(`${event.level === 'warn' ? 'warning: ' : ''}${printable(event.text)}\n`);
        return;
      }
      const now = terminal.now();
      const seen = begun.get(event.id);
      const detail = event.detail ? `: ${printable(event.detail)}` : '';
      switch (event.state) {
        case 'started':
          begun.set(event.id, { at: now, told: now });
          terminal.write(`${MARK.started} ${printable(event.title)}${detail}\n`);
          return;
        case 'progress':
          if (!seen || now - seen.told < everyMs) return;
          seen.told = now;
          terminal.write(`  ${printable(event.title)}${percent(event)}${detail}\n`);
          return;
        default: {
          begun.delete(event.id);
          const took = seen ? ` (${((now - seen.at) / 1000).toFixed(1)} s)` : '';
          terminal.write(`${MARK[event.state]} ${printable(event.title)}${detail}${took}\n`);
        }
      }
    },
    close: () => Promise.resolve(),
  };
}

/**
 * The view for a terminal: listr2's renderer draws a growing list of steps. It is loaded when the first step
 * starts, so that quick commands do not pay for it; what arrives meanwhile is kept.
 */
export function terminalView(terminal: Terminal): ProgressView {
  let drawer: ProgressView | undefined;
  let closed = false;
  const waiting: EnokeyEvent[] = [];
  let loading = false;
  return {
    show(event) {
      if (drawer) return drawer.show(event);
      waiting.push(event);
      if (loading) return;
      loading = true;
      void import('./listr-view.js').then(({ listrView }) => {
        if (closed) return;
        drawer = listrView();
        for (const early of waiting.splice(0)) drawer.show(early);
      });
    },
    async close() {
      closed = true;
      if (drawer) return drawer.close();
      const plain = plainView(terminal);
      for (const event of waiting.splice(0))
        if (event.type === 'note' || event.state === 'failed') plain.show(event);
    },
  };
}
