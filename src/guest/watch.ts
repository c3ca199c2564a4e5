// SPDX-License-Identifier: GPL-2.0-only
import { ConsoleTail } from './console-lines.js';
import { ConsoleScanner, type ScanResult } from './console-scan.js';

/** A console beyond this fills the host's disk: the guest is ended. */
export const CONSOLE_LIMIT = 256 * 1024 * 1024;
const POLL_MS = 50;
/** Console lines kept for error messages. */
const TAIL_LINES = 40;

/** What the console held between two moments. */
export interface ConsoleSlice extends ScanResult {
  readonly from: number;
  readonly to: number;
}

/**
 * Follows a console log for as long as the guest lives. Text is handed out in slices: each slice starts where the
 * one before ended, so nothing is seen twice and nothing is missed between two pieces of work.
 */
export class ConsoleWatch {
  private readonly tail: ConsoleTail;
  private scanner = new ConsoleScanner();
  private sliceFrom = 0;
  private timer: NodeJS.Timeout | undefined;
  private reading: Promise<void> = Promise.resolve();
  private readonly listeners = new Set<() => void>();
  private lastGrowth = performance.now();
  readonly lastLines: string[] = [];
  /** Called with every line, before the scanner sees it. */
  onLine: ((line: string) => void) | undefined;

  constructor(readonly file: string) {
    this.tail = new ConsoleTail(file);
  }

  start(): void {
    this.timer ??= setInterval(() => void this.poll(), POLL_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.listeners.clear();
  }

  get fatal(): boolean {
    return this.scanner.fatal;
  }

  /** Milliseconds since the console last grew. */
  get quietFor(): number {
    return performance.now() - this.lastGrowth;
  }

  get flooded(): boolean {
    return this.tail.offset > CONSOLE_LIMIT;
  }

  /** Reads what is there now. */
  poll(): Promise<void> {
    this.reading = this.reading.then(async () => {
      const before = this.tail.offset;
      const lines = await this.tail.read().catch(() => []);
      if (this.tail.offset !== before) this.lastGrowth = performance.now();
      this.take(lines);
    });
    return this.reading;
  }

  /** Settles when a fatal report began or the console is too long. The function returned forgets it. */
  onAlarm(alarm: () => void): () => void {
    this.listeners.add(alarm);
    if (this.fatal || this.flooded) alarm();
    return () => this.listeners.delete(alarm);
  }

  /** Waits for late text: until the console was quiet for `quietMs`, `ended` says so, or `limitMs` passed. */
  async settle(quietMs: number, limitMs: number, ended: () => boolean): Promise<void> {
    const began = performance.now();
    for (;;) {
      const over = ended();
      await this.poll();
      const now = performance.now();
      if (over || now - began >= limitMs) return;
      // Quiet counts from now on: silence before the loss says nothing.
      if (now - Math.max(this.lastGrowth, began) >= quietMs) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Waits, a short while, for the end of a report that has begun. */
  async finishReport(limitMs: number): Promise<void> {
    const until = performance.now() + limitMs;
    await this.poll();
    while (this.scanner.open && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      await this.poll();
    }
  }

  /** Ends the slice: what was seen since the one before. `last`: the guest is dead, nothing follows. */
  cut(last: boolean): ConsoleSlice {
    if (last) this.take(this.tail.flush());
    const slice = { ...this.scanner.end(), from: this.sliceFrom, to: this.tail.offset };
    this.scanner = new ConsoleScanner();
    this.sliceFrom = this.tail.offset;
    return slice;
  }

  private take(lines: readonly string[]): void {
    for (const line of lines) {
      this.onLine?.(line);
      this.scanner.push(line);
      this.lastLines.push(line);
      if (this.lastLines.length > TAIL_LINES) this.lastLines.shift();
    }
    if (this.fatal || this.flooded) for (const alarm of [...this.listeners]) alarm();
  }
}
