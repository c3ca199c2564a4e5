// SPDX-License-Identifier: GPL-2.0-only
import { InfraError, type Failure } from '../core/errors.js';

/**
 * No usable guest came up. `boot-error`: no SSH session within the deadline, or the kernel died on the way.
 * `infra`: one came up and is not the kernel that was asked for.
 */
export class BootError extends InfraError {
  constructor(
    readonly outcome: 'boot-error' | 'infra',
    failure: Failure,
    /** Last lines of the console, control characters stripped. */
    readonly consoleTail: readonly string[] = [],
    /** Kernel reports seen on the way (panic, oops), whole text. */
    readonly reports: readonly string[] = [],
  ) {
    super(failure);
  }
}
