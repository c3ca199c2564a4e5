// SPDX-License-Identifier: GPL-2.0-only
import type { Contract, Expectation } from '../config/types.js';
import type { Mark, Outcome } from '../core/outcome.js';
import { isFstestsName } from '../fstests/names.js';
import type { Errnos, Reading } from '../probe/types.js';
import type { Standing } from './types.js';

/** Console reports that no contract allows. Those of a file system itself are shown, but belong to some contracts. */
const FORBIDDEN: readonly Mark[] = ['warn', 'lockdep', 'kasan', 'hung-task', 'soft-lockup'];

/** Outcomes that say nothing good, whatever a contract leaves open. */
const NEVER_CONTRACTED: readonly Outcome[] = ['oops', 'hang', 'lost', 'boot-error', 'infra'];

export interface Judged {
  readonly standing: Standing;
  /** Why it is unexpected. */
  readonly detail?: string;
}

/** What a contract says about a test on a file system: the entry of the file system wins over `all`. */
export function expectationFor(
  contract: Contract,
  filesystem: string,
  test: string,
): Expectation | undefined {
  return contract[filesystem]?.[test] ?? contract['all']?.[test];
}

/** Errnos that system calls of a case gave, apart from those of the key ioctls themselves. */
function errnoNames(errnos: Errnos): Set<string> {
  const calls = Object.entries(errnos).filter(
    ([call]) => !['add_key', 'remove_key', 'key_status'].includes(call),
  );
  return new Set(calls.flatMap(([, tally]) => Object.keys(tally).filter((name) => (tally[name] ?? 0) > 0)));
}

/** True when the case has this verdict, or was refused with this errno and no other (a lookup may add ENOENT). */
function meets(allowed: string, name: string, reading: Reading): boolean {
  const verdict = reading.cases[name];
  if (verdict === allowed) return true;
  if (verdict !== 'refused') return false;
  const errnos = errnoNames(reading.perCase?.find((one) => one.name === name)?.errnos ?? {});
  if (allowed !== 'ENOENT') errnos.delete('ENOENT');
  return errnos.size === 1 && errnos.has(allowed);
}

/** A test of fstests is written to pass: one that fails needs a contract that says so. Probes only measure. */
function implicit(test: string): readonly Outcome[] | undefined {
  return isFstestsName(test) ? ['pass', 'notrun', 'inconclusive'] : undefined;
}

/** Which case or observation of a test that came to a result is not as promised. */
function brokenBy(expectation: Expectation | undefined, reading: Reading | undefined): string | undefined {
  for (const [name, verdicts] of Object.entries(expectation?.cases ?? {})) {
    const verdict = reading?.cases[name];
    if (verdict === undefined) return `case ${name} was not measured, contract: ${verdicts.join(' or ')}`;
    if (!verdicts.some((one) => meets(one, name, reading as Reading)))
      return `${name} ${verdict}, contract: ${verdicts.join(' or ')}`;
  }
  for (const [name, promised] of Object.entries(expectation?.observations ?? {})) {
    const having = (reading?.perCase ?? []).filter((one) => one.observations?.[name] !== undefined);
    if (having.length === 0) return `${name} was not observed, contract: ${promised}`;
    const other = having.find((one) => one.observations?.[name] !== promised);
    if (other) return `${other.name} ${name} ${other.observations?.[name]}, contract: ${promised}`;
  }
  return undefined;
}

/**
 * Compares how a cell ended with what its variant promises. Without an entry for the test there is nothing to
 * compare, but a crash or a forbidden report is unexpected all the same. An entry that names only cases or
 * observations allows pass and fail: nothing else has any.
 */
export function judge(
  contract: Contract,
  cell: { readonly filesystem: string; readonly test: string },
  outcome: Outcome,
  reading: Reading | undefined,
  marks: readonly Mark[],
): Judged {
  const expectation = expectationFor(contract, cell.filesystem, cell.test);
  const measured = expectation?.cases ?? expectation?.observations;
  const allowed = expectation?.outcome ?? (measured ? (['pass', 'fail'] as const) : implicit(cell.test));
  if (allowed ? !allowed.includes(outcome) : NEVER_CONTRACTED.includes(outcome)) {
    return {
      standing: 'unexpected',
      detail: allowed ? `${outcome}, contract: ${allowed.join(' or ')}` : `${outcome}`,
    };
  }
  const broken = outcome === 'pass' || outcome === 'fail' ? brokenBy(expectation, reading) : undefined;
  if (broken) return { standing: 'unexpected', detail: broken };
  const forbidden = marks.filter((mark) => FORBIDDEN.includes(mark));
  if (forbidden.length > 0)
    return { standing: 'unexpected', detail: `${forbidden.join(', ')} in the console` };
  return { standing: expectation ? 'as-contracted' : 'no-contract' };
}
