// SPDX-License-Identifier: GPL-2.0-only
import {
  errorLine,
  progressLine,
  resultLine,
  startLine,
  type ProbeCase,
  type ProbeError,
  type ProbeResult,
} from './schema.js';

/** Longest line that a probe prints (README: "at most 256 KiB"). */
const LINE_LIMIT = 256 * 1024;

/** A probe prints a line a second at most besides start and result. */
const OUTPUT_LIMIT = 8 * 1024 * 1024;

/** What was asked for, so that an answer to something else is not taken for it. */
export interface Asked {
  /** `open-fd` */
  readonly probe: string;
  readonly seed: number;
  /** Every one of these, and no other, has to be answered. */
  readonly cases: readonly string[];
  /** See ProbeDefinition.unit. */
  readonly unit: 'write' | 'store' | 'read' | 'open';
}

export type Parsed =
  | { readonly kind: 'result'; readonly result: ProbeResult }
  | { readonly kind: 'error'; readonly error: ProbeError }
  /** Nothing that could be believed. */
  | { readonly kind: 'garbage'; readonly reason: string };

class Garbage extends Error {}

function check(holds: boolean, otherwise: () => string): void {
  if (!holds) throw new Garbage(otherwise());
}

/**
 * Reads the whole stdout of a probe. A result is believed only if the output is complete, answers what was asked,
 * and its numbers agree with each other; anything else is garbage with the reason, never a result.
 */
export function parseProbeOutput(output: string, asked: Asked): Parsed {
  try {
    return parse(output, asked);
  } catch (error) {
    if (error instanceof Garbage) return { kind: 'garbage', reason: error.message };
    throw error;
  }
}

function parse(output: string, asked: Asked): Parsed {
  check(output.length > 0, () => 'the probe printed nothing');
  check(
    output.length <= OUTPUT_LIMIT,
    () => `the probe printed ${output.length} bytes, more than ${OUTPUT_LIMIT}`,
  );
  check(output.endsWith('\n'), () => 'the last line is cut off');
  const lines = output.slice(0, -1).split('\n');
  const last = lines.length - 1;
  let started = false;
  for (const [index, line] of lines.entries()) {
    const where = `line ${index + 1}`;
    check(line.length <= LINE_LIMIT, () => `${where} has ${line.length} bytes, more than ${LINE_LIMIT}`);
    const value = json(line, where);
    const type = value['type'];
    switch (type) {
      case 'start': {
        const start = shape(startLine, value, where);
        check(index === 0, () => `${where}: a second start`);
        answers(start, asked, where);
        check(start.seed === asked.seed, () => `${where}: seed ${start.seed}, asked for ${asked.seed}`);
        started = true;
        break;
      }
      case 'progress':
        check(started, () => `${where}: progress before start`);
        answers(shape(progressLine, value, where), asked, where);
        break;
      case 'result': {
        check(started, () => `${where}: a result without a start`);
        check(index === last, () => `${where}: lines after the result`);
        const result = shape(resultLine, value, where);
        answers(result, asked, where);
        check(result.seed === asked.seed, () => `${where}: seed ${result.seed}, asked for ${asked.seed}`);
        consistent(result, asked);
        return { kind: 'result', result };
      }
      case 'error': {
        check(index === last, () => `${where}: lines after the error`);
        const error = shape(errorLine, value, where);
        answers(error, asked, where);
        return { kind: 'error', error };
      }
      default:
        throw new Garbage(`${where}: unknown type ${JSON.stringify(type)?.slice(0, 40)}`);
    }
  }
  throw new Garbage('the result line is missing');
}

function json(line: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Garbage(`${where} is not JSON: ${JSON.stringify(line.slice(0, 60))}`);
  }
  check(
    typeof value === 'object' && value !== null && !Array.isArray(value),
    () => `${where} is not an object`,
  );
  return value as Record<string, unknown>;
}

interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };
}

function shape<T>(schema: Schema<T>, value: unknown, where: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Garbage(
    `${where}: ${issue?.path.map(String).join('.').slice(0, 80)}: ${issue?.message.slice(0, 120)}`,
  );
}

function answers(line: { readonly probe: string }, asked: Asked, where: string): void {
  check(line.probe === asked.probe, () => `${where}: from probe ${line.probe}, asked ${asked.probe}`);
}

const SUMMED = ['attempts', 'acknowledged', 'refused', 'failed', 'lost', 'wrong'] as const;

/** Gravest first, as the probe orders them. */
const GRAVITY = ['lost', 'inconclusive', 'allowed', 'refused', 'kept', 'unsupported'] as const;

/** Numbers that contradict each other are lies or damage: the whole answer goes. */
function consistent(result: ProbeResult, asked: Asked): void {
  if (result.verdict === 'error') {
    check(result.reason !== null, () => 'verdict error without a reason');
    return;
  }
  const names = result.cases.map((one) => one.name);
  check(new Set(names).size === names.length, () => 'a case is answered twice');
  const missing = asked.cases.find((name) => !names.includes(name));
  check(missing === undefined, () => `case ${missing} is not answered`);
  const extra = names.find((name) => !asked.cases.includes(name));
  check(extra === undefined, () => `case ${extra} was not asked for`);
  for (const one of result.cases) consistentCase(one, asked);
  for (const key of SUMMED) {
    const sum = result.cases.reduce((total, one) => total + one[key], 0);
    check(
      sum === result.totals[key],
      () => `totals.${key} is ${result.totals[key]}, the cases sum to ${sum}`,
    );
  }
  const gravest = GRAVITY.find((verdict) => result.cases.some((one) => one.verdict === verdict));
  check(gravest === result.verdict, () => `verdict ${result.verdict}, but the gravest case is ${gravest}`);
}

function consistentCase(one: ProbeCase, asked: Asked): void {
  const { name, verdict } = one;
  check(
    one.attempts === one.acknowledged + one.refused + one.failed,
    () => `${name}: attempts do not add up`,
  );
  // Reads and opens are not what is lost there, but no more can be lost than was tried.
  const most = asked.unit === 'write' || asked.unit === 'store' ? one.acknowledged : one.attempts;
  check(one.lost <= most, () => `${name}: ${one.lost} lost of ${most} acknowledged`);
  const gone = one.lost + one.wrong > 0;
  check(
    gone === (verdict === 'lost'),
    () => `${name}: ${verdict} with ${one.lost} lost and ${one.wrong} wrong`,
  );
  // A removal whose ioctl failed may have taken the key all the same: v7.3 syncs after it has wiped the secret.
  const removals = one.removal.count + one.removal.failed;
  check(one.removal.overlapped <= removals, () => `${name}: more overlapped removals than removals`);
  check(one.removal.refused_seen <= removals, () => `${name}: more refusals after removals than removals`);
  if (verdict === 'lost' || verdict === 'inconclusive') return;
  if (verdict === 'unsupported') {
    check(one.attempts === 0, () => `${name}: unsupported with ${one.attempts} attempts`);
    return;
  }
  check(one.positive_controls.length > 0, () => `${name}: ${verdict} without a positive control`);
  const absent = one.positive_controls.find((control) => !control.happened);
  check(absent === undefined, () => `${name}: ${verdict} although ${absent?.name} did not happen`);
  if (verdict === 'refused') check(one.refused > 0, () => `${name}: refused without a refusal`);
  else check(one.acknowledged > 0, () => `${name}: ${verdict} without anything acknowledged`);
  // Races meet both; every other case asks the same question again and again, and its verdict speaks for all of them.
  check(
    asked.probe.startsWith('race-') || one.acknowledged === one.attempts || verdict === 'refused',
    () => `${name}: ${verdict}, but only ${one.acknowledged} of ${one.attempts} attempts were acknowledged`,
  );
  check(
    verdict !== 'refused' || one.refused === one.attempts,
    () => `${name}: refused, but only ${one.refused} of ${one.attempts} attempts were`,
  );
}

/** A progress line as it streams by, or undefined for any other line. For display only. */
export function parseProgress(
  line: string,
): { acknowledged: number; removals: number; phase: string } | undefined {
  if (line.length > 4096 || !line.includes('"progress"')) return undefined;
  try {
    const parsed = progressLine.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
