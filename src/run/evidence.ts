// SPDX-License-Identifier: GPL-2.0-only
import { open, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { cleanLine } from '../core/clean-text.js';
import type { Incident } from '../guest/types.js';
import { diskError } from '../system/files.js';

/** Of a guest's console at most this much goes into a cell's folder: its end. */
const CONSOLE_LIMIT = 1024 * 1024;

/** Writes a file of a cell. @throws InfraError when the disk is full */
export async function save(dir: string, name: string, text: string): Promise<void> {
  try {
    await writeFile(path.join(dir, name), text);
  } catch (error) {
    throw diskError(error, dir);
  }
}

/** True for what diskError() makes of a disk without room: it fails every further cell alike, and ends the run. */
export function isDiskFull(error: Error): boolean {
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
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
