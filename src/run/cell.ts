// SPDX-License-Identifier: GPL-2.0-only
import path from 'node:path';

import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { EnokeyError, InterruptedError, throwIfAborted } from '../core/errors.js';
import { isRetryable, type CellKey, type Mark, type Outcome } from '../core/outcome.js';
import type { Incident } from '../guest/types.js';
import type { Reading } from '../probe/types.js';
import type { CellContext, TestDriver } from './driver.js';
import { isDiskFull, keepConsole } from './evidence.js';
import { RunFolder } from './folder.js';
import { mergeIncidents, silencesDetectors, withFailedChore } from './incidents.js';
import { withoutOldLeaks } from './leak-check.js';
import type { Machinery } from './needs.js';
import { cellTitle } from './plan.js';
import type { GuestPool, PooledGuest } from './pool.js';
import { judged, writeVerdict } from './result.js';
import type { Stopwatch } from './timing.js';
import type { CellResult, RunPlan } from './types.js';

/** A cell that failed for reasons of the machinery is tried this often in all. */
export const MAX_TRIES = 3;

export interface CellParts {
  readonly context: Context;
  readonly machinery: Machinery;
  readonly plan: RunPlan;
  readonly folder: RunFolder;
  readonly pool: GuestPool;
  readonly variants: ReadonlyMap<string, Variant>;
  readonly drivers: readonly TestDriver[];
  readonly timeScale: number;
  readonly watch: Stopwatch;
  /** Variants whose kernel came up in this session. */
  readonly proven: Set<string>;
  /** Variants whose kernel was given up in this session without ever coming up -> why. */
  readonly dead: Map<string, string>;
  readonly progress: (detail: string) => void;
}

interface Try {
  readonly outcome: Outcome;
  /** How it ended, in one line. */
  readonly detail?: string;
  readonly reading?: Reading;
  readonly marks: readonly Mark[];
  readonly guest: string;
}

/**
 * Runs one cell to its outcome: at most `MAX_TRIES` tries when the machinery fails, each in a fresh guest; every
 * other outcome stands as it is. The verdict is on disk as `running` before the test starts.
 * @throws InterruptedError when told to stop, InfraError when the host's disk fails.
 */
export async function runCell(parts: CellParts, cell: CellKey): Promise<CellResult> {
  const { machinery, folder } = parts;
  const variant = parts.variants.get(cell.variant);
  const driver = parts.drivers.find((one) => one.owns(cell.test));
  if (!variant || !driver) throw new Error(`no ${variant ? 'driver' : 'variant'} for ${cellTitle(cell)}`);
  const startedAt = machinery.now().toISOString();
  const from = machinery.monotonic();
  const hostLoad = machinery.hostLoad();
  const earlier: NonNullable<CellResult['earlier']>[number][] = [];
  let last: Try | undefined;
  let tries = 0;
  while (tries < MAX_TRIES && !parts.dead.has(cell.variant)) {
    if (last) {
      earlier.push({ outcome: last.outcome, detail: last.detail ?? '', marks: last.marks });
      await folder.keepTry(cell, tries);
    }
    tries++;
    const filesDir = await folder.freshCellDir(cell);
    await writeVerdict(filesDir, { ...cell, state: 'running', try: tries, startedAt });
    last = await tryCell(parts, { cell, variant, driver, filesDir });
    if (!isRetryable(last.outcome)) break;
  }
  if (last?.outcome === 'boot-error' && !parts.proven.has(cell.variant)) {
    parts.dead.set(cell.variant, last.detail ?? 'does not boot');
  }
  if (!last) {
    await folder.freshCellDir(cell);
    last = {
      outcome: 'boot-error',
      detail: `not tried: an earlier cell found that the kernel does not boot: ${parts.dead.get(cell.variant)}`,
      marks: [],
      guest: '',
    };
  }
  const result = judged(
    variant.contract,
    {
      ...cell,
      outcome: last.outcome,
      reading: last.reading,
      // A report of an earlier try is no less one because a later try went without.
      marks: [...new Set([...earlier.flatMap((one) => one.marks ?? []), ...last.marks])],
      ...(earlier.length > 0 ? { earlier } : {}),
      tries,
      startedAt,
      durationMs: Math.round(machinery.monotonic() - from),
      hostLoad,
      files: RunFolder.cellPath(cell),
      guest: last.guest,
    },
    last.detail,
  );
  await writeVerdict(path.join(folder.dir, result.files), { state: 'finished', ...result });
  return result;
}

interface CellJob {
  readonly cell: CellKey;
  readonly variant: Variant;
  readonly driver: TestDriver;
  readonly filesDir: string;
}

async function tryCell(parts: CellParts, job: CellJob): Promise<Try> {
  const { context, plan, pool, watch } = parts;
  throwIfAborted(context.signal);
  const pooled = await pool.acquire(job.cell.variant);
  throwIfAborted(context.signal);
  if (!('guest' in pooled)) {
    return { outcome: pooled.outcome, detail: pooled.reason, marks: [], guest: pooled.id };
  }
  const { guest } = pooled;
  parts.proven.add(job.cell.variant);
  const said = await watch.timeInGuest('test', () =>
    untilAborted(context.signal, runInGuest(parts, job, pooled)),
  );
  let seen = mergeIncidents([...said.incidents, await watch.timeInGuest('test', () => guest.take())]);
  const spent = !guest.alive || seen.outcome !== undefined || silencesDetectors(seen.marks);
  if (spent || plan.freshGuest || isRetryable(endOf(said, seen).outcome)) {
    seen = mergeIncidents([seen, await pool.discard(job.cell.variant)]);
  }
  await keepConsole(guest.console, seen, job.filesDir);
  return { ...endOf(said, seen), marks: seen.marks, guest: pooled.id };
}

/** How a try ended. What the guest did comes before what the test said, unless it was only the machinery's fault. */
function endOf(said: Said, seen: Incident): Pick<Try, 'outcome' | 'detail' | 'reading'> {
  let { reading } = said;
  if (seen.outcome === 'infra' && reading) reading = withFailedChore(reading, seen.reason ?? seen.outcome);
  else if (seen.outcome) return { outcome: seen.outcome, detail: seen.reason, reading };
  if (!reading) return { outcome: 'infra', detail: said.failure ?? 'the test said nothing' };
  return { outcome: reading.outcome, detail: reading.summary, reading };
}

/** Does not wait for a guest that is busy: stopping it, which follows, ends the work. */
async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new InterruptedError());
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
    work.catch(() => undefined);
  }
}

/** What came of the work in a guest. */
interface Said {
  readonly reading?: Reading;
  /** Why the machinery did not get as far as a reading. */
  readonly failure?: string;
  readonly incidents: readonly Incident[];
}

async function runInGuest(parts: CellParts, job: CellJob, pooled: PooledGuest): Promise<Said> {
  const { cell, variant, driver, filesDir } = job;
  const { context, plan } = parts;
  const incidents: Incident[] = [];
  const key = `${parts.drivers.indexOf(driver)} ${cell.filesystem}`;
  const cellContext: CellContext = {
    cell,
    variant,
    filesDir,
    timeScale: parts.timeScale,
    signal: context.signal,
    runSeed: plan.seed,
    args: plan.probeArgs[cell.test] ?? [],
    progress: parts.progress,
  };
  try {
    if (!pooled.prepared.has(key)) {
      try {
        await driver.prepare(pooled.guest, cell.filesystem);
      } finally {
        incidents.push(withoutOldLeaks(await pooled.guest.take()));
      }
      pooled.prepared.add(key);
    }
    const { reading, incident } = await driver.run(pooled.guest, cellContext);
    return { reading, incidents: [...incidents, incident] };
  } catch (error) {
    if (context.signal.aborted) throw new InterruptedError();
    // A driver reports what guests do; what it throws is the machinery's. Bugs and full disks must not hide.
    if (!(error instanceof EnokeyError) || error.exitCode !== 69 || isDiskFull(error)) throw error;
    return { failure: error.message, incidents };
  }
}
