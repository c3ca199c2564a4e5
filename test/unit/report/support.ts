// SPDX-License-Identifier: GPL-2.0-only
import type { CellResult, Environment, RunPlan, RunRecord } from '../../../src/run/types.js';

const ENVIRONMENT: Environment = {
  enokey: '0.1.0',
  kernels: ['stock', 'soft'].map((variant) => ({
    variant,
    release: `7.3.4-enokey-${variant}-0123456789ab`,
    commit: 'deadbeef'.repeat(5),
    treeId: 'abcdef12'.repeat(5),
    artifactKey: '11223344'.repeat(8),
    configHash: '55667788'.repeat(8),
    compiler: 'gcc (Debian 12.2.0-14+deb12u1) 12.2.0',
    profile: 'default',
  })),
  image: { key: '99aabbcc'.repeat(8), packages: { 'btrfs-progs': '7.3-1~bpo13+1', e2fsprogs: '1.47.2-3' } },
  qemu: 'QEMU emulator version 7.2.17 (Debian 1:7.2+dfsg-7+deb12u13)',
  accelerator: { name: 'tcg', reason: 'kvm: QEMU exited: failed to set MSR 0x10a' },
  host: {
    cpu: 'AMD EPYC 7B13 with a rather long marketing name',
    cpus: 2,
    memoryMiB: 24000,
    kernel: '6.1.0',
  },
  guest: { cpus: 2, memoryMiB: 1024 },
};

/** A cell that passed: iteration 0 of race-append on stock and ext4. */
export function cell(changes: Partial<CellResult> = {}): CellResult {
  return {
    variant: 'stock',
    filesystem: 'ext4',
    test: 'probe/race-append',
    iteration: 0,
    outcome: 'pass',
    standing: 'as-contracted',
    marks: [],
    tries: 1,
    startedAt: '2026-11-23T00:10:00.000Z',
    durationMs: 1000,
    hostLoad: 1,
    files: 'cells/stock/ext4/probe/race-append/0',
    guest: 'g1-stock',
    ...changes,
  };
}

/** A cell with counts: a failure if any write was lost. */
export function race(lost: number, acknowledged: number, changes: Partial<CellResult> = {}): CellResult {
  return cell({
    outcome: lost > 0 ? 'fail' : 'pass',
    reading: {
      outcome: lost > 0 ? 'fail' : 'pass',
      summary: '',
      cases: { race: lost > 0 ? 'lost' : 'kept' },
      counts: { attempts: acknowledged + 5, acknowledged, lost, wrong: 0 },
      errnos: { open: { ENOKEY: 5 } },
      removal: {
        count: 100,
        overlapped: 40,
        latencyUs: { median: 300, p99: 1900, max: 2500 },
        statusFlags: { NONE: 60, FILES_BUSY: 40 },
      },
    },
    ...changes,
  });
}

/** A run of exactly these cells, or with more planned than are done. */
export function runOf(
  results: readonly CellResult[],
  changes: Partial<RunPlan> = {},
  planned = results.length,
): RunRecord {
  const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];
  const cells = results.map(({ variant, filesystem, test, iteration }) => ({
    variant,
    filesystem,
    test,
    iteration,
  }));
  const first = cells[0] ?? { variant: 'stock', filesystem: 'ext4', test: 'probe/mmap', iteration: 0 };
  while (cells.length < planned) cells.push({ ...first, iteration: cells.length });
  return {
    plan: {
      version: 1,
      id: '20261123-001530-ab12',
      createdAt: '2026-11-23T00:15:30.000Z',
      seed: 1,
      iterations: 5,
      variants: unique(cells.map((one) => one.variant)),
      filesystems: unique(cells.map((one) => one.filesystem)),
      tests: unique(cells.map((one) => one.test)),
      profile: 'default',
      accelerator: 'auto',
      guest: { cpus: 2, memoryMiB: 1024 },
      liveGuests: 2,
      freshGuest: false,
      probeArgs: {},
      cells,
      command: 'enokey matrix --variants stock --fs ext4 --tests race-append -n 5 --seed 1',
      ...changes,
    },
    environment: ENVIRONMENT,
    results,
    complete: results.length === planned,
  };
}

/** Iterations of race-append with 5000 acknowledged writes each, of which so many were lost. */
export const five = (lost: readonly number[], changes: Partial<CellResult> = {}): CellResult[] =>
  lost.map((one, iteration) => race(one, 5000, { iteration, ...changes }));
