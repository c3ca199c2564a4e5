// SPDX-License-Identifier: GPL-2.0-only
import type { Contract } from '../config/types.js';
import type { CellKey, Mark, Outcome } from '../core/outcome.js';
import type { FstestsPlan } from '../fstests/selection.js';
import type { BootTimes } from '../guest/types.js';
import type { Effort } from '../probe/catalog.js';
import type { Reading } from '../probe/types.js';
import type { LeftOut } from './left-out.js';

/** How a cell stands to its variant's contract. */
export type Standing = 'as-contracted' | 'unexpected' | 'no-contract';

/** One finished cell: one line of the journal. */
export interface CellResult extends CellKey {
  readonly outcome: Outcome;
  readonly standing: Standing;
  /** Why it is unexpected, or how it ended when the outcome is not a result. One line. */
  readonly detail?: string;
  readonly reading?: Reading;
  /** What was reported in the console, in any of its tries and until the next cell began. */
  readonly marks: readonly Mark[];
  /** How the tries before this one ended; only `boot-error` and `infra`. Runs of older versions lack the marks. */
  readonly earlier?: readonly {
    readonly outcome: Outcome;
    readonly detail: string;
    readonly marks?: readonly Mark[];
  }[];
  /** The idle guest reported something after the cell had ended: this line takes the place of its first one. */
  readonly amended?: true;
  /** 0 when the cell was given up without a try (a kernel that never booted); 1 for the first; more only after `boot-error` or `infra`. */
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

/** What a variant was when its run began, as far as its cells depend on it and its kernel does not show it. */
export interface VariantRecord {
  readonly name: string;
  /** File system -> `-o` options without the `-o`. */
  readonly mountOptions: Readonly<Record<string, string>>;
  /** Appended to the kernel command line. */
  readonly kernelArgs: readonly string[];
  /** File system -> test -> what is promised of its cells. */
  readonly contract: Contract;
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
  /** Runs of older versions lack it. */
  readonly variants?: readonly VariantRecord[];
  readonly image: {
    readonly key: string;
    /** SHA-256 of its list of packages; runs of older versions lack it. */
    readonly contents?: string;
    readonly packages: Readonly<Record<string, string>>;
  };
  readonly qemu: string;
  readonly accelerator: { readonly name: string; readonly reason: string };
  readonly host: {
    readonly cpu: string;
    readonly cpus: number;
    readonly memoryMiB: number;
    readonly kernel: string;
  };
  readonly guest: { readonly cpus: number; readonly memoryMiB: number };
  /** Key of the probe program: the same key is the same sources and compiler. */
  readonly probes?: string;
  readonly fstests?: {
    readonly commit: string;
    readonly timeFactor: number;
    /** SHA-256 of the overrides of tests; runs of older versions lack it. */
    readonly overrides?: string;
  };
  /** Key of the port of generic/595: its source and compiler. */
  readonly port?: string;
}

/** What was asked for: fixed when the run is made, so that `--resume` completes exactly this. */
export interface RunPlan {
  readonly version: 1;
  readonly id: string;
  readonly createdAt: string;
  readonly seed: number;
  /** Of each test that `testIterations` does not name. */
  readonly iterations: number;
  readonly testIterations?: Readonly<Record<string, number>>;
  readonly variants: readonly string[];
  readonly filesystems: readonly string[];
  readonly tests: readonly string[];
  readonly profile: string;
  /** The user's kernel tree, absolute; absent: the imported one. */
  readonly tree?: string;
  /** What was asked for; what it came to is in the environment. */
  readonly accelerator: 'auto' | 'kvm' | 'tcg';
  readonly guest: { readonly cpus: number; readonly memoryMiB: number };
  /** How many guests may be alive at once. One of them works, the others wait. */
  readonly liveGuests: number;
  /** A boot for every cell. */
  readonly freshGuest: boolean;
  /** How much the probes do; runs of older versions lack it. */
  readonly effort?: Effort;
  /** All arguments that a probe gets from the plan, e.g. `{ "probe/race-append": ["--acks", "100000"] }`. */
  readonly probeArgs: Readonly<Record<string, readonly string[]>>;
  /** Absent when no test of fstests is among the tests. */
  readonly fstests?: FstestsPlan;
  /** What the user's configuration took out; absent when it takes out nothing. */
  readonly leftOut?: readonly LeftOut[];
  /** What enokey.yaml gave the run that its command has no flag for; absent for nothing, and in older plans. */
  readonly fromConfig?: {
    /** Probe -> the arguments that stand there, where they change what it gets. */
    readonly probeArgs: Readonly<Record<string, readonly string[]>>;
    /** Variants that are defined there. */
    readonly variants: readonly { readonly name: string; readonly title: string }[];
  };
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

/** Where the time of one session (a start or a resume of a run) went; ms. */
export interface SessionTiming {
  readonly startedAt: string;
  readonly totalMs: number;
  /** `kernel`, `image`, `accelerator`, `probes`, `boot`, `test`, `stop`, ... Phases may overlap. */
  readonly phases: Readonly<Record<string, number>>;
  /** Booting, working in and stopping guests. */
  readonly insideGuestsMs: number;
  readonly outsideGuestsMs: number;
  readonly cells: number;
  readonly boots: number;
  /** Of every guest that came up, ms since QEMU's start. */
  readonly bootTimes: readonly (BootTimes & { readonly guest: string })[];
}
