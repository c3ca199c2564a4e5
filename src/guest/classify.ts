// SPDX-License-Identifier: GPL-2.0-only
import type { Outcome } from '../core/outcome.js';
import type { Exit } from '../system/daemon.js';
import type { Report } from './console-scan.js';

/** Everything that was seen when a piece of work ended. */
export interface Evidence {
  /** The first report that ends a guest. */
  readonly fatal?: Report;
  /** QEMU has ended. */
  readonly qemuExit?: Exit;
  /** QEMU's own last words, one line. */
  readonly qemuSaid?: string;
  /** An exit status of the command was received. */
  readonly finished: boolean;
  /** The limit of the work passed. */
  readonly timedOut: boolean;
  /** No answer at all came from the guest for this many milliseconds. */
  readonly silentMs?: number;
  /** QMP's status of the machine; `no answer` when QEMU does not react. */
  readonly machine?: string;
  /** A new SSH session could be made after the old one was lost. */
  readonly reconnected?: boolean;
  /** The console grew beyond its bound. */
  readonly flooded?: boolean;
  readonly limitMs: number;
}

export interface Verdict {
  readonly outcome?: Extract<Outcome, 'oops' | 'hang' | 'lost' | 'infra'>;
  readonly reason?: string;
}

function seconds(ms: number): string {
  return `${ms < 10_000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`;
}

/**
 * How a piece of work ended, when the guest and not the work decided it. Pure. What the kernel said comes before what
 * the transport did: a panic also closes the connection and ends QEMU.
 */
export function classify(evidence: Evidence): Verdict {
  const { fatal, qemuExit } = evidence;
  if (fatal) return { outcome: 'oops', reason: fatal.title };
  if (evidence.flooded) return { outcome: 'infra', reason: 'the console log grew beyond its bound' };
  if (qemuExit) {
    const how = qemuExit.signal ? `was ended by ${qemuExit.signal}` : `exited with ${qemuExit.code}`;
    // With -no-reboot QEMU exits with 0 when the guest resets or powers off.
    const why = qemuExit.code === 0 ? ' (the guest reset or powered off)' : '';
    return {
      outcome: 'lost',
      reason: `QEMU ${how}${why}${evidence.qemuSaid ? `: ${evidence.qemuSaid}` : ''}`,
    };
  }
  if (evidence.finished) return {};
  const machine = evidence.machine && evidence.machine !== 'running' ? `; QEMU: ${evidence.machine}` : '';
  if (evidence.timedOut) {
    return {
      outcome: 'hang',
      reason: `the command did not end within ${seconds(evidence.limitMs)}${machine}`,
    };
  }
  if (evidence.silentMs !== undefined) {
    return {
      outcome: 'hang',
      reason: `the guest did not answer for ${seconds(evidence.silentMs)}${machine}`,
    };
  }
  if (evidence.reconnected) {
    return {
      outcome: 'infra',
      reason: 'the SSH session was closed without an exit status; the guest answers a new one',
    };
  }
  return { outcome: 'hang', reason: `the SSH session was closed and the guest answers no new one${machine}` };
}
