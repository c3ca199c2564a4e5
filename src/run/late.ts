// SPDX-License-Identifier: GPL-2.0-only
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { Contract, Variant } from '../config/types.js';
import type { Context } from '../core/context.js';
import type { Incident } from '../guest/types.js';
import { diskError } from '../system/files.js';
import { keepConsole } from './evidence.js';
import type { RunFolder } from './folder.js';
import type { Journal } from './journal.js';
import { cellId, cellTitle } from './plan.js';
import type { LateIncident } from './pool.js';
import { judged, writeVerdict } from './result.js';
import type { CellResult } from './types.js';

/** What came late, below the cell's folder: the cell's own files stay as they are. */
const LATE_DIR = 'late';

export interface LateParts {
  readonly context: Context;
  readonly folder: RunFolder;
  readonly journal: Journal;
  /** Of the run so far; an amended one takes its place. */
  readonly results: CellResult[];
  readonly variants: ReadonlyMap<string, Variant>;
}

/**
 * A cell with what its guest reported after it, while nothing else ran there: an oops becomes its outcome, and reports
 * join its marks. Undefined when that changes nothing: that QEMU or the session of an idle guest ended is no result.
 */
export function amended(
  contract: Contract,
  cell: CellResult,
  incident: Incident,
): (CellResult & { readonly amended: true }) | undefined {
  const marks = [...new Set([...cell.marks, ...incident.marks])];
  const died = incident.outcome === 'oops';
  if (!died && marks.length === cell.marks.length) return undefined;
  const { standing: _, detail, ...rest } = cell;
  const said = died ? `${incident.reason ?? 'oops'} (in the idle guest, after the cell)` : detail;
  const result = judged(contract, { ...rest, outcome: died ? 'oops' : cell.outcome, marks }, said);
  return { ...result, amended: true };
}

/** Amends the cell that a late incident belongs to, and tells of what must not go unseen. @throws InfraError */
export async function amendCell(parts: LateParts, late: LateIncident): Promise<void> {
  const { context, folder, journal, results } = parts;
  const { cell, incident } = late;
  const warn = (text: string): void =>
    context.emit({ type: 'note', level: 'warn', text: `${text}; console: ${late.console}` });
  const variant = cell && parts.variants.get(cell.variant);
  const result = variant && amended(variant.contract, cell, incident);
  if (result) {
    const dir = path.join(folder.dir, result.files, LATE_DIR);
    await mkdir(dir, { recursive: true }).catch((error: unknown) => {
      throw diskError(error, folder.dir);
    });
    await keepConsole(late.console, incident, dir);
    await journal.amend(result);
    await writeVerdict(path.dirname(dir), { state: 'finished', ...result });
    const id = cellId(result);
    results[results.findIndex((one) => cellId(one) === id)] = result;
    if (result.standing === 'unexpected')
      warn(`${cellTitle(result)}, after it had ended: ${result.outcome}: ${result.detail}`);
  }
  if (incident.outcome !== undefined && !(result && incident.outcome === 'oops')) {
    const when = cell ? `idle after ${cellTitle(cell)}` : 'in a cell that did not come to its result';
    warn(`guest ${late.guest}, ${when}: ${incident.outcome}: ${incident.reason}`);
  }
}
