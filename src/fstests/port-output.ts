// SPDX-License-Identifier: GPL-2.0-only
import { z } from 'zod';

import { oneLine } from '../core/clean-text.js';
import type { CaseReading, Counts, Errnos, Reading } from '../probe/types.js';
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
  /** Bytes among those appended that are there, but are not what was appended: zeros, or anything else but 'X'. */
  wrong_bytes: count,
  errno: z.object({ open: z.record(z.string(), count), write: z.record(z.string(), count) }),
});

/** Exit status that goes with each kind of line; a result has three. */
const EXIT = { pass: 0, fail: 1, error: 3, notrun: 4, inconclusive: 5 } as const;

function infra(summary: string): Reading {
  return { outcome: 'infra', summary: oneLine(summary, 300), cases: {} };
}

type Data = z.infer<typeof schema>;

/** Verdicts of the race that compared the file with what was appended, from its first byte to its last. */
const COMPARED: readonly string[] = ['kept', 'lost', 'wrong'];

function errnosOf({ errno }: Data): Errnos {
  return Object.fromEntries(Object.entries(errno).filter(([, names]) => Object.keys(names).length > 0));
}

/**
 * Counts of the race. An append is lost when it does not read back as written: its byte is missing, or it is there and
 * wrong; `wrong` is that part of them. Undefined where it cannot be told: of a file that could not be read to its end,
 * and of one with more bytes than appends succeeded, since each byte of one that failed may stand in the place of one
 * that is lost.
 */
function countsOf({
  phases,
  appended,
  refused,
  failed,
  found,
  wrong_bytes: wrong,
}: Data): Counts | undefined {
  if (!COMPARED.includes(phases['multi-threaded'].verdict) || found > appended) return undefined;
  return {
    attempts: appended + refused + failed,
    acknowledged: appended,
    lost: appended - found + wrong,
    wrong,
  };
}

/** The race as a case in full. Reports tell by it what the counts mean: see report/counted.ts. */
function raceOf(data: Data, counts: Counts): CaseReading {
  const { phases, refused, failed, appended, found } = data;
  return {
    name: 'multi-threaded',
    verdict: phases['multi-threaded'].verdict,
    counts: { ...counts, refused, failed },
    errnos: errnosOf(data),
    observations: { bytes_expected: appended, bytes_found: found },
  };
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
  const { type, phases, appended, refused, found, wrong_bytes: wrong, reason, removals } = parsed.data;
  const cases = Object.fromEntries(PHASES.map((name) => [name, phases[name].verdict]));
  const kept = PHASES.every((name) => phases[name].verdict === 'kept');
  const met = appended > 0 && refused > 0;
  const expected = type === 'result' ? EXIT[!kept ? 'fail' : met ? 'pass' : 'inconclusive'] : EXIT[type];
  if (exitCode !== expected) return infra(`the port says ${type} and exits with ${exitCode ?? 'nothing'}`);
  if (type === 'error') return infra(reason || said || 'the port could not run');
  if (type === 'notrun') return { outcome: 'notrun', summary: `notrun: ${oneLine(reason)}`, cases: {} };
  const whole = found === appended && wrong === 0;
  if (phases['multi-threaded'].verdict === 'kept' && !whole)
    return infra(`the port says kept, with ${found} of ${appended} bytes in the file`);
  if (wrong > Math.max(0, found))
    return infra(`the port says ${wrong} bytes are wrong, of ${found} in the file`);
  const counts = countsOf(parsed.data);
  const counted = counts ? { counts, perCase: [raceOf(parsed.data, counts)] } : {};
  const base = { cases, ...counted, errnos: errnosOf(parsed.data) };
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
