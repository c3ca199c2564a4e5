// SPDX-License-Identifier: GPL-2.0-only
import { oneLine } from '../core/clean-text.js';
import { addRemovals, type Removal } from '../stats/removals.js';
import { addNested } from '../stats/tally.js';
import type { ProbeCase, ProbeError, ProbeResult } from './schema.js';
import type { CaseReading, Reading } from './types.js';

/** What the guest wrote, safe for a terminal and at most `limit` characters. */
function clean(text: string | null, limit = 200): string {
  return oneLine(text ?? '', limit);
}

/** Errors of the first ioctls that say "this kernel or file system has no encryption", not "something broke". */
const NO_SUPPORT = new Set(['ENOTTY', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'ENODEV']);

/** What a probe that could not run says: no support is `notrun`, everything else is the machinery's. */
export function readError(error: ProbeError): Reading {
  const text = [clean(error.subject), clean(error.observed)].filter(Boolean).join(': ');
  const phase = clean(error.phase, 40);
  const supported = !(error.errno !== null && NO_SUPPORT.has(error.errno));
  return {
    outcome: supported ? 'infra' : 'notrun',
    summary: `${text || 'the probe could not run'}${phase ? ` (${phase})` : ''}`,
    cases: {},
  };
}

function removalOf(one: ProbeCase): Removal | undefined {
  const { removal } = one;
  if (removal.count === 0) return undefined;
  const { median, p99, max } = removal.latency_us;
  return {
    count: removal.count,
    overlapped: removal.overlapped,
    latencyUs: { median, p99, max },
    statusFlags: nonZero(removal.status_flags),
  };
}

function nonZero(tally: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(tally).filter(([, count]) => count > 0));
}

function caseReading(one: ProbeCase): CaseReading {
  return {
    name: one.name,
    verdict: one.verdict,
    reason: one.reason === null ? undefined : clean(one.reason),
    counts: {
      attempts: one.attempts,
      acknowledged: one.acknowledged,
      lost: one.lost,
      wrong: one.wrong,
      refused: one.refused,
      failed: one.failed,
    },
    errnos: one.errno,
    removal: removalOf(one),
    lostByPhase: Object.keys(one.lost_by_phase).length > 0 ? one.lost_by_phase : undefined,
    observations: Object.keys(one.observations).length > 0 ? one.observations : undefined,
  };
}

const WITHOUT_RESULT: Readonly<Record<string, 'inconclusive' | 'notrun'>> = {
  inconclusive: 'inconclusive',
  unsupported: 'notrun',
};

/**
 * What a believed result says. A loss is a failure whatever the controls say; without a loss, a missing control
 * is inconclusive; kept, refused and allowed are all passes (nothing that was accepted is gone), told apart by
 * their cases. Cases that the file system cannot be asked say nothing; if all are such, it is `notrun`. Only for results whose verdict is not `error`.
 */
export function readResult(result: ProbeResult, unit: Reading['unit'] = 'write'): Reading {
  const perCase = result.cases.map(caseReading);
  const { attempts, acknowledged, lost, wrong } = result.totals;
  const outcome = lost + wrong > 0 ? 'fail' : (WITHOUT_RESULT[result.verdict] ?? 'pass');
  const telling = perCase.find((one) => one.verdict === result.verdict);
  const removals = perCase.flatMap((one) => (one.removal ? [one.removal] : []));
  return {
    outcome,
    summary: outcome === 'pass' ? summaryOf(perCase) : (telling?.reason ?? result.verdict),
    cases: Object.fromEntries(perCase.map((one) => [one.name, one.verdict])),
    counts: { attempts, acknowledged, lost, wrong },
    unit,
    errnos: addNested(perCase.map((one) => one.errnos)),
    removal: addRemovals(removals),
    perCase,
  };
}

function summaryOf(cases: readonly CaseReading[]): string {
  return cases
    .map((one) =>
      one.verdict === 'unsupported'
        ? `${one.name} ${one.verdict}`
        : `${one.name} ${one.verdict} ${one.counts.acknowledged}/${one.counts.attempts}`,
    )
    .join(', ');
}

/** Why a result with verdict `error` ended: `deadline` in which phase, ... */
export function errorOf(result: ProbeResult): { readonly stuck: boolean; readonly reason: string } {
  const phase = clean(result.phase, 40);
  const reason = clean(result.reason);
  return {
    stuck: reason === 'deadline',
    reason: `the probe ended early: ${reason}${phase ? ` in phase ${phase}` : ''}`,
  };
}
