// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';

import type { Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import { InterruptedError, throwIfAborted, UserError } from '../core/errors.js';
import { shellWord } from '../core/shell-word.js';
import { useCache } from '../system/cache-users.js';
import { diskError } from '../system/files.js';
import type { DiskSpec } from '../guest/types.js';
import { MAX_TRIES, runCell, type CellParts } from './cell.js';
import type { TestDriver } from './driver.js';
import type { RunFolder } from './folder.js';
import { Journal } from './journal.js';
import { amendCell } from './late.js';
import type { Machinery } from './needs.js';
import { cellId, cellTitle } from './plan.js';
import { GuestPool } from './pool.js';
import { ensureIngredients } from './ingredients.js';
import { checkSameConditions } from './resume.js';
import { Stopwatch } from './timing.js';
import type { CellResult, Environment, RunPlan, RunRecord, SessionTiming } from './types.js';

export interface MatrixRequest {
  readonly folder: RunFolder;
  /** A new run's plan; without it the folder's own is resumed. */
  readonly plan?: RunPlan;
  readonly resolveVariant: (name: string) => Promise<Variant>;
}

export interface MatrixResult {
  readonly record: RunRecord;
  readonly timing: SessionTiming;
}

/** What a user types to go on with a run. */
export function resumeCommand(folder: RunFolder): string {
  return `enokey matrix --resume --run ${shellWord(folder.dir)}`;
}

/**
 * Runs a plan to its end, or what is missing of it. The lock of the run's folder is held meanwhile, and the cache
 * shows a user.
 * @throws UserError when the folder is in use, holds another plan, or conditions differ from the run's;
 *   InterruptedError (naming how to resume) when told to stop; InfraError.
 */
export async function runMatrix(
  context: Context,
  machinery: Machinery,
  request: MatrixRequest,
): Promise<MatrixResult> {
  const { folder } = request;
  try {
    await mkdir(folder.dir, { recursive: true });
  } catch (error) {
    throw diskError(error, folder.dir);
  }
  const lock = await folder.lock();
  try {
    // Before the first look at a kernel or image: from here on `clean` and `image --again` leave them alone.
    const use = await useCache(context.dirs.cache, `runs a matrix in ${folder.dir}`);
    try {
      return await runLocked(context, machinery, request);
    } finally {
      await use.release();
    }
  } finally {
    await lock.release();
  }
}

/** The plan that is to be run, on disk. Of a new run nothing may be there yet. */
async function settlePlan(request: MatrixRequest): Promise<RunPlan> {
  const there = await request.folder.readPlan();
  if (request.plan) {
    if (there) {
      throw new UserError({
        subject: `run ${request.folder.dir}`,
        observed: 'the folder already holds a run',
        next: 'give --resume to complete it, or another folder',
      });
    }
    await request.folder.writePlan(request.plan);
    return request.plan;
  }
  if (there) return there;
  throw new UserError({
    subject: `run ${request.folder.dir}`,
    observed: 'no plan.json there',
    next: 'start a run without --resume',
  });
}

async function runLocked(
  context: Context,
  machinery: Machinery,
  request: MatrixRequest,
): Promise<MatrixResult> {
  const { folder } = request;
  const watch = new Stopwatch(() => machinery.monotonic());
  const startedAt = machinery.now();
  const plan = await settlePlan(request);
  const journal = await Journal.open(folder.journalFile);
  const results: CellResult[] = [...journal.earlier];
  const done = new Set(results.map(cellId));
  const missing = plan.cells.filter((cell) => !done.has(cellId(cell)));
  let boots = 0;
  let bootTimes: SessionTiming['bootTimes'] = [];
  let session: SessionTiming | undefined;
  try {
    if (missing.length > 0) {
      const variants = new Map<string, Variant>();
      for (const name of plan.variants) variants.set(name, await request.resolveVariant(name));
      const ingredients = await ensureIngredients(context, machinery, plan, [...variants.values()], watch);
      const earlier = await folder.readEnvironment();
      if (earlier) checkSameConditions(plan.id, earlier, ingredients.environment);
      else await folder.writeEnvironment(ingredients.environment);
      const pool = new GuestPool({
        context,
        machinery,
        plan,
        variants,
        artifacts: ingredients.artifacts,
        image: ingredients.image,
        accelerator: ingredients.accelerator,
        disks: uniqueDisks(ingredients.drivers),
        guestsDir: folder.guestsDir,
        watch,
        onLate: (late) => amendCell({ context, folder, journal, results, variants }, late),
      });
      await GuestPool.sweep(folder.guestsDir);
      try {
        await runCells(
          {
            context,
            machinery,
            plan,
            folder,
            pool,
            variants,
            drivers: ingredients.drivers,
            timeScale: ingredients.accelerator.timeScale,
            watch,
            proven: new Set(),
            dead: new Map(),
          },
          missing,
          journal,
          results,
        );
      } finally {
        ({ boots, bootTimes } = pool);
        await pool.stopAll();
      }
    }
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError(
      `interrupted with ${results.length} of ${plan.cells.length} cells done; go on with: ${resumeCommand(folder)}`,
    );
  } finally {
    await journal.close();
    session = watch.session(startedAt, results.length - done.size, boots, bootTimes);
    await folder.addTiming(session).catch(() => undefined);
  }
  const environment: Environment | undefined = await folder.readEnvironment();
  return {
    record: { plan, environment, results, complete: results.length === plan.cells.length },
    timing: session,
  };
}

function uniqueDisks(drivers: readonly TestDriver[]): DiskSpec[] {
  return [...new Map(drivers.flatMap((driver) => driver.disks).map((disk) => [disk.name, disk])).values()];
}

async function runCells(
  parts: Omit<CellParts, 'progress'>,
  missing: readonly CellResultKey[],
  journal: Journal,
  results: CellResult[],
): Promise<void> {
  const { context, plan } = parts;
  const id = 'run.cells';
  const title = `Run ${missing.length} ${missing.length === plan.cells.length ? '' : 'missing '}cells`;
  const tell = (state: 'started' | 'progress' | 'done' | 'failed', detail?: string): void =>
    context.emit({ type: 'step', id, title, state, detail, fraction: results.length / plan.cells.length });
  tell('started');
  try {
    for (const cell of missing) {
      throwIfAborted(context.signal);
      const at = `${results.length + 1}/${plan.cells.length} ${cellTitle(cell)}`;
      tell('progress', at);
      const result = await runCell(
        { ...parts, progress: (detail) => tell('progress', `${at}: ${detail}`) },
        cell,
      );
      await journal.append(result);
      results.push(result);
      parts.pool.settled(result);
      if (result.standing === 'unexpected') {
        const tries = result.tries > 1 ? ` (${result.tries} of ${MAX_TRIES} tries)` : '';
        context.emit({
          type: 'note',
          level: 'warn',
          text: `${cellTitle(cell)}: ${result.outcome}${tries}: ${result.detail}`,
        });
      }
    }
    const unexpected = results.filter((result) => result.standing === 'unexpected').length;
    tell('done', `${results.length} of ${plan.cells.length} cells, ${unexpected} unexpected`);
  } catch (error) {
    tell('failed', error instanceof Error ? error.message : String(error));
    throw error;
  }
}

type CellResultKey = RunPlan['cells'][number];
