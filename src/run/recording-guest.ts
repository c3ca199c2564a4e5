// SPDX-License-Identifier: GPL-2.0-only
import type { ExecOptions, Guest, Incident, SupervisedResult } from '../guest/types.js';
import { mergeIncidents } from './incidents.js';

/**
 * A guest that keeps what supervision saw of everything that was run in it until that is taken, so that no report is
 * lost because whoever ran a command looked at its exit status only, or threw.
 */
export class RecordingGuest implements Guest {
  private seen: Incident[] = [];

  constructor(private readonly guest: Guest) {}

  get name() {
    return this.guest.name;
  }
  get spec() {
    return this.guest.spec;
  }
  get console() {
    return this.guest.console;
  }
  get bootTimes() {
    return this.guest.bootTimes;
  }
  get alive() {
    return this.guest.alive;
  }

  /** What was seen since it was taken last, up to now, as one. Also after `stop`. */
  async take(): Promise<Incident> {
    await this.unread();
    const { seen } = this;
    this.seen = [];
    return mergeIncidents(seen);
  }

  async exec(argv: readonly string[], options: ExecOptions): Promise<SupervisedResult> {
    const result = await this.guest.exec(argv, options);
    const { exec: _output, ...incident } = result;
    this.seen.push(incident);
    return result;
  }

  async unread(): Promise<Incident> {
    const incident = await this.guest.unread();
    this.seen.push(incident);
    return incident;
  }

  diskPath(name: string): string {
    return this.guest.diskPath(name);
  }

  push(from: string, to: string): Promise<void> {
    return this.guest.push(from, to);
  }

  pull(from: string, to: string, limitBytes: number): Promise<void> {
    return this.guest.pull(from, to, limitBytes);
  }

  stop(): Promise<void> {
    return this.guest.stop();
  }
}
