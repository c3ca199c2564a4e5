// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';

import { oneLine } from '../core/clean-text.js';
import type { Reading } from '../probe/types.js';
import { PHASES } from './phase.js';

const count = z.number().int().min(0);
const phase = z.object({ verdict: z.string().regex(/^[\w-]{1,20}$/), detail: z.string().max(1000) });

/** The one line of vm/port/generic-595. Unknown keys are ignored. */
const schema = z.object({
  type: z.enum(['result', 'notrun', 'error']),
  schema: z.literal(1),
  reason: z.string().max(2000),
  phases: z.object({ 'single-threaded': phase, 'multi-threaded': phase }),
  appended: count,
  refused: count,
  failed: count,
  adds: count,
  removals: count,
  remove_failed: count,
  /** Bytes of the file at the end; -1 when it could not be read from. */
  found: z.number().int().min(-1),
  /** Bytes among those appended that are there, but are not what was appended. */
  wrong_bytes: count,
  errno: z.object({ open: z.record(z.string(), count), write: z.record(z.string(), count) }),
});

/** Exit status that goes with each kind of line; a result has three. */
const EXIT = { pass: 0, fail: 1, error: 3, notrun: 4, inconclusive: 5 } as const;

function infra(summary: string): Reading {
  return { outcome: 'infra', summary: oneLine(summary, 300), cases: {} };
}

/**
 * The reading of a run of the port. As with the original, a pass needs both phases; unlike there, a race in which no
 * append was refused or none went through has shown nothing and is inconclusive.
 */
export function readPort(stdout: string, exitCode: number | undefined, stderr = ''): Reading {
  const said = oneLine(stderr.trim().split('\n').at(-1) ?? '');
  const lines = stdout.trim().split('\n').filter(Boolean);
  let data: unknown;
  try {
    data = JSON.parse(lines.at(-1) ?? '');
  } catch {
    return infra(
      `the port said nothing that can be read (exit ${exitCode ?? 'unknown'})${said ? `: ${said}` : ''}`,
    );
  }
  const parsed = schema.safeParse(data);
  if (!parsed.success || lines.length !== 1) return infra('the output of the port is not what it prints');
  const { type, phases, appended, refused, failed, found, errno, reason, removals } = parsed.data;
  const cases = Object.fromEntries(PHASES.map((name) => [name, phases[name].verdict]));
  const kept = PHASES.every((name) => phases[name].verdict === 'kept');
  const met = appended > 0 && refused > 0;
  const expected = type === 'result' ? EXIT[!kept ? 'fail' : met ? 'pass' : 'inconclusive'] : EXIT[type];
  if (exitCode !== expected) return infra(`the port says ${type} and exits with ${exitCode ?? 'nothing'}`);
  if (type === 'error') return infra(reason || said || 'the port could not run');
  if (type === 'notrun') return { outcome: 'notrun', summary: `notrun: ${oneLine(reason)}`, cases: {} };
  const whole = found === appended && parsed.data.wrong_bytes === 0;
  if (phases['multi-threaded'].verdict === 'kept' && !whole)
    return infra(`the port says kept, with ${found} of ${appended} bytes in the file`);
  // A file that nobody could read says neither what is lost nor what is not: no counts then, and no rate from them.
  const counts =
    found < 0
      ? undefined
      : {
          attempts: appended + refused + failed,
          acknowledged: appended,
          lost: Math.max(0, appended - found),
          wrong: parsed.data.wrong_bytes + Math.max(0, found - appended),
        };
  const errnos = Object.fromEntries(
    Object.entries(errno).filter(([, names]) => Object.keys(names).length > 0),
  );
  const base = { cases, counts, errnos };
  if (!kept) {
    const failures = PHASES.filter((name) => phases[name].verdict !== 'kept').map(
      (name) => `${name}: ${phases[name].verdict}${phases[name].detail ? ` (${phases[name].detail})` : ''}`,
    );
    return { outcome: 'fail', summary: oneLine(failures.join('; '), 300), ...base };
  }
  if (!met) {
    const what = appended === 0 ? 'no append went through' : 'no append met a removed key';
    return { outcome: 'inconclusive', summary: `${what} in ${removals} removals`, ...base };
  }
  return { outcome: 'pass', summary: `pass, ${appended} appends kept, ${removals} removals`, ...base };
}
