// SPDX-License-Identifier: GPL-2.0-only
import type { SessionTiming } from './types.js';

/** Measures where a session's time goes. Guest phases must not overlap: one guest works at a time. */
export class Stopwatch {
  private readonly phases = new Map<string, number>();
  private readonly began: number;
  private insideMs = 0;

  constructor(private readonly clock: () => number) {
    this.began = clock();
  }

  /** Adds the time of `work` to `phase`, also when it fails. */
  async time<T>(phase: string, work: () => Promise<T>): Promise<T> {
    const from = this.clock();
    try {
      return await work();
    } finally {
      this.phases.set(phase, (this.phases.get(phase) ?? 0) + this.clock() - from);
    }
  }

  /** The same for time that guests take: booting them, working in them, stopping them. */
  async timeInGuest<T>(phase: string, work: () => Promise<T>): Promise<T> {
    const from = this.clock();
    try {
      return await this.time(phase, work);
    } finally {
      this.insideMs += this.clock() - from;
    }
  }

  session(
    startedAt: Date,
    cells: number,
    boots: number,
    bootTimes: SessionTiming['bootTimes'],
  ): SessionTiming {
    const totalMs = this.clock() - this.began;
    const round = (ms: number): number => Math.round(ms * 10) / 10;
    return {
      startedAt: startedAt.toISOString(),
      totalMs: round(totalMs),
      phases: Object.fromEntries([...this.phases].map(([phase, ms]) => [phase, round(ms)])),
      insideGuestsMs: round(this.insideMs),
      outsideGuestsMs: round(totalMs - this.insideMs),
      cells,
      boots,
      bootTimes,
    };
  }
}
