// SPDX-License-Identifier: GPL-2.0-only
import type { Outcome } from '../core/outcome.js';

/** Numbers of one test in one cell; rates are lost / acknowledged. */
export interface Counts {
  readonly attempts: number;
  readonly acknowledged: number;
  readonly lost: number;
  /** Read back, but not what was written. */
  readonly wrong: number;
}

/** What a finished test says about itself, before anything is compared with a contract. */
export interface Reading {
  /** `fail` when an acknowledged write was lost or came back wrong; `inconclusive` without its positive control. */
  readonly outcome: Extract<Outcome, 'pass' | 'fail' | 'inconclusive' | 'notrun' | 'infra'>;
  /** One line for a table or a mail. */
  readonly summary: string;
  /** Case -> verdict: `kept`, `lost`, `refused`, `ENOKEY`, ... */
  readonly cases: Readonly<Record<string, string>>;
  readonly counts?: Counts;
  /** System call -> errno name -> count. */
  readonly errnos?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly removal?: {
    readonly count: number;
    readonly overlapped: number;
    readonly latencyUs: { readonly median: number; readonly p99: number; readonly max: number };
    readonly statusFlags: Readonly<Record<string, number>>;
  };
}
