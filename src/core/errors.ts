// SPDX-License-Identifier: GPL-2.0-only

/**
 * What every failure that reaches a user says. `exitCode` is stable (see design: exit codes):
 * 1 a result disagrees with its contract, 2 the user can mend it, 69 infrastructure, 70 a bug in enokey,
 * 130 interrupted.
 */
export interface Failure {
  /** The thing that failed, e.g. `enokey.yaml: variants.mine.series` or `patch 0003-x.patch`. */
  readonly subject: string;
  /** What was seen. */
  readonly observed: string;
  /** What would have been right, when that is not obvious. */
  readonly expected?: string;
  /** The next step for the user: one command or one sentence. */
  readonly next?: string;
  /** Path of the log with the whole story. */
  readonly log?: string;
  readonly cause?: unknown;
}

export type ExitCode = 1 | 2 | 69 | 70 | 130;

/** Base of every error that enokey raises on purpose. The message is one line. */
export abstract class EnokeyError extends Error {
  abstract readonly exitCode: ExitCode;
  readonly failure: Failure;

  constructor(failure: Failure) {
    const expected = failure.expected ? ` (expected ${failure.expected})` : '';
    super(`${failure.subject}: ${failure.observed}${expected}`, { cause: failure.cause });
    this.name = new.target.name;
    this.failure = failure;
  }
}

/** The user can mend it: bad flag, dirty tree, patch that does not apply. Exit 2. */
export class UserError extends EnokeyError {
  readonly exitCode = 2;
}

/** The world failed: QEMU, disk, network of the guest, missing tool at run time. Exit 69 (EX_UNAVAILABLE). */
export class InfraError extends EnokeyError {
  readonly exitCode = 69;
}

/** An invariant of enokey itself does not hold. Exit 70 (EX_SOFTWARE). */
export class BugError extends EnokeyError {
  readonly exitCode = 70;
}

/** The user, or a signal, asked to stop. Exit 130. */
export class InterruptedError extends EnokeyError {
  readonly exitCode = 130;

  constructor(what = 'interrupted') {
    super({ subject: 'enokey', observed: what });
  }
}

/** Throws `InterruptedError` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new InterruptedError();
}
