// SPDX-License-Identifier: GPL-2.0-only
import { run } from '../src/system/process.js';

/** Figures of a paired measurement, in ms. The ratio is taken pair by pair, since machines drift. */
export interface Paired {
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly ratio: { readonly min: number; readonly median: number; readonly max: number };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Runs a and b in turn, once unmeasured and then `runs` times. Each returns its own figure (ms or any unit). */
export async function paired(
  runs: number,
  a: () => Promise<number>,
  b: () => Promise<number>,
  warmUp = true,
): Promise<Paired> {
  if (warmUp) {
    await a();
    await b();
  }
  const left: number[] = [];
  const right: number[] = [];
  for (let i = 0; i < runs; i++) {
    left.push(await a());
    right.push(await b());
  }
  const ratios = left.map((value, i) => value / (right[i] ?? NaN));
  return {
    a: left,
    b: right,
    ratio: { min: Math.min(...ratios), median: median(ratios), max: Math.max(...ratios) },
  };
}

/** Wall time of a program in ms. @throws when it does not exit 0. */
export async function wall(command: string, args: readonly string[], cwd?: string): Promise<number> {
  const result = await run(command, args, { cwd });
  if (result.exitCode !== 0) throw new Error(`${result.command}: exit ${result.exitCode}: ${result.stderr}`);
  return result.durationMs;
}
