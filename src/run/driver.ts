// SPDX-License-Identifier: GPL-2.0-only
import type { Variant } from '../config/types.js';
import type { CellKey } from '../core/outcome.js';
import type { DiskSpec, Guest, Incident } from '../guest/types.js';
import type { Reading } from '../probe/types.js';
import type { Environment } from './types.js';

/** What a driver needs to know of the cell that it runs. */
export interface CellContext {
  readonly cell: CellKey;
  readonly variant: Variant;
  /** Absolute folder of the cell on the host; it exists and is empty. Everything that is kept goes below it. */
  readonly filesDir: string;
  /** Deadlines are multiplied by this (see Accelerator). */
  readonly timeScale: number;
  readonly signal: AbortSignal;
  /** Seed of the run; see `cellSeed` for that of the cell. */
  readonly runSeed: number;
  /** Arguments that the plan gives to this test. */
  readonly args: readonly string[];
  /** One short line: how far the test is. */
  readonly progress: (detail: string) => void;
}

/** How a cell ended, as the driver of its test reads it. */
export interface CellReading {
  /** What the test said; absent when the guest decided (`incident.outcome`) before it could say anything. */
  readonly reading?: Reading;
  /** What supervision saw meanwhile. `incident.outcome` beats `reading.outcome`, but `infra` only that of a pass. */
  readonly incident: Incident;
}

/**
 * Runs one family of tests in a guest: the probes, fstests, the port of generic/595. The runner owns guests, the
 * journal and retries; a driver owns what happens between "the guest is up" and "the cell has a reading".
 */
export interface TestDriver {
  /** True for the tests that this driver runs: `probe/...`, `generic/595`, `generic/595 [hard]`. */
  owns(test: string): boolean;
  /** Disks that a guest needs for this driver beside the usual ones. */
  readonly disks: readonly DiskSpec[];
  /** Once a boot, before the first test of this driver: mounts, files, users. @throws InfraError */
  prepare(guest: Guest, filesystem: string): Promise<void>;
  /** Never throws for what the test or the guest does. */
  run(guest: Guest, context: CellContext): Promise<CellReading>;
  /** Added to the run's environment record. */
  readonly environment?: Partial<Environment>;
}
