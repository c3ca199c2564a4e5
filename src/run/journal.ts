// SPDX-License-Identifier: GPL-2.0-only
import { open, readFile, type FileHandle } from 'node:fs/promises';

import { BugError, UserError } from '../core/errors.js';
import { OUTCOMES } from '../core/outcome.js';
import { diskError } from '../system/files.js';
import { cellId } from './plan.js';
import type { CellResult } from './types.js';

export interface JournalText {
  readonly results: readonly CellResult[];
  /** Bytes up to the end of the last whole line; what follows was being written when the writer died. */
  readonly wholeBytes: number;
}

function looksLikeResult(value: unknown): value is CellResult {
  if (typeof value !== 'object' || value === null) return false;
  const line = value as Partial<Record<keyof CellResult, unknown>>;
  return (
    typeof line.variant === 'string' &&
    typeof line.filesystem === 'string' &&
    typeof line.test === 'string' &&
    Number.isInteger(line.iteration) &&
    typeof line.tries === 'number' &&
    typeof line.files === 'string' &&
    Array.isArray(line.marks) &&
    (OUTCOMES as readonly unknown[]).includes(line.outcome)
  );
}

/**
 * Reads a journal: a line is a finished cell, or one that was amended and takes the place of its earlier line. A last
 * line without its newline is a torn write and does not count. Anything else that is no result is damage, and refused:
 * results must not vanish quietly.
 * @throws UserError naming file and line.
 */
export function parseJournal(bytes: Buffer, file: string): JournalText {
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
  const lines = bytes.subarray(0, wholeBytes).toString('utf8').split('\n').slice(0, -1);
  const seen = new Map<string, { line: number; at: number }>();
  const results: CellResult[] = [];
  lines.forEach((line, index) => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      value = undefined;
    }
    const damaged = (observed: string): UserError =>
      new UserError({
        subject: `${file}:${index + 1}`,
        observed,
        expected: 'one result a line',
        next: 'restore the file from a copy, or start a new run',
      });
    if (!looksLikeResult(value)) throw damaged('damaged');
    const earlier = seen.get(cellId(value));
    if (earlier && !value.amended) throw damaged(`the same cell as in line ${earlier.line}`);
    if (!earlier && value.amended) throw damaged('amends a cell that has no line before it');
    const at = earlier?.at ?? results.length;
    seen.set(cellId(value), { line: index + 1, at });
    results[at] = value;
  });
  return { results, wholeBytes };
}

/** Reads the journal of a run; a file that is not there yet has no results. Changes nothing. */
export async function readJournal(file: string): Promise<JournalText> {
  try {
    return parseJournal(await readFile(file), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { results: [], wholeBytes: 0 };
    throw error;
  }
}

/** The journal of a run that is being written. Every line is on disk before the next cell starts. */
export class Journal {
  private readonly done: Set<string>;

  private constructor(
    private readonly handle: FileHandle,
    private readonly file: string,
    readonly earlier: readonly CellResult[],
  ) {
    this.done = new Set(earlier.map(cellId));
  }

  /** Opens for appending, after cutting off a torn last line. The caller holds the lock of the run. */
  static async open(file: string): Promise<Journal> {
    const { results, wholeBytes } = await readJournal(file);
    const handle = await open(file, 'a', 0o644);
    try {
      if ((await handle.stat()).size > wholeBytes) {
        await handle.truncate(wholeBytes);
        await handle.sync();
      }
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new Journal(handle, file, results);
  }

  async append(result: CellResult): Promise<void> {
    const id = cellId(result);
    if (this.done.has(id)) {
      throw new BugError({
        subject: this.file,
        observed: `cell ${id.replaceAll('\0', ' ')} would be there twice`,
      });
    }
    await this.write(result);
    this.done.add(id);
  }

  /** Adds a line that takes the place of the cell's earlier one. */
  async amend(result: CellResult & { readonly amended: true }): Promise<void> {
    const id = cellId(result);
    if (!this.done.has(id)) {
      throw new BugError({
        subject: this.file,
        observed: `has no cell ${id.replaceAll('\0', ' ')} to amend`,
      });
    }
    await this.write(result);
  }

  private async write(result: CellResult): Promise<void> {
    try {
      await this.handle.appendFile(`${JSON.stringify(result)}\n`);
      await this.handle.datasync();
    } catch (error) {
      throw diskError(error, this.file);
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
