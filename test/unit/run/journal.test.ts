// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

import { Journal, parseJournal } from '../../../src/run/journal.js';
import type { CellResult } from '../../../src/run/types.js';
import { tempDir } from '../../helpers/temp.js';

const cell = (iteration: number, more: Partial<CellResult> = {}): CellResult => ({
  ...{ variant: 'soft', filesystem: 'ext4', test: 'probe/parked', iteration },
  ...{ outcome: 'pass', standing: 'as-contracted', marks: [], tries: 1 },
  ...{ startedAt: '', durationMs: 1, hostLoad: 0, files: 'cells/x', guest: 'g1-soft' },
  ...more,
});
const amended = { ...cell(0, { outcome: 'oops' }), amended: true } as const;

const parse = (...lines: readonly CellResult[]): readonly CellResult[] =>
  parseJournal(Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join('')), 'j').results;

describe('a journal with an amended cell', () => {
  it('has it once, in its place, as it was written last', () => {
    expect(parse(cell(0), cell(1), amended)).toEqual([amended, cell(1)]);
    expect(parse(cell(0), amended, { ...amended, marks: ['warn'] })).toEqual([
      { ...amended, marks: ['warn'] },
    ]);
  });

  it('is damaged when the same cell comes twice unamended, or is amended before it is there', () => {
    expect(() => parse(cell(0), cell(1), cell(0))).toThrow(/j:3: the same cell as in line 1/);
    expect(() => parse(cell(0), amended, cell(0))).toThrow(/j:3: the same cell as in line 2/);
    expect(() => parse(cell(1), amended)).toThrow(/j:2: amends a cell that has no line before it/);
  });

  it('has a line more, and nothing of the earlier one is gone', async () => {
    const file = path.join(tempDir('journal'), 'journal.jsonl');
    const journal = await Journal.open(file);
    await expect(journal.amend(amended)).rejects.toThrow(/has no cell soft ext4 probe\/parked 0 to amend/);
    await journal.append(cell(0));
    await journal.amend(amended);
    await expect(journal.append(cell(0))).rejects.toThrow(/would be there twice/);
    await journal.close();
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as CellResult).outcome)).toEqual(['pass', 'oops']);
  });
});
