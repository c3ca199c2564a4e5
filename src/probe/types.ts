// SPDX-License-Identifier: GPL-2.0-only
import type { Outcome } from '../core/outcome.js';
import type { Removal } from '../stats/removals.js';

/** Numbers of one test in one cell; rates are lost / acknowledged. */
export interface Counts {
  readonly attempts: number;
  readonly acknowledged: number;
  readonly lost: number;
  /** Read back, but not what was written. */
  readonly wrong: number;
}

/** System call -> errno name -> count. */
export type Errnos = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What one case of a test found. */
export interface CaseReading {
  /** `gap=fsync` */
  readonly name: string;
  /** `kept`, `lost`, `refused`, `allowed`, `unsupported`, `inconclusive`. */
  readonly verdict: string;
  readonly reason?: string;
  readonly counts: Counts & { readonly refused: number; readonly failed: number };
  readonly errnos: Errnos;
  readonly removal?: Removal;
  /** What the remover did when a lost write was acknowledged -> lost writes. */
  readonly lostByPhase?: Readonly<Record<string, number>>;
  readonly observations?: Readonly<Record<string, number | boolean | string>>;
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
  /** What was attempted and acknowledged; absent: writes. */
  readonly unit?: 'write' | 'store' | 'read' | 'open';
  readonly errnos?: Errnos;
  readonly removal?: Removal;
  /** The cases in full, where the test has them. */
  readonly perCase?: readonly CaseReading[];
}
