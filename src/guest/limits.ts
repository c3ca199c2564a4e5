// SPDX-License-Identifier: GPL-2.0-only
import type { Accelerator } from '../host/types.js';

/** Deadlines of supervision, in milliseconds, already scaled. */
export interface Limits {
  /** From QEMU's start to the first SSH command. */
  readonly bootMs: number;
  /** One SSH handshake. */
  readonly handshakeMs: number;
  /** No answer at all: the guest counts as frozen. */
  readonly silenceMs: number;
  /** Console text that arrives after the connection was lost is awaited until it is quiet for this long... */
  readonly quietMs: number;
  /** ...and for at most this long. */
  readonly lateMs: number;
  /** Small chores: `uname`, sysrq, opening a channel. */
  readonly choreMs: number;
}

/** A debug kernel (KASAN, lockdep) is 3 to 5 times slower again; the figures leave room for it. */
export function limitsFor(accelerator: Accelerator): Limits {
  const scale = accelerator.timeScale;
  return {
    bootMs: 20_000 + 8000 * scale,
    handshakeMs: 5000 + 1000 * scale,
    silenceMs: 7000 + 2000 * scale,
    quietMs: 500 + 40 * scale,
    lateMs: 4000 + 400 * scale,
    choreMs: 3000 + 600 * scale,
  };
}
