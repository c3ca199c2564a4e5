// SPDX-License-Identifier: GPL-2.0-only
import type { CellKey, Mark, Outcome } from '../core/outcome.js';
import type { Reading } from '../probe/types.js';

/** How a cell stands to its variant's contract. */
export type Standing = 'as-contracted' | 'unexpected' | 'no-contract';

/** One finished cell: one line of the journal. */
export interface CellResult extends CellKey {
  readonly outcome: Outcome;
  readonly standing: Standing;
  /** Why it is unexpected, or how it ended when the outcome is not a result. One line. */
  readonly detail?: string;
  readonly reading?: Reading;
  readonly marks: readonly Mark[];
  /** 1 for the first; more only after `boot-error` or `infra`. */
  readonly tries: number;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** 1-minute load average of the host at the start. */
  readonly hostLoad: number;
  /** Folder of the cell below the run's folder, relative. */
  readonly files: string;
  /** Which guest (boot) of the run it ran in, for "what ran before it in the same guest". */
  readonly guest: string;
}

/** Recorded once a run, before the first cell. Everything that a reader needs to repeat it. */
export interface Environment {
  readonly enokey: string;
  readonly kernels: readonly {
    readonly variant: string;
    readonly release: string;
    readonly commit: string;
    readonly treeId: string;
    readonly artifactKey: string;
    readonly configHash: string;
    readonly compiler: string;
    readonly profile: string;
  }[];
  readonly image: { readonly key: string; readonly packages: Readonly<Record<string, string>> };
  readonly qemu: string;
  readonly accelerator: { readonly name: string; readonly reason: string };
  readonly host: { readonly cpu: string; readonly cpus: number; readonly memoryMiB: number; readonly kernel: string };
  readonly guest: { readonly cpus: number; readonly memoryMiB: number };
  readonly fstests?: { readonly commit: string; readonly timeFactor: number };
}

/** What was asked for: fixed when the run is made, so that `--resume` completes exactly this. */
export interface RunPlan {
  readonly version: 1;
  readonly id: string;
  readonly createdAt: string;
  readonly seed: number;
  readonly iterations: number;
  readonly variants: readonly string[];
  readonly filesystems: readonly string[];
  readonly tests: readonly string[];
  readonly profile: string;
  /** Extra arguments for probes, e.g. `{ "probe/race-append": ["--writers", "4"] }`. */
  readonly probeArgs: Readonly<Record<string, readonly string[]>>;
  /** In the seeded order in which they run. */
  readonly cells: readonly CellKey[];
  /** The command line that repeats it. */
  readonly command: string;
}

/** A run read back from its folder: finished or partial. */
export interface RunRecord {
  readonly plan: RunPlan;
  readonly environment?: Environment;
  readonly results: readonly CellResult[];
  readonly complete: boolean;
}
