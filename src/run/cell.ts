// SPDX-License-Identifier: GPL-2.0-only
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { EnokeyError, InterruptedError, throwIfAborted } from '../core/errors.js';
import { isRetryable, type CellKey, type Mark, type Outcome } from '../core/outcome.js';
import type { Reading } from '../probe/types.js';
import { diskError, temporaryBeside } from '../system/files.js';
import type { CellContext, TestDriver } from './driver.js';
import { RunFolder } from './folder.js';
import type { Machinery } from './needs.js';
import { cellTitle } from './plan.js';
import type { GuestPool, PooledGuest } from './pool.js';
import { judge } from './standing.js';
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
  readonly detail?: string;
  readonly reading?: Reading;
  readonly marks: readonly Mark[];
  readonly guest: string;
  readonly booted: boolean;
}

/**
 * Runs one cell to its outcome: at most `MAX_TRIES` tries when the machinery fails, each in a fresh guest; every
 * other outcome stands as it is. The verdict is on disk as `running` before the test starts.
 * @throws InterruptedError when told to stop, InfraError when the host's disk fails.
 */
export async function runCell(parts: CellParts, cell: CellKey): Promise<CellResult> {
  const { machinery, folder, plan } = parts;
  const variant = parts.variants.get(cell.variant);
  const driver = parts.drivers.find((one) => one.owns(cell.test));
  if (!variant || !driver) throw new Error(`no ${variant ? 'driver' : 'variant'} for ${cellTitle(cell)}`);
  const startedAt = machinery.now().toISOString();
  const from = machinery.monotonic();
  const hostLoad = machinery.hostLoad();
  const earlier: { outcome: Outcome; detail: string }[] = [];
  let last: Try | undefined;
  let tries = 0;
  while (tries < MAX_TRIES && !parts.dead.has(cell.variant)) {
    if (last) {
      earlier.push({ outcome: last.outcome, detail: last.detail ?? '' });
      await folder.keepTry(cell, tries);
    }
    tries++;
    const filesDir = await folder.freshCellDir(cell);
    await writeVerdict(filesDir, { ...cell, state: 'running', try: tries, startedAt });
    last = await tryCell(parts, { cell, variant, driver, filesDir });
    if (plan.freshGuest || !last.booted || isRetryable(last.outcome)) await parts.pool.discard(cell.variant);
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
      booted: false,
    };
  }
  const judged = judge(variant.contract, cell, last.outcome, last.reading, last.marks);
  const result: CellResult = {
    ...cell,
    outcome: last.outcome,
    standing: judged.standing,
    // What a pass or a fail says about itself is in its reading.
    detail: isResult(last.outcome) ? judged.detail : joined(judged.detail, last.detail),
    reading: last.reading,
    marks: last.marks,
    ...(earlier.length > 0 ? { earlier } : {}),
    tries,
    startedAt,
    durationMs: Math.round(machinery.monotonic() - from),
    hostLoad,
    files: RunFolder.cellPath(cell),
    guest: last.guest,
  };
  await writeVerdict(path.join(folder.dir, result.files), { state: 'finished', ...result });
  return result;
}

function joined(first: string | undefined, second: string | undefined): string | undefined {
  return first && second && !second.startsWith(first) ? `${first}: ${second}` : (second ?? first);
}

function isResult(outcome: Outcome): boolean {
  return outcome === 'pass' || outcome === 'fail';
}

/**
 * Whole or not at all, but not synced: it outlives any kill of ours, and what a crash of the host must not take is
 * in the journal.
 */
async function writeVerdict(dir: string, verdict: object): Promise<void> {
  const file = path.join(dir, 'verdict.json');
  const temporary = temporaryBeside(file);
  try {
    await writeFile(temporary, `${JSON.stringify(verdict, null, 1)}\n`);
    await rename(temporary, file);
  } catch (error) {
    throw diskError(error, dir);
  }
}

interface CellJob {
  readonly cell: CellKey;
  readonly variant: Variant;
  readonly driver: TestDriver;
  readonly filesDir: string;
}

async function tryCell(parts: CellParts, job: CellJob): Promise<Try> {
  const { context, pool, watch } = parts;
  throwIfAborted(context.signal);
  const pooled = await pool.acquire(job.cell.variant);
  throwIfAborted(context.signal);
  if (!('guest' in pooled)) {
    return { outcome: pooled.outcome, detail: pooled.reason, marks: [], guest: pooled.id, booted: false };
  }
  parts.proven.add(job.cell.variant);
  try {
    return await watch.timeInGuest('test', () =>
      untilAborted(context.signal, runInGuest(parts, job, pooled)),
    );
  } catch (error) {
    if (context.signal.aborted) throw new InterruptedError();
    // A driver reports what guests do; what it throws is the machinery's. Bugs and full disks must not hide.
    if (!(error instanceof EnokeyError) || error.exitCode !== 69) throw error;
    if ((error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOSPC') throw error;
    return { outcome: 'infra', detail: error.message, marks: [], guest: pooled.id, booted: false };
  }
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

async function runInGuest(parts: CellParts, job: CellJob, pooled: PooledGuest): Promise<Try> {
  const { cell, variant, driver, filesDir } = job;
  const { context, plan } = parts;
  const key = `${parts.drivers.indexOf(driver)} ${cell.filesystem}`;
  if (!pooled.prepared.has(key)) {
    await driver.prepare(pooled.guest, cell.filesystem);
    pooled.prepared.add(key);
  }
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
  const { reading, incident } = await driver.run(pooled.guest, cellContext);
  const outcome = incident.outcome ?? reading?.outcome ?? 'infra';
  return {
    outcome,
    detail: incident.outcome !== undefined ? incident.reason : (reading?.summary ?? 'the test said nothing'),
    reading,
    marks: incident.marks,
    guest: pooled.id,
    booted: incident.outcome === undefined && pooled.guest.alive,
  };
}
