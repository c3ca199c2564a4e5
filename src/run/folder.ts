// SPDX-License-Identifier: GPL-2.0-only
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import path from 'node:path';

import type { Dirs } from '../core/context.js';
import { UserError } from '../core/errors.js';
import type { CellKey } from '../core/outcome.js';
import { diskError, exists, readIfThere, writeAtomic } from '../system/files.js';
import { lockOwner, tryLock, type Lock } from '../system/lock.js';
import { readJournal } from './journal.js';
import type { Environment, RunPlan, RunRecord, SessionTiming } from './types.js';

/** The files of a run, all below one folder. */
export class RunFolder {
  constructor(readonly dir: string) {}

  get id(): string {
    return path.basename(this.dir);
  }
  get planFile(): string {
    return path.join(this.dir, 'plan.json');
  }
  get environmentFile(): string {
    return path.join(this.dir, 'environment.json');
  }
  get journalFile(): string {
    return path.join(this.dir, 'journal.jsonl');
  }
  get timingFile(): string {
    return path.join(this.dir, 'timing.json');
  }
  get lockFile(): string {
    return path.join(this.dir, 'lock');
  }
  get guestsDir(): string {
    return path.join(this.dir, 'guests');
  }

  /** Folder of a cell, relative to the run's. */
  static cellPath(cell: CellKey): string {
    const parts = [cell.variant, cell.filesystem, ...cell.test.split('/'), String(cell.iteration)];
    return path.join('cells', ...parts.map(safeName));
  }

  /** The cell's folder, empty: what a killed session left there goes. */
  async freshCellDir(cell: CellKey): Promise<string> {
    const dir = path.join(this.dir, RunFolder.cellPath(cell));
    try {
      await rm(dir, { recursive: true, force: true });
      await mkdir(dir, { recursive: true });
    } catch (error) {
      throw diskError(error, this.dir);
    }
    return dir;
  }

  /** Puts the files of a try that will be repeated aside. */
  async keepTry(cell: CellKey, number: number): Promise<void> {
    const dir = path.join(this.dir, RunFolder.cellPath(cell));
    await rm(`${dir}.try-${number}`, { recursive: true, force: true });
    await rename(dir, `${dir}.try-${number}`);
  }

  /** @throws UserError naming the owner when another process works on this run. */
  async lock(): Promise<Lock> {
    const lock = await tryLock(this.lockFile, 'runs a matrix');
    if (lock) return lock;
    const owner = await lockOwner(this.lockFile);
    throw new UserError({
      subject: `run ${this.dir}`,
      observed: owner
        ? `in use by process ${owner.pid}, which ${owner.purpose}`
        : 'in use by another process',
      next: 'wait for it, or give another folder with --run',
    });
  }

  async writePlan(plan: RunPlan): Promise<void> {
    await writeAtomic(this.planFile, `${JSON.stringify(plan, null, 1)}\n`);
  }
  async writeEnvironment(environment: Environment): Promise<void> {
    await writeAtomic(this.environmentFile, `${JSON.stringify(environment, null, 1)}\n`);
  }
  async addTiming(session: SessionTiming): Promise<void> {
    const earlier = await this.readTiming();
    await writeAtomic(this.timingFile, `${JSON.stringify([...earlier, session], null, 1)}\n`);
  }
  async readTiming(): Promise<readonly SessionTiming[]> {
    return ((await readJson(this.timingFile)) as readonly SessionTiming[] | undefined) ?? [];
  }
  async readEnvironment(): Promise<Environment | undefined> {
    return (await readJson(this.environmentFile)) as Environment | undefined;
  }

  /** The plan of this run, or undefined when the folder has none. @throws UserError when it is no plan of ours. */
  async readPlan(): Promise<RunPlan | undefined> {
    const value = (await readJson(this.planFile)) as Partial<RunPlan> | undefined;
    if (value === undefined) return undefined;
    if (value.version === 1 && Array.isArray(value.cells) && Number.isSafeInteger(value.seed))
      return value as RunPlan;
    throw new UserError({
      subject: this.planFile,
      observed: `plan version ${JSON.stringify(value.version) ?? 'missing'}`,
      expected: 'version 1',
      next: 'it was written by another version of enokey, or damaged: start a new run',
    });
  }

  /** Everything about the run that its folder tells. @throws UserError when there is no run. */
  async read(): Promise<RunRecord> {
    const plan = await this.readPlan();
    if (!plan) {
      throw new UserError({
        subject: `run ${this.dir}`,
        observed: 'no plan.json there',
        next: 'give the folder of a run',
      });
    }
    const { results } = await readJournal(this.journalFile);
    return {
      plan,
      environment: await this.readEnvironment(),
      results,
      complete: results.length === plan.cells.length,
    };
  }
}

/** One component of a path out of any name: nothing but letters, digits and `._@+-`, never `.` or `..`. */
export function safeName(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9._@+-]+/g, '_').replace(/^\.+/, '_');
  return safe === '' ? '_' : safe.slice(0, 100);
}

async function readJson(file: string): Promise<unknown> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError({ subject: file, observed: 'is no JSON', next: 'start a new run', cause: error });
  }
}

export function runsDir(dirs: Dirs): string {
  return path.join(dirs.state, 'runs');
}

/** A name that sorts by time: `20261123-001530-ab12`. */
export function newRunId(now: Date): string {
  const stamp = now.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${randomBytes(2).toString('hex')}`;
}

/** Runs below the state folder, newest first. */
export async function listRuns(dirs: Dirs): Promise<readonly RunFolder[]> {
  let names: string[];
  try {
    names = await readdir(runsDir(dirs));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const runs: RunFolder[] = [];
  for (const name of names.sort().reverse()) {
    const folder = new RunFolder(path.join(runsDir(dirs), name));
    if (await exists(folder.planFile)) runs.push(folder);
  }
  return runs;
}

/**
 * The run that a user means: a folder, the id of a run below the state folder, or the newest run.
 * @throws UserError when there is none.
 */
export async function findRun(dirs: Dirs, wanted: string | undefined, resolved?: string): Promise<RunFolder> {
  if (wanted === undefined) {
    const newest = (await listRuns(dirs))[0];
    if (newest) return newest;
    throw new UserError({ subject: runsDir(dirs), observed: 'no run yet', next: 'enokey matrix' });
  }
  const candidates = [resolved ?? wanted, path.join(runsDir(dirs), wanted)];
  for (const dir of candidates) {
    if (path.isAbsolute(dir) && (await exists(path.join(dir, 'plan.json')))) return new RunFolder(dir);
  }
  const isDir = await stat(candidates[0] ?? wanted).then(
    (s) => s.isDirectory(),
    () => false,
  );
  throw new UserError({
    subject: `run ${wanted}`,
    observed: isDir ? 'the folder holds no plan.json' : 'neither a folder nor the id of a run',
    next: 'without an argument the newest run is taken',
  });
}
