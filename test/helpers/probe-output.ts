// SPDX-License-Identifier: GPL-2.0-only

/** A case as vm/probe/README.md describes it, everything fine, with what the test changes. */
export function probeCase(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: 'race',
    verdict: 'kept',
    reason: null,
    cycles: 10,
    attempts: 110,
    acknowledged: 100,
    refused: 10,
    failed: 0,
    lost: 0,
    wrong: 0,
    unacknowledged_present: 0,
    attempts_per_second: 1234.5,
    errno: { open: { ENOKEY: 10 } },
    sentinel_errno: { open: { ENOKEY: 10 } },
    verify_errno: {},
    removal: {
      count: 10,
      failed: 0,
      overlapped: 4,
      refused_seen: 10,
      status_flags: { NONE: 6, FILES_BUSY: 4, OTHER_USERS: 0 },
      latency_us: { count: 10, min: 100, median: 300, p99: 900, max: 950 },
    },
    key_status: { ABSENT: 6, PRESENT: 0, INCOMPLETELY_REMOVED: 4 },
    positive_controls: [{ name: 'refusal-seen', happened: true, detail: '10 of 10' }],
    lost_by_phase: {},
    lost_examples: [],
    observations: { files: 2 },
    ...changes,
  };
}

const SUMMED = ['attempts', 'acknowledged', 'refused', 'failed', 'lost', 'wrong'];
const GRAVITY = ['lost', 'inconclusive', 'allowed', 'refused', 'kept', 'unsupported'];

/** A result line that agrees with its cases, with what the test changes. */
export function probeResult(
  probe: string,
  seed: number,
  cases: readonly Record<string, unknown>[],
  changes: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    type: 'result',
    schema: 1,
    probe,
    seed,
    verdict: GRAVITY.find((verdict) => cases.some((one) => one['verdict'] === verdict)) ?? 'error',
    reason: null,
    phase: null,
    totals: Object.fromEntries(
      SUMMED.map((key) => [key, cases.reduce((sum, one) => sum + Number(one[key]), 0)]),
    ),
    durations_ms: { setup: 1, run: 2, verify: 3, total: 6 },
    key_identifier: '00'.repeat(16),
    cases,
    ...changes,
  };
}

export function probeStart(probe: string, seed: number): Record<string, unknown> {
  return { type: 'start', schema: 1, probe, version: '1.0.0', seed, params: {}, cpus: 2, pid: 1 };
}

export function jsonLines(...objects: readonly unknown[]): string {
  return objects.map((object) => `${JSON.stringify(object)}\n`).join('');
}
