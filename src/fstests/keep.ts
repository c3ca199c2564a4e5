// SPDX-License-Identifier: GPL-2.0-only
import { constants } from 'node:fs';
import { lstat, open, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { Incident, SupervisedResult } from '../guest/types.js';
import { diskError } from '../system/files.js';
import { cleanLine } from './text.js';

/** Of a guest's console at most this much goes into a cell's folder: its end. */
const CONSOLE_LIMIT = 1024 * 1024;

/** The beginning and the end of a long output, in bounded memory. */
export class BoundedLog {
  private head = '';
  private tail: string[] = [];
  private tailLength = 0;
  private dropped = 0;

  constructor(
    private readonly headLimit = 512 * 1024,
    private readonly tailLimit = 512 * 1024,
  ) {}

  push(line: string): void {
    const text = `${cleanLine(line)}\n`;
    if (this.dropped === 0 && this.tail.length === 0 && this.head.length + text.length <= this.headLimit) {
      this.head += text;
      return;
    }
    this.tail.push(text);
    this.tailLength += text.length;
    // Shifting one by one would be quadratic in a flood.
    if (this.tailLength > 2 * this.tailLimit) this.trim();
  }

  private trim(): void {
    let drop = 0;
    while (this.tailLength > this.tailLimit && drop < this.tail.length - 1) {
      this.tailLength -= this.tail[drop]?.length ?? 0;
      drop++;
    }
    this.tail.splice(0, drop);
    this.dropped += drop;
  }

  toString(): string {
    this.trim();
    const gap = this.dropped > 0 ? `[enokey: ${this.dropped} lines left out]\n` : '';
    return this.head + gap + this.tail.join('');
  }
}

/** Writes a file of a cell. @throws InfraError when the disk is full */
export async function save(dir: string, name: string, text: string): Promise<void> {
  try {
    await writeFile(path.join(dir, name), text);
  } catch (error) {
    throw diskError(error, dir);
  }
}

/** The last `limit` bytes of a regular file, or undefined when there is none. Links are not followed. */
export async function readTail(file: string, limit: number): Promise<string | undefined> {
  try {
    if (!(await lstat(file)).isFile()) return undefined;
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { size } = await handle.stat();
      const length = Math.min(size, limit);
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await handle.read(buffer, 0, length, size - length);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Keeps what the guest's console said meanwhile, and the reports that supervision found in it. */
export async function keepConsole(console: string, incident: Incident, dir: string): Promise<void> {
  if (incident.reports.length > 0) await save(dir, 'reports.txt', `${incident.reports.join('\n\n')}\n`);
  const from = Math.max(incident.consoleFrom, incident.consoleTo - CONSOLE_LIMIT);
  if (incident.consoleTo <= from) return;
  const handle = await open(console, 'r').catch(() => undefined);
  if (!handle) return;
  try {
    const buffer = Buffer.alloc(incident.consoleTo - from);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n').map(cleanLine);
    await save(dir, 'console.log', lines.join('\n'));
  } finally {
    await handle.close();
  }
}

/** Incidents of several pieces of work in a row, as one. */
export function mergeIncidents(all: readonly Incident[]): Incident {
  const decided = all.find((one) => one.outcome !== undefined);
  return {
    outcome: decided?.outcome,
    reason: decided?.reason,
    marks: [...new Set(all.flatMap((one) => one.marks))],
    reports: all.flatMap((one) => one.reports),
    consoleFrom: all.length === 0 ? 0 : Math.min(...all.map((one) => one.consoleFrom)),
    consoleTo: all.length === 0 ? 0 : Math.max(...all.map((one) => one.consoleTo)),
  };
}

/** Why a piece of work did not end well, or undefined when it did. */
export function failureOf(what: string, result: SupervisedResult): string | undefined {
  const { exec } = result;
  if (result.outcome) return result.reason ?? result.outcome;
  if (exec?.exitCode === 0 && !exec.timedOut) return undefined;
  if (exec?.timedOut) return `${what}: no end within ${Math.round(exec.durationMs / 1000)} s`;
  if (!exec) return `${what}: did not run`;
  const how = exec.exitCode === undefined ? (exec.signal ?? 'no exit status') : `exit ${exec.exitCode}`;
  const said = cleanLine((exec.stderr || exec.stdout).trim().split('\n').at(-1) ?? '').slice(0, 200);
  return `${what}: ${how}${said ? `: ${said}` : ''}`;
}
