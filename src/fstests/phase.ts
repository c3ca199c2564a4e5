// SPDX-License-Identifier: GPL-2.0-only
import { cleanLine } from '../core/clean-text.js';
import type { Counts } from '../probe/types.js';

/** The two phases of generic/595, named as its own output names them. */
export const PHASES = ['single-threaded', 'multi-threaded'] as const;
export type Phase = (typeof PHASES)[number];

/**
 * `kept`; `lost`: acknowledged writes are missing, and what is there is as written; `wrong`: something else is there,
 * or more than was acknowledged, whatever is missing besides; `refused`: the write itself failed; an errno name;
 * `unexpected`: other output; `not-reached`.
 */
export type PhaseVerdict =
  'kept' | 'lost' | 'wrong' | 'refused' | 'unexpected' | 'not-reached' | `E${string}`;

export interface PhaseReading {
  readonly cases: Readonly<Record<Phase, PhaseVerdict>>;
  /** One line a phase that failed, e.g. `multi-threaded: file is shorter than its record`. */
  readonly failures: readonly string[];
}

interface Sections {
  readonly before: readonly string[];
  readonly single?: readonly string[];
  readonly multi?: readonly string[];
}

const MAX_LINES = 5000;

function sections(text: string): Sections {
  const parts: { before: string[]; single?: string[]; multi?: string[] } = { before: [] };
  let into = parts.before;
  for (const raw of text.split('\n').slice(0, MAX_LINES)) {
    const line = cleanLine(raw);
    if (/^# Single-threaded reproducer/.test(line)) into = parts.single = [];
    else if (/^# Multi-threaded reproducer/.test(line)) into = parts.multi = [];
    else if (line !== '') into.push(line);
  }
  return parts;
}

const ERRNO_TEXTS: readonly (readonly [RegExp, `E${string}`])[] = [
  [/Required key not available/, 'ENOKEY'],
  [/Input\/output error/, 'EIO'],
  [/No space left on device/, 'ENOSPC'],
  [/Structure needs cleaning/, 'EUCLEAN'],
  [/No such file or directory/, 'ENOENT'],
];

function errnoOf(line: string): `E${string}` | undefined {
  return ERRNO_TEXTS.find(([pattern]) => pattern.test(line))?.[1];
}

function same(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return (
    a !== undefined && b !== undefined && a.length === b.length && a.every((line, index) => line === b[index])
  );
}

function readSingle(
  lines: readonly string[] | undefined,
  golden: readonly string[] | undefined,
): [PhaseVerdict, string?] {
  if (!lines) return ['not-reached', 'not reached'];
  if (same(lines, golden)) return ['kept'];
  const write = lines.find((line) => /write error/.test(line));
  if (write) return ['refused', write];
  const read = lines.find((line) => /^cat: /.test(line));
  if (read) return [errnoOf(read) ?? 'unexpected', read];
  const contents = golden?.at(-1);
  if (contents !== undefined && !lines.includes(contents)) {
    const more = lines.filter((line) => !golden?.includes(line));
    return more.length === 0 ? ['lost', 'the write is not in the file'] : ['unexpected', more[0]];
  }
  return ['unexpected', lines.find((line) => !golden?.includes(line)) ?? 'a line is missing'];
}

function readMulti(
  lines: readonly string[] | undefined,
  golden: readonly string[] | undefined,
): [PhaseVerdict, string?] {
  if (!lines) return ['not-reached', 'not reached'];
  if (same(lines, golden)) return ['kept'];
  // cmp's first operand is the record of acknowledged appends ($tmp.expected), the second the file.
  const eof = lines.find((line) => /^cmp: EOF on /.test(line));
  if (eof) {
    return /\.expected\b/.test(eof)
      ? ['wrong', `the file is longer than its record (${eof})`]
      : ['lost', `the file is shorter than its record (${eof})`];
  }
  const differs = lines.find((line) => / differ: /.test(line));
  if (differs) return ['wrong', differs];
  const cmp = lines.find((line) => /^cmp: /.test(line));
  if (cmp) return [errnoOf(cmp) ?? 'unexpected', cmp];
  const other = lines.find((line) => !golden?.includes(line));
  return ['unexpected', other ?? 'a line is missing'];
}

/**
 * Which phase of generic/595 failed and how, from its output (`.out.bad`, or the golden output when it passed)
 * and its golden output (`.out`).
 */
export function readPhases(output: string, golden: string): PhaseReading {
  const seen = sections(output);
  const right = sections(golden);
  const [single, singleText] = readSingle(seen.single, right.single);
  const [multi, multiText] = readMulti(seen.multi, right.multi);
  const failures = [
    ...(singleText ? [`single-threaded: ${singleText}`] : []),
    ...(multiText ? [`multi-threaded: ${multiText}`] : []),
  ];
  return { cases: { 'single-threaded': single, 'multi-threaded': multi }, failures };
}

/**
 * The appends of the multi-threaded phase from the two stat(1) outputs that generic/595 leaves in `.full`: the
 * record first, then the file, one byte an append. It does not count refused attempts, so `attempts` are the
 * acknowledged ones. Sizes tell what is missing, and nothing of bytes that read back wrong: beside the verdict `wrong`
 * there are more lost than these. A file longer than its record tells nothing at all: bytes of appends that failed
 * are in it, and each may stand in the place of one that is lost.
 */
export function readAppends(full: string): Counts | undefined {
  const sizes = [...full.matchAll(/^\s*Size: (\d{1,12})\s/gm)].map((match) => Number(match[1]));
  const [record, file] = sizes.slice(-2);
  if (sizes.length < 2 || record === undefined || file === undefined || file > record) return undefined;
  return { attempts: record, acknowledged: record, lost: record - file, wrong: 0 };
}
